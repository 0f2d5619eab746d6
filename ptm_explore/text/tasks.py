"""Tasks: labelled examples in train, dev and test, with a metric and what the best constant answer scores.

One interface for tasks on the generated world, for files and for the hub. Whatever the source, its rows are
checked once and stored in the cache as JSON lines; examples are then read one by one, in constant memory.
"""

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ptm_explore.errors import PtmError, unknown
from ptm_explore.text.cache import building, cache_folder, digest, file_digest
from ptm_explore.text.metrics import METRICS, Metric, Score, score
from ptm_explore.text.task_files import SPLIT_OF, SPLITS, find, read
from ptm_explore.text.task_rows import Labels, Reader

METRIC_OF = {"classification": "accuracy", "regression": "spearman", "tagging": "tag_accuracy"}
METRIC_OF |= {"span": "squad_f1", "minimal_pair": "accuracy"}
KINDS = tuple(METRIC_OF)
NONE = len(SPLITS)  # the number of no split
SHARES = (0.8, 0.1, 0.1)  # of an unsplit file, for train, dev and test


@dataclass(frozen=True)
class Example:
    """One labelled text. Characters count from 0 in the string that they are said of.

    classification  `text`, maybe `pair`; `label` is a name
    regression      `text`, maybe `pair`; `label` is a number
    tagging         `text`, where each word stands (`words`); `label` is a tag for each
    span            `text` asks, `pair` is what is read; `label` is ((start, end), ...), the characters of all
                    accepted answers in `pair`; none, if it holds no answer
    minimal_pair    `text` is the good sentence, `pair` the bad one; `label` names the phenomenon
    """

    text: str
    pair: str | None = None
    label: Any = None
    words: tuple[tuple[int, int], ...] | None = None  # characters of each word of `text`
    rationale: tuple[tuple[int, int], ...] | None = None  # those that carry the label, if known
    id: str | None = None

    @property
    def tokens(self) -> list[str]:
        """The words of `text` as strings."""
        return [self.text[start:end] for start, end in self.words or ()]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class Split(Sequence[Example]):
    """Examples on disk, read when asked for."""

    def __init__(self, folder: Path, rows: np.ndarray):
        self.folder, self.rows = folder, rows

    @cached_property
    def _file(self) -> tuple[np.ndarray, np.ndarray]:
        lines = np.memmap(self.folder / "examples.jsonl", mode="r")
        return lines, np.load(self.folder / "offsets.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which):
        if isinstance(which, slice | np.ndarray):
            return Split(self.folder, self.rows[which])
        lines, offsets = self._file
        row = int(self.rows[which])
        found = json.loads(lines[offsets[row] : offsets[row + 1]].tobytes())
        return Example(**{key: _tuples(value) for key, value in found.items()})

    def __repr__(self) -> str:
        return f"<{len(self):,} examples>"

    def sample(self, n: int, seed: int = 0) -> "Split":
        """At most `n` of them, drawn without replacement."""
        return self[np.sort(np.random.default_rng(seed).permutation(len(self.rows))[:n])]


@dataclass(frozen=True)
class Task:
    """A task as `ptm.task` opens it; `labels` are the names of classes or tags, in the order of their ids."""

    name: str
    kind: str  # one of KINDS
    labels: tuple[str, ...]
    metric: Metric
    train: Split | None
    dev: Split | None
    test: Split | None
    columns: str  # which columns were read, and what became of the splits, in words

    def split(self, name: str) -> Split:
        """One of train, dev and test; a `PtmError` if it is missing."""
        if name not in SPLITS:
            raise unknown("split", name, SPLITS)
        found = getattr(self, name)
        if found is None:
            has = ", ".join(one for one in SPLITS if getattr(self, one) is not None)
            raise PtmError(f"{self.name} has no split {name!r}; it has {has}")
        return found

    @cached_property
    def judged(self) -> str:
        """The split that scores are told of: test, else dev, else train."""
        return next(name for name in ("test", "dev", "train") if getattr(self, name) is not None)

    @cached_property
    def majority(self) -> Score:
        """The score of the best constant answer, learnt from train: the commonest class or tag, the mean,
        the commonest answer or the first word of the text, chance for minimal pairs."""
        judged = self.split(self.judged)
        if self.kind == "minimal_pair":
            return Score(self.metric.name, 0.5, 0.5, 0.5, len(judged))
        return score(self.metric, judged, [self._constant(example) for example in judged])

    @cached_property
    def _commonest(self) -> Any:
        source = self.split(self.judged) if self.train is None else self.train
        labels = [example.label for example in source]
        if self.kind == "regression":
            return float(np.mean(np.array(labels, float)))
        if self.kind == "tagging":
            labels = [tag for tags in labels for tag in tags]
        if self.kind == "span":
            labels = [e.pair[slice(*e.label[0])] if e.label else "" for e in source if e.pair is not None]
        return Counter(labels).most_common(1)[0][0]

    def _constant(self, example: Example) -> Any:
        if self.kind == "tagging":
            return (self._commonest,) * len(example.label)
        if self.kind == "span" and self._commonest not in (example.pair or ""):
            return (example.pair or "").split(" ")[0]
        return self._commonest

    def few(self, n: int, seed: int = 0) -> "Task":
        """The same task with `n` training examples of each class (classification), or `n` in all."""
        train = self.split("train")
        groups = defaultdict[str, list[int]](list)
        for i in np.random.default_rng(seed).permutation(len(train)):
            groups[train[i].label if self.kind == "classification" else "all"].append(i)
        kept = [i for group in groups.values() for i in group[:n]]
        return replace(self, train=train[np.sort(np.array(kept, int))])

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in SPLITS}
        sizes = ", ".join(f"no {n}" if part is None else f"{n} {len(part):,}" for n, part in parts.items())
        shown = ", ".join(self.labels[:8]) + (", ..." if len(self.labels) > 8 else "")
        labels = f", {len(self.labels)} labels ({shown})" if self.labels else ""
        return f"<{self.name}: {self.kind}{labels}; {sizes}; {self.metric.name}; {self.columns}>"


