"""Data sets of the Hugging Face hub, or local folders, through the package `datasets`."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from ptm_explore.errors import PtmError
from ptm_explore.text import readers
from ptm_explore.text.cache import digest, file_digest


def open_dataset(
    source: str, text_field: str | None
) -> tuple[Callable[[Counter], Iterator[str]], Callable[[], str]]:
    """How to read "hf:name[:config]" and its key; without a network, what `datasets` has cached."""
    name, _, config = source.removeprefix("hf:").partition(":")
    if not name:
        raise PtmError("'hf:' wants the name of a data set, for example 'hf:roneneldan/TinyStories'")
    try:
        import datasets
    except ImportError as error:
        raise PtmError(f"{source!r} needs the package datasets: pip install datasets ({error})") from error

    try:
        builder = datasets.load_dataset_builder(name, config or None)
        rows = builder.as_streaming_dataset("train")
    except Exception as error:  # datasets raises many kinds: no network, no such name, config or split
        which = f"{name!r} ({config})" if config else repr(name)
        raise PtmError(
            f"cannot open the data set {which}: {_reason(error)}. Check the name on huggingface.co/datasets "
            "and your network, or give a path to files instead."
        ) from error

    def read(skipped: Counter) -> Iterator[str]:
        try:
            yield from readers.from_rows(rows, text_field, source, skipped)
        except PtmError:
            raise
        except Exception as error:
            raise PtmError(f"reading {source!r} failed: {_reason(error)}") from error

    def key() -> str:
        files = sorted(p for p in Path(name).rglob("*") if p.is_file()) if Path(name).is_dir() else []
        revision = map(file_digest, files) if files else [builder.hash]  # of the data on the hub
        return digest("hf", name, builder.config.name, text_field, *revision)

    return read, key


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
