"""Fine-tuning: a task's head on a pre-trained body, trained on labelled examples by the one training loop."""

import math
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, mse_loss

from ptm_explore.classifier import Classifier
from ptm_explore.errors import PtmError, unknown
from ptm_explore.model import Model
from ptm_explore.models.network import Network
from ptm_explore.models.recipes import Schedule, build
from ptm_explore.objectives.base import Objective
from ptm_explore.text import tasks
from ptm_explore.text.batches import Batch, Row, collate
from ptm_explore.text.labelled import HEAD_OF, NONE, Framer
from ptm_explore.text.tasks import Split, Task
from ptm_explore.text.tokenizers import Tokenizer
from ptm_explore.training.budget import Budget
from ptm_explore.training.loop import Trainer

HELDOUT = 500  # examples of dev on which the learning curve is drawn
LR = 0.04  # over d_model: 3e-4 for a mini of 128, 5e-5 for a base model of 768


@dataclass(frozen=True)
class Labels(Objective):
    """The loss of a task: cross-entropy of classes, of tags and of an answer's two ends, squared error of
    numbers."""

    kind: str = "classification"

    def counts(self, batch):
        tags = self.kind == "tagging"
        return {self.name: int((batch.labels != NONE).sum()) if tags else len(batch.labels)}

    def loss(self, out, batch):
        logits = self._logits(out, batch)
        if self.kind == "regression":
            loss = mse_loss(logits.squeeze(-1), batch.labels.float(), reduction="sum")
        elif self.kind == "span":
            loss = cross_entropy(logits, batch.labels, reduction="sum") / 2  # both ends at once: (B, T, 2)
        else:
            logits = logits.flatten(0, -2)
            loss = cross_entropy(logits, batch.labels.flatten(), ignore_index=NONE, reduction="sum")
        return {self.name: loss}

    def correct(self, out, batch):
        if self.kind == "regression":
            return {}
        span = self.kind == "span"
        right = self._logits(out, batch).argmax(1 if span else -1) == batch.labels
        return {self.name: (right.all(1) if span else right).sum()}

    def _logits(self, out, batch):
        """Those of an answer's ends (B, T, 2) are minus infinity in the padding."""
        logits = out.task_logits.float()
        if self.kind != "span" or batch.attention_mask is None:
            return logits
        return logits.masked_fill(~batch.attention_mask[:, :, None], -torch.inf)

    def headline(self, metrics):
        missed = f"held-out error {metrics['heldout_loss']:.3f}" if "heldout_loss" in metrics else ""
        return super().headline(metrics) or missed


