"""The one training loop: a network, an objective, a stream of rows, and a budget.

A step's randomness (rows, masks, dropout) is a function of the seed and the step, so a run that was killed
and resumed ends with the same weights as one that was not. Losses are divided by what all processes and
accumulated batches predict together, so that how a step is spread over them does not change it.
"""

import json
import math
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ptm_explore.errors import PtmError, TrainingError
from ptm_explore.model import Model
from ptm_explore.models.network import Network
from ptm_explore.models.recipes import Recipe, Schedule
from ptm_explore.objectives.base import Objective
from ptm_explore.text.batches import Batch, Rows, collate
from ptm_explore.text.tokenizers import Tokenizer
from ptm_explore.training import checkpoint, devices
from ptm_explore.training.budget import Budget
from ptm_explore.training.progress import Progress

SAVE_SECONDS = 30  # between checkpoints, where `save_every` names no number of steps
EVALUATIONS = 12  # on held-out text at most, spread over the budget
EVALUATING = 0.15  # of the seconds at most; a short run is judged less often, but always before and after
RECORDS = 100  # rows of metrics, spread over the budget
M = TypeVar("M", bound=Model)


class Learner(nn.Module):
    """A network joined with its objective: what `accelerate` wraps and `torch.compile` compiles."""

    def __init__(self, net: nn.Module, objective: Objective):
        super().__init__()
        self.net, self.objective = net, objective

    def forward(self, batch: Batch, totals: dict[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss, and each objective's sum in nats; `totals` are what the sums are divided by."""
        sums = self.objective.loss(self.objective.forward(self.net, batch), batch)
        weights = self.objective.weights()
        loss = torch.stack([weights[name] * value / totals[name] for name, value in sums.items()]).sum()
        return loss, {name: value.detach() for name, value in sums.items()}


@dataclass
class Trainer:
    """One run. `train()` spends the budget and returns the history, a list of dicts of metrics."""

    net: Network
    objective: Objective
    tokenizer: Tokenizer
    stream: Rows
    heldout: list[Batch]  # corrupted once, the same at each evaluation
    baseline: dict[str, float]  # what the unigram guess scores on them
    budget: Budget
    schedule: Schedule
    seed: int = 0
    accumulate: int = 1  # batches in an optimiser step
    precision: str | None = None  # "no", "fp16", "bf16"; None: by device
    cpu: bool = False  # stay on the CPU even where there is a GPU
    folder: Path | None = None  # for checkpoints and metrics
    save_every: int | None = None  # steps
    resume: bool = False
    identity: dict | None = None  # what must be the same for a run to be resumed
    show: bool = True
    title: str = "training"

    def train(self) -> list[dict]:
        accelerator = devices.accelerator(self.cpu, self.precision)
        optimizer = _optimizer(self.net, self.schedule)
        self.progress: dict[str, Any] = {"steps": 0, "tokens": 0, "seconds": 0.0, "flops": 0.0}
        self.history: list[dict] = []
        self.judging = 0.0  # seconds spent on evaluations
        self._checkpoints = (self.folder or Path()) / "checkpoints"
        if self.resume and self.folder is not None:
            self._resume(optimizer)
        learner, optimizer = accelerator.prepare(Learner(self.net, self.objective), optimizer)
        main = accelerator.is_main_process
        alone_on_cpu = accelerator.device.type == "cpu" and accelerator.num_processes == 1
        self.threads = devices.Threads(adapt=self.budget.unit == "seconds" and alone_on_cpu)
        bar = Progress(self.title, self.folder if main else None, self.show and main, self.history)
        with torch.random.fork_rng(), _stop_button() as stopped:
            try:
                self._run(accelerator, learner, optimizer, bar, stopped)
            finally:
                bar.close()
                self.threads.restore()
                self.net.eval().requires_grad_(True)
        evaluated: dict[str, Any] = next((row for row in reversed(self.history) if "heldout_loss" in row), {})
        if concern := self.objective.concern(evaluated):
            warnings.warn(concern, stacklevel=2)
        return self.history

    def trained(self, kind: Callable[..., M], recipe: Recipe | None, card: dict) -> M:
        """The model that training makes, saved in `folder`; an error that stops it has the model so far."""
        try:
            self.train()
        except TrainingError as error:
            error.model = kind(self.net.cpu(), self.tokenizer, recipe, self.history, card)
            raise
        card |= {"device": devices.name_of(next(self.net.parameters()).device)} | self.progress
        model = kind(self.net, self.tokenizer, recipe, self.history, card)
        if self.folder is not None and devices.processes(self.cpu).is_main_process:
            model.save(self.folder)
        return model

    def _run(self, accelerator, learner, optimizer, bar, stopped) -> None:
        share = self.budget.share(self.progress)
        if not self.history:
            self._record(bar, accelerator, share, None, evaluate=True)
        p, saved, recorded, evaluated, stops = self.progress, time.monotonic(), share, share, 0.0
        while share < 1 and not stops:
            began = time.monotonic()
            lr = self.schedule.lr * rate(self.schedule, share)
            for group in optimizer.param_groups:
                group["lr"] = lr
            self.threads.before()
            losses, tokens, predicted = self._step(accelerator, learner, optimizer)
            self.threads.after(began, time.monotonic() - began)
            forward = self.net.config.flops_per_token(self.schedule.length, predicted / tokens)
            p["steps"] += 1
            p["tokens"] += tokens
            p["flops"] += 3 * tokens * forward  # backward takes twice as many
            p["seconds"] += time.monotonic() - began
            # one answer for all processes: the mean share of the budget, and to stop if anyone was asked to
            mean = self.budget.share(p) / accelerator.num_processes
            share, stops = _sum(accelerator, [mean, float(stopped())])
            share = 1.0 if share > 1 - 1e-9 else share
            total = sum(self.objective.weights()[name] * loss for name, loss in losses.items())
            speed = tokens / max(time.monotonic() - began, 1e-9)
            bar.update(share, total, speed, p["seconds"])
            done = share >= 1 or stops > 0
            affordable = self.judging < EVALUATING * p["seconds"]
            evaluate = done or (share - evaluated >= 1 / EVALUATIONS and affordable)
            if evaluate or share - recorded >= 1 / RECORDS:
                recorded, evaluated = share, share if evaluate else evaluated
                row = {"loss": total, "lr": lr, "speed": speed}
                row |= {f"loss_{name}": loss for name, loss in losses.items()} if len(losses) > 1 else {}
                self._record(bar, accelerator, share, row, evaluate)
            every, passed = self.save_every, time.monotonic() - saved
            due = p["steps"] % every == 0 if every else passed > SAVE_SECONDS
            if self.folder is not None and (due or done):
                if accelerator.is_main_process:
                    self._save(optimizer)
                saved = time.monotonic()
        accelerator.wait_for_everyone()

    def _step(self, accelerator, learner, optimizer) -> tuple[dict[str, float], int, int]:
        """One optimiser step; the mean loss of each objective, the number of tokens seen and of tokens
        predicted, over all processes. The weights stay as they were where loss or gradient is no number."""
        world, rank = accelerator.num_processes, accelerator.process_index
        size = self.schedule.batch
        rows, numbers = self.stream.take(size * self.accumulate * world)
        batches = []
        for part in range(rank * self.accumulate, (rank + 1) * self.accumulate):
            mine = slice(part * size, (part + 1) * size)
            batch = collate(rows[mine], self.tokenizer, numbers[mine])
            batches.append(self.objective.corrupt(batch, self.tokenizer, self.seed))
        counts = [self.objective.counts(batch) for batch in batches]
        names = list(counts[0])
        own = [sum(count[name] for count in counts) for name in names]
        *together, tokens = _sum(accelerator, [*own, sum(batch.n_tokens for batch in batches)])
        totals = {name: max(count, 1.0) for name, count in zip(names, together, strict=True)}
        torch.manual_seed((self.seed * 1_000_003 + self.progress["steps"] * 7919 + rank) % 2**63)
        learner.train()
        sums = dict.fromkeys(names, 0.0)
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            with nullcontext() if last else accelerator.no_sync(learner):
                loss, parts = learner(batch.to(accelerator.device), totals)
                accelerator.backward(loss * world)  # processes average their gradients; we want the sum
            sums = {name: sums[name] + parts[name] for name in names}
        norm = accelerator.clip_grad_norm_(learner.parameters(), self.schedule.clip)
        summed = _sum(accelerator, [float(sums[name]) for name in names])
        losses = {name: value / totals[name] for name, value in zip(names, summed, strict=True)}
        # a scaler skips overflowing steps by itself, and lowers its scale
        scaled = accelerator.scaler is not None
        if not all(map(math.isfinite, losses.values())) or not (scaled or torch.isfinite(norm)):
            self._not_a_number(accelerator, optimizer, losses, float(norm))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return losses, int(tokens), int(totals[names[0]])

    def _not_a_number(self, accelerator, optimizer, losses, norm) -> None:
        kept, lr = "The weights from before this step are kept", self.schedule.lr
        if self.folder is not None and accelerator.is_main_process:
            kept += f", also in {self._save(optimizer)}"
        found = f"the loss is {losses}, the gradient's norm {norm:g}"
        causes = f"learning rate too high (now {lr:g}), half precision without a scaler, broken weights"
        stopped = f"training stopped at step {self.progress['steps']}"
        raise TrainingError(f"{stopped}: {found}. {kept}. Usual causes: {causes}.")

    def _record(self, bar, accelerator, share: float, row: dict | None, evaluate: bool) -> None:
        p = self.progress
        entry = {"step": p["steps"], "tokens": p["tokens"], "seconds": round(p["seconds"], 3), "share": share}
        entry |= row or {}
        if evaluate and accelerator.is_main_process and self.heldout:
            began = time.monotonic()
            entry |= evaluate_on(self.net, self.objective, self.heldout, accelerator.device) | self.baseline
            self.judging += time.monotonic() - began
        self.history.append(entry)
        bar.record(entry, self.objective.headline(entry))

    def _save(self, optimizer) -> Path:
        state = {"progress": self.progress, "stream": self.stream.position, "history": self.history}
        state |= {"identity": self.identity or {}}
        return checkpoint.save(self._checkpoints, self.net, optimizer, state)

    def _resume(self, optimizer) -> None:
        if (path := checkpoint.latest(self._checkpoints)) is None:
            return
        state = checkpoint.load(path, self.net, optimizer)
        for name, now in json.loads(json.dumps(self.identity or {})).items():  # as it comes back from a file
            then = state["identity"].get(name)
            if then != now:
                advice = "resume with the same, or train into another folder"
                raise PtmError(f"{path} was trained with {name} {then!r}, this run has {now!r}; {advice}")
        self.progress, self.history = state["progress"], state["history"]
        self.stream.position = state["stream"]


def rate(schedule: Schedule, share: float) -> float:
    """The learning rate at a share of the budget, as a share of its peak: linear up, then down to zero."""
    if share < schedule.warmup:
        return max(share / schedule.warmup, 0.01)
    left = (1 - share) / (1 - schedule.warmup)
    return 0.5 - 0.5 * math.cos(math.pi * left) if schedule.decay == "cosine" else left


@torch.no_grad()
def evaluate_on(net: nn.Module, objective: Objective, batches: list[Batch], device) -> dict[str, float]:
    """Held-out loss (nats) and accuracy of each objective, the first one's without a suffix, and what else
    the objective measures."""
    net.eval()
    losses, correct, counts = Counter[str](), Counter[str](), Counter[str]()
    scores: dict[str, list[Tensor]] = {}
    for batch in batches:
        counts.update(objective.counts(batch))
        batch = batch.to(device)
        out = objective.forward(net, batch)
        losses.update({name: float(value) for name, value in objective.loss(out, batch).items()})
        correct.update({name: int(value) for name, value in objective.correct(out, batch).items()})
        for name, values in objective.scores(out, batch).items():
            scores.setdefault(name, []).append(values.cpu())

    result = {}
    for number, (name, count) in enumerate(counts.items()):
        suffix = f"_{name}" if number else ""
        result[f"heldout_loss{suffix}"] = losses[name] / count
        if name in correct:
            result[f"heldout_accuracy{suffix}"] = correct[name] / count
    return result | objective.summary({name: torch.cat(values) for name, values in scores.items()})


def _optimizer(net: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW; weight decay pulls on matrices only."""
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() <= 1]
    groups: list[dict] = [{"params": matrices, "weight_decay": schedule.weight_decay}, {"params": vectors}]
    return torch.optim.AdamW(groups, schedule.lr, schedule.betas, schedule.eps, weight_decay=0.0, fused=True)


def _sum(accelerator, values: Sequence[float | int]) -> list[float]:
    """Each value summed over all processes."""
    if accelerator.num_processes == 1:
        return [float(value) for value in values]
    kind = torch.float32 if accelerator.device.type == "mps" else torch.float64
    return accelerator.reduce(torch.tensor(values, dtype=kind, device=accelerator.device), "sum").tolist()


@contextmanager
def _stop_button() -> Iterator:
    """The notebook's stop button (or Ctrl-C) ends training after the step under way; a second press raises
    KeyboardInterrupt at once. Yields a function that says whether it was pressed."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def press(number, frame):
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
