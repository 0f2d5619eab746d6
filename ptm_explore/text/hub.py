"""Data sets of the Hugging Face hub, or local folders, through the package `datasets`."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ptm_explore.errors import PtmError
from ptm_explore.text import readers
from ptm_explore.text.cache import digest, file_digest

METRIC_OF = {"hf:glue:cola": "matthews", "hf:glue:stsb": "spearman"}  # where it is not the kind's own


Read = Callable[[Counter], Iterator[str]]
Rows = Callable[[], Iterator[tuple[str, str, dict]]]


def open_dataset(source: str, text_field: str | None) -> tuple[Read, Callable[[], str]]:
    """How to read the split "train" of "hf:name[:config]" as documents, and its key."""
    builder, stream = _open(source, "train")

    def read(skipped: Counter) -> Iterator[str]:
        return readers.from_rows(_rows(stream, source), text_field, source, skipped)

    return read, lambda: digest("hf", _key(builder, source), text_field)


def open_task(source: str) -> tuple[str, Rows, tuple[str, ...], str | None]:
    """Of "hf:name[:config]" its key, how to read (split, place, row), the names of its labels in their order,
    and its metric, if it has one of its own. What is stored as the number of a name comes as the name; -1,
    by which test sets hide their labels, as None."""
    builder, streams = _open(source, None)
    features = next(iter(streams.values())).features or {}
    spelt = {column: getattr(getattr(f, "feature", f), "names", None) for column, f in features.items()}
    names: dict[str, list[str]] = {column: known for column, known in spelt.items() if known}

    def rows() -> Iterator[tuple[str, str, dict]]:
        for split, stream in streams.items():
            for number, row in enumerate(_rows(stream, source), 1):
                spelt = {column: _spelt(row.get(column), known) for column, known in names.items()}
                yield split.partition("_")[0], f"{source}, {split} {number}", row | spelt

    order = next((tuple(known) for column, known in names.items() if column in ("label", "labels")), ())
    return digest("hf task", _key(builder, source)), rows, order, METRIC_OF.get(source)


def _spelt(value: object, names: list[str]) -> object:
    if isinstance(value, list):
        return [_spelt(one, names) for one in value]
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return value


def _open(source: str, split: str | None):
    """Its builder and a stream of the split, or of each; without a network, what `datasets` has cached."""
    name, _, config = source.removeprefix("hf:").partition(":")
    if not name:
        raise PtmError("'hf:' wants the name of a data set, for example 'hf:roneneldan/TinyStories'")
    try:
        import datasets
    except ImportError as error:
        raise PtmError(f"{source!r} needs the package datasets: pip install datasets ({error})") from error
    which = f"{name!r} ({config})" if config else repr(name)
    advice = ". Check the name on huggingface.co/datasets and your network, or give a path to files instead."
    with _told(f"cannot open the data set {which}", advice):
        builder = datasets.load_dataset_builder(name, config or None)
        return builder, builder.as_streaming_dataset(split)


def _rows(stream, source: str) -> Iterator[dict]:
    with _told(f"reading {source!r} failed"):
        yield from stream


@contextmanager
def _told(what: str, advice: str = "") -> Iterator[None]:
    """Errors of `datasets`, which raises many kinds (no network, no such name, config or split), as ours."""
    try:
        yield
    except Exception as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise PtmError(f"{what}: {type(error).__name__}: {reason}{advice}") from error


def _key(builder, source: str) -> str:
    name = source.removeprefix("hf:").partition(":")[0]
    files = sorted(p for p in Path(name).rglob("*") if p.is_file()) if Path(name).is_dir() else []
    revision = map(file_digest, files) if files else [builder.hash]  # of the data on the hub
    return digest(name, builder.config.name, *revision)