def task(
    source: str | Path,
    text: str | None = None,
    pair: str | None = None,
    label: str | None = None,
    kind: str | None = None,
    metric: str | None = None,
    seed: int = 0,
    show: bool = True,
) -> Task:
    """A `Task` from one of these sources; it prints what it took for what.

    "world:sentiment"   on the generated world (text/worldglue.py); "world:pairs" are minimal pairs
    a file              .csv, .tsv, .jsonl, .parquet with a text and a label in each row; .conll and .conllu;
                        .json as SQuAD, clinc150 or restaurant8k have it; BLiMP's .jsonl. All but .parquet
                        may be compressed (.gz, .xz, .zst)
    a folder            with files named train, dev and test, or with one file
    "hf:glue:cola"      a data set of the Hugging Face hub, or of a folder, through `datasets`

    `text`, `pair` and `label` name the columns, which are guessed otherwise. A row says in its column "split"
    where it belongs; a file without any is split by `seed`, equal texts together. Any error in a row is an
    error, with its file and line: nothing is half-read."""
    for what, given, known in (("kind of task", kind, KINDS), ("metric", metric, METRICS)):
        if given is not None and given not in known:
            raise unknown(what, given, known)
    opened = _open(str(source), label)
    asked = {"text": text, "pair": pair, "label": label, "kind": kind or opened.kind}
    folder = cache_folder() / f"task-{digest(FORMAT, opened.key, sorted(asked.items()), seed)}"
    if not (folder / "about.json").is_file():
        with building(folder, lambda path: (path / "about.json").is_file()) as fresh:
            _write(fresh, opened, Reader(opened.name, **asked), seed)
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    which = np.load(folder / "splits.npy")
    splits = [Split(folder, np.flatnonzero(which == number)) for number in range(len(SPLITS))]
    usual = "entity_f1" if about["entities"] else METRIC_OF[about["kind"]]
    measure, labels = METRICS[metric or opened.metric or usual], tuple(about["labels"])
    train, dev, test = (split if len(split) else None for split in splits)
    found = Task(opened.name, about["kind"], labels, measure, train, dev, test, about["columns"])
    if show:
        print(found)
    return found


FORMAT = 1  # of what `_write` stores


class _Source(NamedTuple):
    name: str
    key: str  # equal keys, equal rows
    rows: Any  # function that yields (split or None, place, row)
    labels: tuple[str, ...] = ()  # in their order, where that is known
    metric: str | None = None
    kind: str | None = None


