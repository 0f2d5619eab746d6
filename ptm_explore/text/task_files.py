"""Labelled rows out of files: tables, JSON lines, JSON documents, CoNLL and CoNLL-U, also compressed.

Every reader yields `(place, row)` in constant memory: where it stands in the file, for error messages, and a
dict with the keys that the format names. A row that cannot be used raises a `PtmError`: nothing is half-read.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ptm_explore.errors import PtmError
from ptm_explore.text import readers
from ptm_explore.text.readers import open_bytes

Rows = Iterator[tuple[str, dict[str, Any]]]
SPLITS = ("train", "dev", "test")
SPELT = ("train training trn", "dev valid validation val", "test tst eval")
SPLIT_OF = {name: split for split, names in zip(SPLITS, SPELT, strict=True) for name in names.split()}


def format_of(path: Path) -> str | None:
    """A key of READERS by the name's ending, whatever the compression; None for other files."""
    return readers.format_of(path.with_name(path.name.lower().replace(".conll.txt", ".conll")), READERS)


def split_of(path: Path) -> str | None:
    """train, dev or test, if a part of the file's name says so: en_ewt-ud-dev.conllu."""
    found = {SPLIT_OF[part] for part in re.split(r"[^a-z]+", path.name.lower()) if part in SPLIT_OF}
    return found.pop() if len(found) == 1 else None


def find(path: Path) -> list[tuple[Path, str | None]]:
    """The files of a task, each with its split, if names tell: one file, or those of a folder."""
    if path.is_file():
        if not format_of(path):
            raise PtmError(f"cannot read {path}: its name must end in {readers.formats(READERS)}")
        return [(path, None)]
    if not path.is_dir():
        raise PtmError(f"no such file or folder: {path} (looked in {Path.cwd()})")
    files = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != "." and format_of(p))
    named: list[tuple[Path, str | None]] = [
        (f, split) for split in SPLITS for f in files if split_of(f) == split
    ]
    found = {split for _, split in named}
    if "train" in found or len(found) > 1:
        return named
    if len(files) == 1:
        return [(files[0], None)]
    names = ", ".join(file.name for file in files[:12]) or "nothing that can be read"
    asked = f"a folder has files named train, dev and test (any of {readers.formats(READERS)}), or one file"
    raise PtmError(f"{path} is no task: {asked}. It holds {names}. Give one of them")


def read(path: Path, tags: str | None = None) -> Rows:
    """The rows of one file. `tags` names the column of a CoNLL file, if not the last (CoNLL-U: upos)."""
    with readers.reading(path):
        yield from READERS[format_of(path) or ""](path, tags)


def refuse(where: object, reason: str) -> NoReturn:
    raise PtmError(f"{where}: {reason}")


def _rows(path: Path, tags: str | None) -> Rows:
    for line, row in readers.rows(path):
        if isinstance(row, str):
            refuse(f"{path}, line {line}", row)
        yield f"{path}, line {line}", row


def _parquet(path: Path, tags: str | None) -> Rows:
    import pyarrow.parquet as parquet

    number = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row


def _json(path: Path, tags: str | None) -> Rows:
    """A list of objects; SQuAD's {"data": [...]}; or {"train": [[text, label], ...], "val": ..., ...}."""
    import ijson

    with open_bytes(path) as stream:
        first = next(ijson.basic_parse(stream), ("", None))[0]
    if first not in ("start_array", "start_map"):
        refuse(path, "a task in JSON is a list of objects, or an object of lists")
    if first == "start_array":
        for number, entry in enumerate(_items(path, "item"), 1):
            yield f"{path}, entry {number}", _entry(entry, f"{path}, entry {number}")
        return
    with open_bytes(path) as stream:
        keys = [value for prefix, event, value in ijson.parse(stream) if (prefix, event) == ("", "map_key")]
    if "data" in keys:
        for number, article in enumerate(_items(path, "data.item"), 1):
            yield from _squad(article, f"{path}, article {number}")
        return
    if not set(keys) & set(SPLIT_OF):
        refuse(path, f"its keys are {', '.join(keys[:9])}; a task has 'data' (SQuAD) or train, val, test")
    for key in keys:
        for number, entry in enumerate(_items(path, f"{key}.item"), 1):
            place = f"{path}, {key} {number}"
            if isinstance(entry, list) and len(entry) == 2:
                entry = dict(zip(("text", "label"), entry, strict=True))
            yield place, {**_entry(entry, place), "split": key}


