"""Labelled rows out of files: tables, JSON lines, JSON documents, CoNLL and CoNLL-U, also compressed.

Every reader yields `(place, row)` in constant memory: where it stands in the file, for error messages, and a
dict with the keys that the format names. A row that cannot be used raises a `PtmError`: nothing is half-read.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ptm_explore.errors import PtmError
from ptm_explore.text import readers

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


def find(path: Path) -> Sequence[tuple[Path, str | None]]:
    """The files of a task, each with its split, if names tell: one file, or those of a folder."""
    if path.is_file():
        if not format_of(path):
            raise PtmError(f"cannot read {path}: its name must end in {readers.formats(READERS)}")
        return [(path, None)]
    if not path.is_dir():
        raise PtmError(f"no such file or folder: {path} (looked in {Path.cwd()})")
    files = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != "." and format_of(p))
    named = [(file, split) for split in SPLITS for file in files if split_of(file) == split]
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

    with parquet.ParquetFile(path) as file:
        for number, row in enumerate((row for batch in file.iter_batches() for row in batch.to_pylist()), 1):
            yield f"{path}, row {number}", row


def _json(path: Path, tags: str | None) -> Rows:
    """A list of objects; SQuAD's {"data": [...]}; or {"train": [[text, label], ...], "val": ..., ...}."""
    import ijson

    with readers.open_bytes(path) as stream:
        top = ((event, value) for prefix, event, value in ijson.parse(stream) if not prefix)
        first, _ = next(top, ("", None))
        keys = [value for event, value in top if event == "map_key"] if first == "start_map" else []
    if first == "start_array":
        for place, entry in _items(path, "item", "entry"):
            yield place, _entry(entry, place)
    elif "data" in keys:
        for place, article in _items(path, "data.item", "article"):
            yield from _squad(article, place)
    elif set(keys) & set(SPLIT_OF):
        for key in keys:
            for place, entry in _items(path, f"{key}.item", key):
                if isinstance(entry, list) and len(entry) == 2:
                    entry = dict(zip(("text", "label"), entry, strict=True))
                yield place, {**_entry(entry, place), "split": key}
    else:
        others = f"its keys are {', '.join(keys[:9])}; a task has 'data' (SQuAD) or train, val, test"
        refuse(path, others if keys else "a task in JSON is a list of objects, or an object of lists")


def _items(path: Path, prefix: str, name: str) -> Iterator[tuple[str, Any]]:
    import ijson

    with readers.open_bytes(path) as stream:
        for number, item in enumerate(ijson.items(stream, prefix, use_float=True), 1):
            yield f"{path}, {name} {number}", item


def _entry(entry: Any, place: str) -> dict:
    if not isinstance(entry, dict):
        refuse(place, f"{entry!r:.60} is no JSON object")
    if not isinstance(entry.get("userInput"), dict):
        return entry
    spans = []  # of restaurant8k: a start of 0 is left out
    for label in entry.get("labels", []):
        at = label.get("valueSpan", {})
        spans.append({"label": label["slot"], "start": at.get("startIndex", 0), "end": at.get("endIndex", 0)})
    return {"text": entry["userInput"].get("text"), "spans": spans}


def _squad(article: Any, place: str) -> Rows:
    try:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                row = {"id": asked.get("id"), "question": asked["question"], "context": paragraph["context"]}
                given = asked.get("answers", [])
                answers = {key: [answer[key] for answer in given] for key in ("text", "answer_start")}
                yield f"{place}, question {row['id']}", {**row, "answers": answers}
    except (KeyError, TypeError, AttributeError) as error:
        refuse(place, f"not as SQuAD has it: paragraphs, each with a context and qas ({error!r})")


def _conll(path: Path, tags: str | None) -> Rows:
    """Words with a tag each, a blank line between sentences; the tag is in the last column, or in `tags`."""
    columns = 0
    for lines in _blocks(path):
        sentence = []
        for place, text in lines:
            fields = text.split("\t" if "\t" in text else None)
            if fields[0] == "-DOCSTART-":
                continue
            columns = columns or len(fields)
            if len(fields) != columns or columns < 2:
                refuse(place, f"{len(fields)} columns, others have {columns}; a word and its tag")
            sentence.append(fields)
        if tags is not None and sentence and not (tags.isdigit() and 2 <= int(tags) <= columns):
            advice = f"a CoNLL file has no names; give a column's number from 2 to {columns}"
            refuse(lines[0][0], f"label={tags!r}: {advice}")
        if sentence:
            which = int(tags or columns) - 1
            yield lines[0][0], {"tokens": [f[0] for f in sentence], "tags": [f[which] for f in sentence]}


CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


def _conllu(path: Path, tags: str | None) -> Rows:
    """Words with their class, or another column; the spaces between them are as the text had them."""
    if (tags or "upos") not in CONLLU:
        refuse(path, f"label={tags!r}: CoNLL-U has the columns {', '.join(CONLLU)}")
    which = CONLLU.index(tags or "upos")
    for lines in _blocks(path):
        row: dict[str, Any] = {"tokens": [], "tags": [], "spaces": []}
        until = 0
        for place, text in lines:
            if text[0] == "#":
                key, _, value = text[1:].partition("=")
                row |= {"id": value.strip()} if key.strip() == "sent_id" else {}
                continue
            fields = text.split("\t")
            if len(fields) != len(CONLLU):
                refuse(place, f"{len(fields)} columns; CoNLL-U has {len(CONLLU)}")
            number, space = fields[0], "SpaceAfter=No" not in fields[9]
            if "-" in number:  # two words written as one: can't. Its space comes after the last of them
                until, spaced = int(number.split("-")[1]), space
            elif "." not in number:  # else an empty node
                row["tokens"].append(fields[1])
                row["tags"].append(fields[which])
                row["spaces"].append(spaced and int(number) == until if int(number) <= until else space)
        if row["tokens"]:
            yield lines[0][0], row


def _blocks(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Each run of lines that are not blank, with their places."""
    with readers.open_bytes(path) as stream:
        texts = (raw.removeprefix(readers.BOM).decode("utf-8").rstrip("\r\n") for raw in stream)
        lines = ((f"{path}, line {number}", text) for number, text in enumerate(texts, 1))
        for blank, block in itertools.groupby(lines, lambda line: not line[1].strip()):
            if not blank:
                yield list(block)


READERS = dict.fromkeys((".csv", ".tsv", ".jsonl"), _rows) | {".parquet": _parquet, ".json": _json}
READERS |= {".conll": _conll, ".conllu": _conllu}
