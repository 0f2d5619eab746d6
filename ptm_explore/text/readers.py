"""Documents out of files: .txt, .jsonl, .csv, .tsv (also .gz, .xz, .zst) and .parquet, in constant memory.

Every reader yields one string per document or row; what it cannot read it counts in `skipped`, and goes on.
"""

import csv
import gzip
import io
import itertools
import json
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ptm_explore.errors import PtmError

DOCUMENT = 4_000  # characters of running text after which a .txt document ends
PREFERRED = ("text", "content", "sentence", "body", "document", "article", "passage", "story", "review")
PEEK = 50  # rows read to guess the text field
BOM = b"\xef\xbb\xbf"  # what Windows puts before UTF-8
COMPRESSIONS = (".gz", ".xz", ".zst")
UNDECODABLE = "bytes that are not UTF-8"


def format_of(path: Path, known: Container[str] = ()) -> str | None:
    """One of `known`, else of the keys of READERS, by the name's ending, whatever the compression (.parquet
    has its own); None for other files."""
    packed = path.suffix.lower() in COMPRESSIONS
    suffix = Path(path.stem if packed else path).suffix.lower()
    return suffix if suffix in (known or READERS) and not (packed and suffix == ".parquet") else None


def formats(known: Iterable[str] = ()) -> str:
    """What names may end in, in words."""
    return f"{', '.join(known or READERS)} (all but .parquet also with {', '.join(COMPRESSIONS)})"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A `PtmError` if the file is damaged."""
    import ijson  # these for the names of their errors
    import pyarrow
    import zstandard

    damaged = (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError, pyarrow.ArrowException)
    try:
        yield
    except (*damaged, UnicodeDecodeError, ijson.JSONError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        advice = "The file is damaged, cut short or of another format; get it again"
        raise PtmError(f"cannot read {path}: {reason}. {advice}") from error


def read(path: Path, text_field: str | None, skipped: Counter) -> Iterator[str]:
    """The documents of one file; a `PtmError` if it is damaged or has no such text field."""
    with reading(path):
        yield from READERS[format_of(path) or ".txt"](path, text_field, skipped)


def guess_field(rows: list[dict], text_field: str | None, where: object, names: Iterable[str] = ()) -> str:
    """The field that holds the text: the one asked for, a well-known name (unless it only holds a number or
    the like, beside a field with far more to say), or the one with most to say."""
    names = list(dict.fromkeys([*names, *itertools.chain.from_iterable(rows)]))
    if text_field is not None and text_field in names:
        return text_field
    length: Counter = Counter()  # characters in the rows seen
    for row in rows:
        length.update({name: len(text) for name, value in row.items() if (text := as_text(value))})
    if text_field is not None or not length:
        missing = "with text" if text_field is None else repr(text_field)
        raise PtmError(f"{where} has no field {missing}. Its fields: {', '.join(map(str, names))}.")
    longest, most = length.most_common(1)[0]
    enough = min(20 * len(rows), most / 30)
    known = [n for wanted in PREFERRED for n in length if n.lower() == wanted and length[n] >= enough]
    return known[0] if known else longest


def as_text(value: object) -> str | None:
    """A string, or a list of strings (pages, paragraphs) joined by newlines; None for anything else."""
    parts: Any = [value] if isinstance(value, str) else value
    known = isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts)
    return "\n".join(parts) if known else None


def encodable(text: str) -> bool:
    """Whether it holds no lone surrogate: bytes that were not UTF-8, or half of an emoji in JSON."""
    return re.search("[\ud800-\udfff]", text) is None


def from_rows(rows: Iterable[dict], text_field: str | None, where: object, skipped: Counter) -> Iterator[str]:
    """The text of each row; the field is chosen on the first rows."""
    rows = iter(rows)
    head = list(itertools.islice(rows, PEEK))
    if not head:
        return
    field = guess_field(head, text_field, where)
    for row in itertools.chain(head, rows):
        text = as_text(row.get(field))
        if text is None:
            skipped["empty" if row.get(field) is None else "broken"] += 1
        else:
            yield text


def open_bytes(path: Path) -> BinaryIO:
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    file = openers.get(path.suffix.lower(), open)(path, "rb")
    if path.suffix.lower() != ".zst":
        return file
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)  # it closes the file
    return cast(BinaryIO, io.BufferedReader(reader, 1 << 17))


def _text(path: Path, text_field: str | None, skipped: Counter) -> Iterator[str]:
    """Runs of paragraphs, cut at a blank line after DOCUMENT characters, or at any line after twice that."""
    lines: list[str] = []
    size = 0
    with open_bytes(path) as stream:
        for raw in _lines(stream):
            try:
                line = raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
            except UnicodeDecodeError:
                skipped["undecodable"] += 1
                continue
            if lines or line.strip():
                lines.append(line)
                size += len(line)
            if size >= 2 * DOCUMENT or (size >= DOCUMENT and not line.strip()):
                yield "".join(lines).rstrip()
                lines, size = [], 0
    if size:
        yield "".join(lines).rstrip()


_SENTENCE_END = re.compile(rb"[.!?]\s|\xe3\x80\x82")  # the last is the ideographic full stop
_LAST_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]{0,3}\Z")  # if not ASCII; it may be incomplete


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines without the byte order mark; one longer than DOCUMENT bytes comes in pieces.

    A piece ends after a sentence if one ends in its second half, else after a space, else after a character.
    """
    rest, piece = b"", stream.readline(DOCUMENT).removeprefix(BOM)
    while piece:
        piece, rest = rest + piece, b""
        if not piece.endswith(b"\n") and len(piece) >= DOCUMENT:
            ends = [m.end() for m in _SENTENCE_END.finditer(piece, len(piece) // 2)]
            cut = ends[-1] if ends else piece.rfind(b" ") + 1 or len(_LAST_CHARACTER.split(piece)[0])
            piece, rest = piece[:cut], piece[cut:]
        yield piece
        piece = stream.readline(DOCUMENT)
    if rest:
        yield rest


def _rows(path: Path, text_field: str | None, skipped: Counter) -> Iterator[str]:
    def good() -> Iterator[dict]:
        for _, row in rows(path, text_field or "text"):
            if isinstance(row, dict):
                yield row
            else:
                skipped["undecodable" if row == UNDECODABLE else "broken"] += 1

    return from_rows(good(), text_field, path, skipped)


def rows(path: Path, bare: str = "text") -> Iterator[tuple[int, dict | str]]:
    """The rows of JSON lines or of a table, each with its line; instead of one that cannot be used, why."""
    return _json_rows(path, bare) if format_of(path) == ".jsonl" else _table_rows(path)


def _json_rows(path: Path, bare: str) -> Iterator[tuple[int, dict | str]]:
    """A bare string is a row with the one field `bare`."""
    with open_bytes(path) as stream:
        for line, raw in enumerate(stream, 1):
            raw = raw.removeprefix(BOM)
            if not raw.strip():
                continue
            try:
                row = json.loads(raw.decode("utf-8"))
            except UnicodeDecodeError:
                yield line, UNDECODABLE
            except (ValueError, RecursionError):
                yield line, "no JSON object"
            else:
                row = {bare: row} if isinstance(row, str) else row
                yield line, row if isinstance(row, dict) else "no JSON object"


def _table_rows(path: Path) -> Iterator[tuple[int, dict | str]]:
    """CSV as spreadsheets write it; in TSV a quote is an ordinary character unless it wraps a whole field.
    Undecodable bytes come as lone surrogates."""
    tabs = format_of(path) == ".tsv"
    csv.field_size_limit(2**31 - 1)  # the default ends at 131,072 characters
    with io.TextIOWrapper(open_bytes(path), "utf-8-sig", errors="surrogateescape", newline="") as stream:
        table = csv.reader(stream, _Tabs if tabs else csv.excel)
        header = next(table, [])
        while True:
            try:
                row = next(table, None)
            except csv.Error as error:
                yield table.line_num, f"broken: {error}"
                continue
            if row is None:
                return
            if row and len(row) != len(header):
                yield table.line_num, f"{len(row)} columns, the header has {len(header)}"
            elif row:
                yield table.line_num, dict(zip(header, map(_unquote, row) if tabs else row, strict=True))


class _Tabs(csv.excel_tab):
    quoting = csv.QUOTE_NONE


def _unquote(field: str) -> str:
    wrapped = re.fullmatch(r'"((?:[^"]|"")*)"', field) if field.startswith('"') else None
    return wrapped[1].replace('""', '"') if wrapped else field


def _parquet(path: Path, text_field: str | None, skipped: Counter) -> Iterator[str]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        head = next(file.iter_batches(PEEK), None) if text_field is None else None
        field = guess_field(head.to_pylist() if head else [], text_field, path, file.schema_arrow.names)

        def cells() -> Iterator[dict]:
            batches = file.iter_batches(1000, columns=[field])
            for cell in (cell for batch in batches for cell in batch.column(0)):
                try:
                    yield {field: cell.as_py()}
                except UnicodeDecodeError:
                    skipped["undecodable"] += 1

        yield from from_rows(cells(), field, path, skipped)


READERS = {".txt": _text, ".jsonl": _rows, ".csv": _rows, ".tsv": _rows, ".parquet": _parquet}