def _items(path: Path, prefix: str) -> Iterator[Any]:
    import ijson

    with open_bytes(path) as stream:
        yield from ijson.items(stream, prefix, use_float=True)


def _entry(entry: Any, place: str) -> dict:
    if not isinstance(entry, dict):
        refuse(place, f"{entry!r:.60} is no JSON object")
    if isinstance(entry.get("userInput"), dict):  # restaurant8k: a start of 0 is left out
        spans = [
            {"label": label["slot"], "start": 0, "end": 0, **_renamed(label.get("valueSpan", {}))}
            for label in entry.get("labels", [])
        ]
        return {"text": entry["userInput"].get("text"), "spans": spans}
    return entry


def _renamed(span: dict) -> dict:
    return {key.removesuffix("Index"): value for key, value in span.items()}


def _squad(article: Any, place: str) -> Rows:
    try:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = question.get("answers", [])
                yield (
                    f"{place}, question {question.get('id')}",
                    {
                        "id": question.get("id"),
                        "question": question["question"],
                        "context": paragraph["context"],
                        "answers": {key: [a[key] for a in answers] for key in ("text", "answer_start")},
                    },
                )
    except (KeyError, TypeError, AttributeError) as error:
        refuse(place, f"not as SQuAD has it: paragraphs, each with a context and qas ({error!r})")


def _conll(path: Path, tags: str | None) -> Rows:
    """Words with a tag each, a blank line between sentences; the tag is in the last column, or in `tags`."""
    columns = 0
    for place, lines in _blocks(path):
        fields = [(line, text.split("\t" if "\t" in text else None)) for line, text in lines]
        fields = [(line, f) for line, f in fields if f[0] != "-DOCSTART-"]
        for line, found in fields:
            columns = columns or len(found)
            if len(found) != columns or columns < 2:
                refuse(
                    f"{path}, line {line}", f"{len(found)} columns, others have {columns}; a word and its tag"
                )
        if fields:
            which = _column(tags, columns, place)
            yield place, {"tokens": [f[0] for _, f in fields], "tags": [f[which] for _, f in fields]}


def _column(tags: str | None, columns: int, place: str) -> int:
    if tags is None:
        return columns - 1
    if not tags.isdigit() or not 2 <= int(tags) <= columns:
        refuse(
            place, f"label={tags!r}: a CoNLL file has no names; give a column's number from 2 to {columns}"
        )
    return int(tags) - 1


CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


def _conllu(path: Path, tags: str | None) -> Rows:
    """Words with their class, or another column; the spaces between them are as the text had them."""
    if (tags or "upos") not in CONLLU:
        refuse(path, f"label={tags!r}: CoNLL-U has the columns {', '.join(CONLLU)}")
    which = CONLLU.index(tags or "upos")
    for place, lines in _blocks(path):
        tokens, labels, spaces, until = [], [], [], 0
        row: dict[str, Any] = {}
        for line, text in lines:
            if text[0] == "#":
                key, _, value = text[1:].partition("=")
                row |= {"id": value.strip()} if key.strip() == "sent_id" else {}
                continue
            fields = text.split("\t")
            if len(fields) != len(CONLLU):
                refuse(f"{path}, line {line}", f"{len(fields)} columns; CoNLL-U has {len(CONLLU)}")
            number, space = fields[0], "SpaceAfter=No" not in fields[9]
            if "-" in number:  # two words written as one: can't. Its space comes after the last of them
                until, spaced = int(number.split("-")[1]), space
            elif "." not in number:  # else an empty node
                tokens.append(fields[1])
                labels.append(fields[which])
                within = int(number) <= until
                spaces.append(spaced and int(number) == until if within else space)
        if tokens:
            yield place, {**row, "tokens": tokens, "tags": labels, "spaces": spaces}


def _blocks(path: Path) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Where each run of lines begins, and the lines of it with their numbers."""
    block: list[tuple[int, str]] = []
    with open_bytes(path) as stream:
        for line, raw in enumerate(stream, 1):
            text = raw.removeprefix(readers.BOM).decode("utf-8").rstrip("\r\n")
            if text.strip():
                block.append((line, text))
            elif block:
                yield f"{path}, line {block[0][0]}", block
                block = []
    if block:
        yield f"{path}, line {block[0][0]}", block


READERS = dict.fromkeys((".csv", ".tsv", ".jsonl"), _rows) | {".parquet": _parquet, ".json": _json}
READERS |= {".conll": _conll, ".conllu": _conllu}
