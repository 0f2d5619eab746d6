"""Every format gives the documents that were written, bad input is counted or named, memory stays flat."""

import csv
import gzip
import inspect
import io
import json
import lzma
import os
import subprocess
import sys
import tracemalloc
from itertools import islice

import pytest

from ptm_explore.errors import PtmError
from ptm_explore.text import pydocs, readers
from ptm_explore.text.corpora import corpus

TEXTS = [
    "The cat sat. It slept.",
    'She said "no", twice,\nand left.',
    "Ünïcode: 日本語, café, 😀.",
    "Tab\tinside a text.",
]


def _compress(path, suffix, data: bytes):
    import zstandard

    packers = {
        "": bytes,
        ".gz": gzip.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.ZstdCompressor().compress,
    }
    target = path.with_name(path.name + suffix)
    target.write_bytes(packers[suffix](data))
    return target


def _encoded(kind: str, texts: list[str], field: str = "text") -> bytes:
    if kind == "jsonl":
        return "\n".join(json.dumps({"id": f"row-{i}", field: t}) for i, t in enumerate(texts)).encode()
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, delimiter="," if kind == "csv" else "\t")
    table.writerow(["id", field])
    table.writerows([f"row-{i}", t] for i, t in enumerate(texts))
    return buffer.getvalue().encode()


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_rows_come_back_from_every_compression(tmp_path, kind, suffix):
    path = _compress(tmp_path / f"data.{kind}", suffix, _encoded(kind, TEXTS))
    assert list(corpus(path).documents()) == TEXTS
    assert list(corpus(str(path), text_field="id").documents()) == [f"row-{i}" for i in range(len(TEXTS))]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_tsv_and_txt_in_every_compression(tmp_path, suffix):
    rows = ['the "new conan" is here', '"unbalanced at the start', "plain"]
    data = "label\tsentence\n" + "".join(f"pos\t{r}\n" for r in rows) + 'neg\t"wrapped ""whole"" field"\n'
    path = _compress(tmp_path / "data.tsv", suffix, data.encode())
    assert list(corpus(path).documents()) == [*rows, 'wrapped "whole" field']
    path = _compress(tmp_path / "data.txt", suffix, b"One.\n\nTwo.\r\nThree.")
    assert list(corpus(path).documents()) == ["One.\n\nTwo.\nThree."]


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    path = tmp_path / "data.parquet"
    pages = [["Page one.", "Page two."]] * len(TEXTS)
    table = pa.table({"n": range(len(TEXTS)), "content": TEXTS, "title": ["x"] * len(TEXTS), "pages": pages})
    parquet.write_table(table, path)
    assert list(corpus(path).documents()) == TEXTS
    assert next(corpus(path, "pages").documents()) == "Page one.\nPage two."
    with pytest.raises(PtmError, match=r"no field 'body'.*n, content, title, pages"):
        list(corpus(path, "body").documents())
    parquet.write_table(table.select(["n"]), path)
    with pytest.raises(PtmError, match=r"no field with text.*n"):
        list(corpus(path).documents())


def test_the_text_field_is_guessed(tmp_path):
    rows = [{"id": "a" * 9, "notes": "long " * 20, "Sentence": "Short."}, {"id": "b", "notes": None}]
    where = "rows"
    assert readers.guess_field(rows, None, where) == "Sentence"
    assert (
        readers.guess_field([{"id": "ab", "review_body": "much longer", "n": 5}], None, where)
        == "review_body"
    )
    assert readers.guess_field(rows, "id", where) == "id"
    pages = ["A very tall man went home and was glad of it."] * 4
    numbered = [{"story": f"{i:04}", "pages": pages} for i in range(9)]
    assert readers.guess_field(numbered, None, where) == "pages"  # a well-known name that only numbers
    with pytest.raises(PtmError, match="no field with text"):
        readers.guess_field([{"n": 1}], None, where)


def test_what_cannot_be_read_is_counted_and_skipped(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "First."}\n{"text": "caf\xe9"}\n{"text": \n[1, 2]\n{"text": "  "}\n\n'
        b'{"text": null}\n{"text": 5}\n{"text": "half \\ud83d"}\n"A bare string."\n{"text": "Last."}'
    )
    read = corpus(path)
    for _ in range(2):  # the counts are of one reading
        assert list(read.documents()) == ["First.", "A bare string.", "Last."]
        assert read.skipped == {"undecodable": 2, "broken": 3, "empty": 2}

    path = tmp_path / "data.csv"
    path.write_bytes(b"\xef\xbb\xbftext,n\nGood.,1\ncaf\xe9,2\ntoo,many,fields\n,4\nLast.,5\n")
    read = corpus(path)
    assert list(read.documents()) == ["Good.", "Last."]
    assert read.skipped == {"undecodable": 1, "broken": 1, "empty": 1}

    path = tmp_path / "data.txt"
    path.write_bytes(b"\xef\xbb\xbfGood line.\ncaf\xe9\nLast line.\n")
    read = corpus(path)
    assert list(read.documents()) == ["Good line.\nLast line."]
    assert read.skipped == {"undecodable": 1}


