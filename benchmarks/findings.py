"""`python -m benchmarks findings`: known findings of the papers, put to the test at mini scale.

Each arm of a comparison is trained from several seeds for the same number of steps or tokens. What comes out
is printed as it comes: every run, then means with 95 % intervals (Student's t over the seeds), whatever they
say. Times are of one arm after the other, so another load on the machine shows in them.

nsp_sop         a model trained on NSP, examined on SOP, and the reverse (ALBERT, table 5)
static_dynamic  the same masks at each visit to a few documents, or new ones (RoBERTa, table 1)
sharing         what ALBERT's layers share, what that saves and costs (ALBERT, table 4)
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from scipy.stats import t as student

import ptm_explore as ptm
from ptm_explore.objectives import objective
from ptm_explore.text.store import tokenise
from ptm_explore.training.pretrain import heldout_batches

Run = tuple[str, dict[str, float]]  # the arm, and what was measured


def nsp_sop(corpus: str, seed: int, scale: float) -> Iterator[Run]:
    """Both minis learn masked words besides; the exams are pairs of unseen documents."""
    steps = f"{round(2500 * scale)}steps"
    for arm in ("nsp", "sop"):
        goals = {"mlm": {}, arm: {}}
        m = ptm.pretrain("bert-mini", corpus, steps, seed, objectives=goals, length=48, show=False)
        unseen = tokenise(ptm.corpus(corpus), m.tokenizer).heldout
        found = {f"right on {exam} (%)": 100 * _pairs_right(m, unseen, exam) for exam in ("nsp", "sop")}
        yield f"trained on {arm}", found


@torch.no_grad()
def _pairs_right(m: ptm.Model, unseen, exam: str) -> float:
    goal, right, asked = objective({exam: {}}), 0, 0
    for batch in heldout_batches(unseen, goal, m.tokenizer, 48):
        batch = batch.to(m.device)
        right += int(goal.correct(goal.forward(m.net, batch), batch)[exam])
        asked += goal.counts(batch)[exam]
    return right / asked


def static_dynamic(corpus: str, seed: int, scale: float) -> Iterator[Run]:
    documents = list(islice(ptm.corpus(corpus).documents(), 150))
    for arm in ("static", "dynamic"):
        options = {"mlm": {"static": arm == "static"}}
        tokens = f"{round(600 * scale)}ktokens"
        m = ptm.pretrain(
            "bert-mini", documents, tokens, seed, objectives=options, vocab_size=1000, show=False
        )
        last = m.history[-1]
        best = min(row["heldout_loss"] for row in m.history if "heldout_loss" in row)
        yield arm, {"held-out (nats)": last["heldout_loss"], "at its best": best, "training": last["loss"]}


def sharing(corpus: str, seed: int, scale: float) -> Iterator[Run]:
    for share in ("all", "attention", "ffn", "none"):
        recipe = ptm.recipe("albert-mini", n_layers=4, share=share)
        m = ptm.pretrain(recipe, corpus, f"{round(1200 * scale)}steps", seed, show=False)
        last = m.history[-1]
        yield (
            f"{share} ({m.parameters:,} parameters)",
            {
                "held-out (nats)": last["heldout_loss"],
                "right (%)": 100 * last["heldout_accuracy"],
                "ms a step": 1000 * last["seconds"] / last["step"],
            },
        )


FINDINGS: dict[str, Callable[[str, int, float], Iterator[Run]]] = {
    "nsp_sop": nsp_sop,
    "static_dynamic": static_dynamic,
    "sharing": sharing,
}


def main(arguments: list[str]) -> None:
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser("findings", description=__doc__, formatter_class=as_written)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--corpus", default="world")
    parser.add_argument("--only", choices=FINDINGS, action="append", help="may be given more than once")
    parser.add_argument("--scale", type=float, default=1.0, help="of all budgets")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds: give 1 or more; 3 or more for intervals that mean something")
    for name in options.only or FINDINGS:
        print(f"\n{name}, {options.corpus}, {options.seeds} seeds", flush=True)
        found: dict[str, list[dict[str, float]]] = {}
        began = time.monotonic()
        for seed in range(options.seeds):
            for arm, measured in FINDINGS[name](options.corpus, seed, options.scale):
                found.setdefault(arm, []).append(measured)
                words = ", ".join(f"{key} {value:.2f}" for key, value in measured.items())
                print(f"  seed {seed}, {arm}: {words}", flush=True)
        print(*table(found), sep="\n")
        print(f"({(time.monotonic() - began) / 60:.0f} minutes)", flush=True)


def table(found: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """Lines of a Markdown table: an arm each, means with 95 % intervals over its runs."""
    keys = list(next(iter(found.values()))[0])
    yield "| | " + " | ".join(keys) + " |"
    yield "|---" * (len(keys) + 1) + "|"
    for arm, runs in found.items():
        yield f"| {arm} | " + " | ".join(interval([run[key] for run in runs]) for key in keys) + " |"


def interval(values: list[float]) -> str:
    """Mean and half-width of the 95 % interval; no width from a single value.

    >>> interval([1.0, 2.0, 3.0])
    '2.00 ± 2.48'
    """
    n, mean = len(values), sum(values) / len(values)
    if n < 2:
        return f"{mean:.2f}"
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return f"{mean:.2f} ± {student.ppf(0.975, n - 1) * spread:.2f}"