def _open(source: str, tags: str | None) -> _Source:
    if source.startswith("world:"):
        return _world(source)
    if source.startswith("hf:"):
        from ptm_explore.text import hub

        return _Source(source, *hub.open_task(source))
    files = find(Path(source).expanduser())

    def rows() -> Iterator[tuple[str | None, str, dict]]:
        return ((split, place, row) for path, split in files for place, row in read(path, tags))

    parts = (f"{path.name} {split} {file_digest(path)}" for path, split in files)
    return _Source(Path(source).name, digest("files", *parts), rows)


def _world(source: str) -> _Source:
    from ptm_explore.text import minimal_pairs, world, worldglue

    name = source.removeprefix("world:")
    if name not in (*worldglue.TASKS, "pairs"):
        raise unknown("task on the world", name, (*worldglue.TASKS, "pairs"))
    ours = [*sorted(Path(world.__file__).parent.glob("*.*")), minimal_pairs.__file__, worldglue.__file__]
    key = digest("world", name, *(Path(str(path)).read_bytes() for path in ours))

    def rows() -> Iterator[tuple[None, str, dict]]:
        return ((None, f"{source}, row {n}", row) for n, row in enumerate(worldglue.rows(name), 1))

    return _Source(source, key, rows, metric=worldglue.METRICS.get(name), kind=worldglue.KINDS.get(name))


def _write(folder: Path, source: _Source, reader: Reader, seed: int) -> None:
    """Reads all rows once: examples.jsonl, offsets.npy, splits.npy (0, 1, 2; 3 = left out), about.json."""
    labels = Labels()
    offsets, splits, hashes, ids = array("Q", [0]), array("B"), array("Q"), array("Q")
    left_out: Counter[str] = Counter()
    with open(folder / "examples.jsonl", "wb") as file:
        for split, place, row in source.rows():
            split = split or row.get("split")
            if split is not None and split not in SPLIT_OF:
                left_out[split] += 1
                continue
            example = reader.example(place, row)
            name = SPLIT_OF.get(split or "")
            labels.see(example.get("label"), name, place)
            offsets.append(offsets[-1] + file.write(json.dumps(example).encode() + b"\n"))
            splits.append(SPLITS.index(name) if name else NONE)
            group = (example["pair"],) if reader.kind == "span" else (example["text"], example.get("pair"))
            hashes.append(_hash(seed, *group))
            if "id" in example:
                ids.append(_hash(name, example["id"]))
    if not splits:
        raise PtmError(f"{source.name} has no row; give a file with examples")
    _no_id_twice(source, reader, ids)
    kind, names, entities = labels.settle(source.name, reader.kind, source.labels)
    assigned = np.array(splits)
    note = ""
    if kind == "minimal_pair":  # nothing is learnt from them
        assigned[assigned == NONE] = SPLITS.index("test")
    elif (assigned == NONE).all():
        # by the rank of a hash: equal texts (questions on one text, too) share it, so none is in two splits
        distinct, where = np.unique(np.array(hashes), return_inverse=True)
        assigned = np.searchsorted(np.round(np.cumsum(SHARES) * len(distinct)), where, side="right")
        note = f"; split by seed {seed}"
    elif (assigned == NONE).any():
        raise PtmError(f"{source.name}: some rows name their split, others do not")
    for hidden in labels.missing:  # a test set whose labels are kept secret is no test set here
        assigned[assigned == SPLITS.index(hidden)] = NONE
        note += f"; {hidden} left out: its labels are hidden"
    if reader.overlapping:
        note += f"; {reader.overlapping} spans left out that overlap others"
    note += "".join(f"; {name!r} left out ({n} rows)" for name, n in left_out.items())
    np.save(folder / "offsets.npy", np.array(offsets))
    np.save(folder / "splits.npy", assigned.astype(np.uint8))
    about = {"kind": kind, "labels": names, "entities": entities, "columns": reader.columns + note}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _hash(*parts: object) -> int:
    return int(digest(*parts)[:16], 16)


def _no_id_twice(source: _Source, reader: Reader, ids: array) -> None:
    values, counts = np.unique(np.array(ids), return_counts=True)
    twice, seen = set(values[counts > 1].tolist()), dict[int, str]()
    for split, place, row in source.rows() if twice else ():  # once more, to say where
        example = reader.example(place, row)
        key = _hash(SPLIT_OF.get(split or row.get("split") or ""), example.get("id"))
        if key in seen:
            raise PtmError(f"{place}: the id {example['id']!r} was given before, in {seen[key]}")
        seen |= {key: place} if key in twice else {}
