"""From a recipe and a corpus to a trained model."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ptm_explore.errors import PtmError
from ptm_explore.model import Model
from ptm_explore.models.recipes import Recipe, recipe
from ptm_explore.objectives import objective
from ptm_explore.objectives.base import Objective
from ptm_explore.text import corpora
from ptm_explore.text.batches import Batch, Stream, collate
from ptm_explore.text.store import Splits, tokenise, train_tokenizer
from ptm_explore.text.tokenizers import Tokenizer
from ptm_explore.training import checkpoint
from ptm_explore.training.budget import Budget
from ptm_explore.training.devices import processes
from ptm_explore.training.loop import Trainer
from ptm_explore.training.progress import Line
from ptm_explore.training.start import warm_start

HELDOUT_TOKENS = 40_000  # enough for +-0.5 points of accuracy on 6,000 masked tokens


def pretrain(
    name: str | Recipe,
    corpus: str | Path | corpora.Corpus | list[str] = "world",
    budget: str | Budget = "60s",
    seed: int = 0,
    start: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    save_every: int | None = None,
    text_field: str | None = None,
    accumulate: int = 1,
    precision: str | None = None,
    cpu: bool = False,
    show: bool = True,
    **changes,
) -> Model:
    """Train a recipe on a corpus and return the model, its learning curve in `history`.

    `corpus` is "world", "pydocs", a file, folder or glob, "hf:<dataset>[:config]", or a list of texts.
    `budget` counts training alone: tokenising a corpus, once, comes before. `out` is a folder for the model,
    checkpoints and metrics; with `resume` a run that was stopped or killed goes on from its last checkpoint.
    `changes` are settings of the recipe, its config or schedule: `lr=1e-3, n_layers=4, length=64`.
    The notebook's stop button ends training early and returns the model so far.
    """
    chosen = recipe(name, **changes)
    budget = Budget.parse(budget).scaled()
    start = start or chosen.start
    if start not in ("warm", "cold"):
        raise PtmError(f"start={start!r}; a recipe starts 'warm' (from the corpus's statistics) or 'cold'")
    length, most = chosen.schedule.length, chosen.config.max_len
    if not length <= most:
        raise PtmError(f"rows of {length} tokens; this model reads {most} at most")
    folder = Path(out).expanduser() if out is not None else None
    if resume and folder is None:
        raise PtmError("resume=True needs the folder to resume from: out=...")

    text = corpora.corpus(corpus, text_field)
    tokenizer, splits = _prepare(text, chosen, cpu, show)
    chosen = recipe(chosen, vocab_size=tokenizer.vocab_size)  # a small corpus yields fewer pieces
    goal = objective(chosen.objectives)
    net = chosen.build(seed=seed)
    resuming = resume and folder is not None and checkpoint.latest(folder / "checkpoints") is not None
    if start == "warm" and not resuming:
        warm_start(net, splits.train, seed)
    heldout = heldout_batches(splits.heldout, goal, tokenizer, length)
    baseline = unigram_baseline(heldout, splits.train.counts)
    stream = Stream(splits.train, goal.arrange, tokenizer, length, seed)
    identity = {"recipe": asdict(chosen), "corpus": text.key, "seed": seed, "start": start}
    options: dict[str, Any] = {"seed": seed, "accumulate": accumulate, "precision": precision, "cpu": cpu}
    options |= {"folder": folder, "save_every": save_every, "resume": resume, "identity": identity}
    options |= {"show": show, "title": chosen.name}
    trainer = Trainer(net, goal, tokenizer, stream, heldout, baseline, budget, chosen.schedule, **options)
    card: dict[str, Any] = {"corpus": text.name, "corpus_key": text.key, "skipped": dict(text.skipped)}
    card |= {"budget": str(budget), "seed": seed, "start": start, "changes": changes}
    return trainer.trained(Model, chosen, card)


def _prepare(text: corpora.Corpus, chosen: Recipe, cpu: bool, show: bool) -> tuple[Tokenizer, Splits]:
    """Tokenizer and token store, from the cache where they are there; one process of many makes them."""
    line, reading = Line(show), f"reading {text.name}: "
    with processes(cpu).main_process_first():
        line.write(f"{reading}vocabulary")
        size = chosen.config.vocab_size
        tokenizer = train_tokenizer(text, chosen.tokenizer, size, chosen.style, chosen.lowercase)
        splits = tokenise(text, tokenizer, progress=lambda _, note: line.write(f"{reading}{note}"))
    line.close()
    return tokenizer, splits


def heldout_batches(store, goal: Objective, tokenizer, length: int, size: int = 64) -> list[Batch]:
    """Rows of unseen documents, corrupted with a seed of their own: the same at each evaluation."""
    stream = Stream(store, goal.arrange, tokenizer, length, seed=12345)
    n = int(np.clip(min(HELDOUT_TOKENS, store.n_tokens) // length, 1, None))
    taken = (stream.take(min(size, n)) for _ in range(0, n, size))
    return [goal.corrupt(collate(rows, tokenizer, numbers), tokenizer, seed=12345) for rows, numbers in taken]


def unigram_baseline(batches: list[Batch], counts: np.ndarray) -> dict[str, float]:
    """What guessing by frequency alone scores on the held-out targets: accuracy of the most frequent token
    of the training text, and the loss in nats of its (add-one) frequencies. Nothing where the objective asks
    for no tokens."""
    if any(batch.targets is None for batch in batches):
        return {}
    targets = np.concatenate([batch.targets.numpy() for batch in batches])
    logs = np.log((counts + 1) / (counts + 1).sum())
    right, loss = (targets == counts.argmax()).mean(), -logs[targets].mean()
    return {"unigram_accuracy": float(right), "unigram_loss": float(loss)}