@pytest.mark.parametrize("separator", ["\n\n", "\n", " ", ""])
def test_running_text_is_cut_into_documents_and_nothing_is_lost(tmp_path, separator):
    paragraph = "Ein schöner Tag — so sagte er. " * 12
    path = tmp_path / "book.txt"
    path.write_text(separator.join(paragraph.strip() for _ in range(200)), "utf-8")
    read = corpus(path)
    documents = list(read.documents())
    assert not read.skipped
    assert "".join("".join(documents).split()) == "".join(path.read_text("utf-8").split())
    assert all(readers.DOCUMENT / 2 <= len(d) <= 3 * readers.DOCUMENT for d in documents[:-1])
    assert all(d.endswith(".") for d in documents)  # a sentence is never cut


def test_text_without_spaces_is_cut_between_characters(tmp_path):
    path = tmp_path / "line.txt"
    path.write_text("日本語テキスト" * 5_000, "utf-8")
    read = corpus(path)
    assert "".join(read.documents()) == "日本語テキスト" * 5_000
    assert not read.skipped


def test_very_long_csv_fields(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("text\n" + "word " * 60_000 + "\n", "utf-8")
    assert [len(t) for t in corpus(path).documents()] == [300_000]


def test_folders_and_globs(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.txt").write_text("Hidden.")
    (tmp_path / "README.md").write_text("# Not text")
    (tmp_path / "z.txt").write_text("Z.")
    (tmp_path / "b" / "a.TXT").write_text("A.")
    assert list(corpus(tmp_path).documents()) == ["A.", "Z."]
    assert list(corpus(f"{tmp_path}/*").documents()) == ["Z."]
    assert list(corpus(f"{tmp_path}/**/*.[tT]*").documents()) == ["A.", "Z."]


def test_sources_are_mixed_evenly(tmp_path):
    for name, n in (("a", 6), ("b", 3)):
        rows = [json.dumps({"text": f"{name}{i}"}) for i in range(n)] + ["broken"]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
    mixed = corpus(f"{tmp_path}/a.jsonl + {tmp_path}/b.jsonl")
    assert " ".join(mixed.documents()) == "a0 b0 a1 a2 b1 a3 a4 b2 a5"
    assert mixed.skipped["broken"] == 2
    assert mixed.key != corpus(f"{tmp_path}/b.jsonl + {tmp_path}/a.jsonl").key
    odd = tmp_path / "c + d.txt"
    odd.write_text("A file may be called so.")
    assert list(corpus(str(odd)).documents()) == ["A file may be called so."]
    with pytest.raises(PtmError, match="'wrold'"):
        corpus("world + wrold")


def test_the_key_follows_content_and_options_not_place(tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(_encoded("jsonl", TEXTS))
    second.write_bytes(_encoded("jsonl", TEXTS))
    assert corpus(first).key == corpus(second).key
    assert corpus(first).key != corpus(first, "id").key
    second.write_bytes(_encoded("jsonl", TEXTS[:-1]))
    assert corpus(first).key != corpus(second).key
    assert corpus(TEXTS).key == corpus(tuple(TEXTS)).key != corpus(TEXTS[::-1]).key
    assert corpus(["ab", "c"]).key != corpus(["a", "bc"]).key


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("wrold", "unknown corpus 'wrold'. Did you mean 'world'"),
        ("no/such/folder", "no such file"),
        ("nothing*.txt", "no such file"),
        ("world:lots", "no size I understand"),
        ("world:0", "no size I understand"),
        ("hf:", "wants the name"),
        (7, "not int"),
        (None, "not NoneType"),
        (["good", None], "item 1 is NoneType"),
    ],
)
def test_wrong_sources(source, message):
    with pytest.raises(PtmError, match=message):
        corpus(source)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(PtmError, match=r"holds no file that can be read.*\.jsonl"):
        corpus(tmp_path)
    (tmp_path / "notes.docx").write_bytes(b"PK")
    with pytest.raises(PtmError, match="must end in"):
        corpus(tmp_path / "notes.docx")
    whole = {
        ".gz": gzip.compress(b"text " * 9_000),
        ".xz": lzma.compress(os.urandom(5_000)),
    }
    for suffix, data in whole.items():
        path = tmp_path / f"cut.txt{suffix}"
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(PtmError, match=f"cannot read .*cut.txt{suffix}"):
            list(corpus(path).documents())
    for name in ("bad.txt.gz", "bad.txt.xz", "bad.txt.zst", "bad.parquet"):
        (tmp_path / name).write_bytes(b"this is none of these formats")
        with pytest.raises(PtmError, match=f"cannot read .*{name}"):
            list(corpus(tmp_path / name).documents())


@pytest.mark.parametrize("kind", ["txt", "jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    path = tmp_path / f"big.{kind}"
    line = "All work and no play makes Jack a dull boy. " * 20
    with open(path, "w") as file:
        for _ in range(30_000_000 // len(line)):
            file.write(json.dumps({"text": line}) + "\n" if kind == "jsonl" else line)
    read = corpus(path)
    tracemalloc.start()
    try:
        n = sum(map(len, read.documents()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n > 29_000_000
    assert peak < 2_000_000


def test_prose_is_told_from_code():
    docstring = """Return the sum of the values, or zero if there are none of them.

    The ``values`` are added from left to right by :func:`operator.add`, which
    may be slow for a `very long list`.

    >>> total([1, 2])
    3

    Args:
        values: The values that are added together here.

    Parameters
    ----------
    values : list of int

    .. note:: A directive is not prose, although it reads like a sentence.

        This paragraph is indented code, although it reads like a sentence.

    - a list item that looks like a sentence but is really not one at all.

    Short one.
    """
    assert pydocs.paragraphs(inspect.cleandoc(docstring)) == [
        "Return the sum of the values, or zero if there are none of them.",
        "The values are added from left to right by operator.add, which may be slow for a very long list.",
        "This paragraph is indented code, although it reads like a sentence.",
    ]


def test_docstrings_are_read_without_importing():
    source = '"""Module."""\nraise SystemExit\nclass A:\n  """Class."""\n  def f(self):\n    """Method."""\n'
    assert list(pydocs.docstrings(source)) == ["Module.", "Class.", "Method."]
    assert list(pydocs.docstrings("def broken(:")) == []


def test_pydocs_are_harvested_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PTM_CACHE", str(tmp_path))
    raw = ["One two three four five six seven eight nine.", "Another text of some eight words or even more."]
    monkeypatch.setattr(pydocs, "_raw_documents", lambda: iter([raw[0], raw[0], "\n\n".join(raw)]))
    read = corpus("pydocs")
    assert list(read.documents()) == raw
    monkeypatch.setattr(pydocs, "_raw_documents", lambda: pytest.fail("harvested again"))
    assert list(read.documents()) == raw


@pytest.mark.slow
def test_pydocs_hold_megabytes_of_prose():
    documents = list(corpus("pydocs").documents())
    assert sum(map(len, documents)) > 3_000_000
    assert len(documents) == len(set(documents))


def test_world_has_the_size_asked_for():
    documents = list(corpus("world:3k").documents())
    words = [len(d.split()) for d in documents]
    assert sum(words[:-1]) < 3_000 <= sum(words)
    assert list(islice(corpus("world").documents(), len(documents))) == documents
    assert len({corpus(name).key for name in ("world:3k", "world:3000", "world:4k")}) == 2


def test_hub_data_sets_from_a_folder_and_from_the_cache_without_a_network(tmp_path):
    """In another process, because `datasets` decides about the network when it is imported."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.jsonl").write_bytes(_encoded("jsonl", TEXTS))
    code = f"""
import datasets, json, pathlib, shutil
from ptm_explore.text.corpora import corpus
from ptm_explore.errors import PtmError
folder = {str(tmp_path)!r}
local = corpus(f"hf:{{folder}}/folder")
datasets.load_dataset(f"{{folder}}/folder", cache_dir=f"{{folder}}/prepared")
prepared = next(pathlib.Path(folder, "prepared").rglob("dataset_info.json")).parent
cached = pathlib.Path(folder, "cache/someone___tiny/default/0.0.0", "a" * 40)
shutil.copytree(prepared, cached)
(cached / "folder-train.arrow").rename(cached / "tiny-train.arrow")
named = corpus("hf:someone/tiny")
try:
    corpus("hf:someone/else")
except PtmError as error:
    message = str(error)
same = local.key == corpus(local.name).key
print(json.dumps([list(local.documents()), list(named.documents()), same, message]))
"""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | offline, capture_output=True, text=True, check=True
    )
    local, named, same, message = json.loads(done.stdout.splitlines()[-1])
    assert local == named == TEXTS
    assert same
    assert "cannot open the data set 'someone/else'" in message


def test_real_data(shared_data):
    read = corpus(shared_data / "wikinews_en")
    first = list(islice(read.documents(), 50))
    assert len(first) == 50
    assert min(map(len, first)) > 0
    tsv = list(corpus(shared_data / "mr_sentence_polarity" / "mr.tsv", "sentence").documents())
    assert len(tsv) == 10_662  # the size of Pang and Lee's data set: no row is swallowed by a stray quote