class Examples:
    """Rows of a split without end, shuffled anew each epoch, reproducible by seed; tokens are made when
    asked for, so memory does not grow with the data. `position` says where it stands, as `Stream`'s does."""

    def __init__(self, split: Split, framer: Framer, seed: int):
        self.split, self.framer, self.seed = split, framer, seed
        self.position = {"seen": 0}

    def take(self, n: int) -> tuple[list[Row], range]:
        seen, size, chosen = self.position["seen"], len(self.split), list[int]()
        for epoch in range(seen // size, (seen + n - 1) // size + 1):
            order = np.random.default_rng([self.seed, epoch]).permutation(size)
            chosen += order[max(seen - epoch * size, 0) : seen + n - epoch * size].tolist()
        self.position = {"seen": seen + n}
        rng = np.random.default_rng([self.seed, seen])
        return self.framer.rows([self.split[i] for i in chosen], rng), range(seen, seen + n)


def finetune(
    model: Model,
    task: Task | str | Path,
    budget: str | Budget = "3epochs",
    seed: int = 0,
    train: str = "all",
    out: str | Path | None = None,
    resume: bool = False,
    save_every: int | None = None,
    cpu: bool = False,
    precision: str | None = None,
    show: bool = True,
    **changes: Any,
) -> Classifier:
    """A `Classifier`: the model's body with a new head for the task, trained on its examples. The model
    itself stays as it is.

    `budget` counts epochs ("3epochs") or what `pretrain` takes: "60s", "200steps". `train="head"` leaves the
    body as it was pre-trained. `seed` decides the new head's weights and the order of examples. `changes` are
    settings of the schedule, as `lr=1e-4, batch=16, length=128` (tokens in a row), or `dropout`. `out`,
    `resume` and `save_every` are as in `pretrain`. The learning curve on dev is in `history`;
    `clf.evaluate("test")` gives the score."""
    data = task if isinstance(task, Task) else tasks.task(task, show=show)
    if data.kind not in HEAD_OF:
        raise PtmError(f"{data.name} is for judging models as they are ({data.kind}), not for learning")
    if train not in ("all", "head"):
        raise unknown("part to train, train =", train, ("all", "head"))
    examples = data.split("train")
    schedule = _schedule(model, changes)
    framer = Framer(model.tokenizer, data.kind, data.labels, schedule.length)
    net = _network(model, data, changes.get("dropout"), seed)
    if train == "head":
        net.body.requires_grad_(False)
    goal, stream = Labels(kind=data.kind), Examples(examples, framer, seed)
    heldout = [] if data.dev is None else _heldout(data.dev, framer, model.tokenizer)
    steps = _budget(budget, len(examples), schedule.batch).scaled()
    trainer = Trainer(net, goal, model.tokenizer, stream, heldout, {}, steps, schedule, seed)
    trainer.precision, trainer.cpu, trainer.show, trainer.title = precision, cpu, show, data.name
    trainer.folder = None if out is None else Path(out).expanduser()
    trainer.save_every, trainer.resume = save_every, resume
    trainer.identity = {"task": data.name, "examples": len(examples), "seed": seed, "train": train}
    card = {
        "task": data.name, "metric": data.metric.name, "length": schedule.length, "train": train,
        "seed": seed, "budget": str(budget), "schedule": asdict(schedule), "hf": _hf_labels(data),
        "unanswerable": data.kind == "span" and any(not e.label for e in examples),
    }  # fmt: skip

    def classifier(*parts: Any) -> Classifier:
        made = Classifier(*parts)
        made.task = data
        return made

    return trainer.trained(classifier, model.recipe, card)


def _schedule(model: Model, changes: dict[str, Any]) -> Schedule:
    c = model.config
    usual = Schedule(min(128, c.max_len), 32, LR / c.d_model, 0.1, betas=(0.9, 0.999), eps=1e-8)
    known = {field.name for field in fields(Schedule)} - {"steps"}
    for name in changes.keys() - known - {"dropout"}:
        raise unknown("setting", name, [*known, "dropout"])
    schedule = replace(usual, **{name: value for name, value in changes.items() if name in known})
    if not 1 <= schedule.length <= c.max_len or schedule.batch < 1:
        given = f"length={schedule.length}, batch={schedule.batch}"
        raise PtmError(f"{given}: this model reads 1 to {c.max_len} tokens, a step takes at least 1 row")
    return schedule


def _network(model: Model, data: Task, dropout: float | None, seed: int) -> Network:
    """A network with the task's head, new, and the weights of the model where it has them."""
    changes: dict[str, Any] = {} if dropout is None else {"dropout": dropout, "attention_dropout": dropout}
    config = replace(model.config, **changes)
    outputs = 1 if data.kind == "regression" else len(data.labels)
    net = build(model.family, config, (HEAD_OF[data.kind],), outputs, seed=seed)
    known = {n: t for n, t in model.net.state_dict().items() if n.startswith(("body.", "pooler."))}
    net.load_state_dict({name: known.get(name, tensor) for name, tensor in net.state_dict().items()})
    return net


def _heldout(dev: Split, framer: Framer, tokenizer: Tokenizer) -> list[Batch]:
    rows = framer.rows(list(dev.sample(HELDOUT)), np.random.default_rng(12345))
    numbers = range(len(rows))
    return [collate(rows[at : at + 64], tokenizer, numbers[at : at + 64]) for at in numbers[::64]]


def _budget(budget: str | Budget, examples: int, batch: int) -> Budget:
    epochs = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*epochs?\s*", str(budget))
    if epochs and float(epochs[1]) > 0:
        return Budget(max(math.ceil(float(epochs[1]) * examples / batch), 1), "steps")
    return Budget.parse(budget)


def _hf_labels(data: Task) -> dict[str, Any]:
    """What config.json says of the labels."""
    if data.kind == "span":
        return {}
    ids = {name: number for number, name in enumerate(data.labels or ("LABEL_0",))}
    labels: dict[str, Any] = {"id2label": {str(n): name for name, n in ids.items()}, "label2id": ids}
    kinds = {"regression": "regression", "classification": "single_label_classification"}
    return labels | ({"problem_type": kinds[data.kind]} if data.kind in kinds else {})
