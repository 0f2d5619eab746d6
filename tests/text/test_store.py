"""A store holds what a plain loop over the corpus would give, whatever happens while it is built."""

import errno
import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from ptm_explore.errors import PtmError
from ptm_explore.text import cache as caching
from ptm_explore.text import store as stores
from ptm_explore.text.corpora import corpus
from ptm_explore.text.sentences import sentences
from ptm_explore.text.store import cache_folder, tokenise, train_tokenizer
from ptm_explore.text.tokenizers import Tokenizer

TEXTS = [
    f"Day {i}. The {a} saw a {b} in the garden! Was it {i * 7 % 11}?"
    for i in range(40)
    for a in ("cat", "dog")
    for b in ("bird", "fish", "ball")
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, "wordpiece", 200)


def _documents(store) -> list[list[list[int]]]:
    """Documents as lists of sentences as lists of ids, by plain indexing."""
    found = []
    for first, last in pairwise(store.documents):
        bounds = store.sentences[first : last + 1]
        found.append([store.tokens[a:b].tolist() for a, b in pairwise(bounds)])
    return found


def _flat(lists: list[list]) -> list:
    return list(chain.from_iterable(lists))


def test_the_store_holds_the_corpus_in_order(tokenizer, tmp_path):
    splits = tokenise(corpus(TEXTS), tokenizer, tmp_path)
    expected = [tokenizer.ids(sentences(text)) for text in TEXTS]
    held = [stores._hash(text) % 50 == 0 for text in TEXTS]
    assert 0 < sum(held) < 20
    assert _documents(splits.train) == [d for d, h in zip(expected, held, strict=True) if not h]
    assert _documents(splits.heldout) == [d for d, h in zip(expected, held, strict=True) if h]
    for store in splits:
        assert store.tokens.dtype == np.uint16
        assert store.sentences.dtype == store.documents.dtype == store.counts.dtype == np.int64
        assert store.sentences[-1] == store.n_tokens
        assert store.documents[-1] == len(store.sentences) - 1
        assert store.n_documents == len(store.documents) - 1
        assert store.counts.tolist() == [int((store.tokens == i).sum()) for i in range(tokenizer.vocab_size)]


def test_a_large_vocabulary_takes_four_bytes(tmp_path):
    from tokenizers import Tokenizer as Backend
    from tokenizers import models, pre_tokenizers

    backend = Backend(models.WordLevel({f"w{i}": i for i in range(70_000)}, unk_token="w0"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    splits = tokenise(corpus(["w1 w69999", "w5 w66000"]), Tokenizer(backend), tmp_path)
    assert splits.train.tokens.dtype == np.uint32
    assert [s.tokens.tolist() for s in splits] == [[1, 69_999], [5, 66_000]]


def test_gpt2_reads_sentences_as_part_of_their_document(tmp_path):
    tokenizer = Tokenizer.train(TEXTS, "bpe", 300, style="gpt2")
    store = tokenise(corpus(TEXTS), tokenizer, tmp_path).train
    whole = tokenizer.ids([t for t in TEXTS if stores._hash(t) % 50])
    assert [_flat(document) for document in _documents(store)] == whole


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("held", [0, 1])
def test_a_small_corpus_still_has_two_sides(tokenizer, tmp_path, monkeypatch, n, held):
    """Whether the hashes put all documents in one split or in the other."""
    monkeypatch.setattr(stores, "_hash", lambda text: 1 - held)
    splits = tokenise(corpus(TEXTS[:n]), tokenizer, tmp_path)
    assert len(splits.train.sentences) + len(splits.heldout.sentences) == 3 * n + 2
    assert min(splits.train.n_documents, splits.heldout.n_documents) == 1
    train, heldout = (_flat(_flat(_documents(store))) for store in splits)
    assert _flat(tokenizer.ids(TEXTS[:n])) in (train + heldout, heldout + train)  # cut once, nothing lost


def test_one_sentence_is_not_a_corpus(tokenizer, tmp_path):
    for texts in (["Only one."], ["  ", ""], []):
        with pytest.raises(PtmError, match="fewer than two sentences"):
            tokenise(corpus(texts), tokenizer, tmp_path)
    with pytest.raises(PtmError, match="skipped: 2 empty"):
        tokenise(corpus(["  ", ""]), tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_limit(tokenizer, tmp_path):
    everything = tokenise(corpus(TEXTS), tokenizer, tmp_path)
    for limit in (30, 500, 10**9):
        splits = tokenise(corpus(TEXTS), tokenizer, tmp_path, limit=limit)
        n = sum(s.n_tokens for s in splits)
        assert n <= limit
        assert n > limit - 20 or n == sum(s.n_tokens for s in everything)
        longest = min(splits.train.n_tokens, everything.train.n_tokens)
        assert splits.train.tokens[:longest].tolist() == everything.train.tokens[:longest].tolist()
    for limit in (0, -1, 1.5, True):
        with pytest.raises(PtmError, match="limit is a number of tokens"):
            tokenise(corpus(TEXTS), tokenizer, tmp_path, limit=limit)
    with pytest.raises(PtmError, match="within limit=3"):
        tokenise(corpus(TEXTS), tokenizer, tmp_path, limit=3)


def test_the_heldout_split_is_capped(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "HELDOUT", 25)
    splits = tokenise(corpus(TEXTS), tokenizer, tmp_path)
    assert 15 < splits.heldout.n_tokens <= 25
    assert splits.train.n_documents == sum(stores._hash(t) % 50 != 0 for t in TEXTS)


def test_blocks_cover_all_documents_once(tokenizer, tmp_path):
    store = tokenise(corpus(TEXTS), tokenizer, tmp_path).train
    tokens = [sum(map(len, d)) for d in _documents(store)]
    for size in (1, 40, 300, 10**6):
        blocks = store.blocks(size)
        assert [i for first, last in blocks for i in range(first, last)] == list(range(store.n_documents))
        for first, last in blocks:
            assert last == first + 1 or sum(tokens[first:last]) <= size
            assert last == store.n_documents or sum(tokens[first : last + 1]) > size


def test_the_cache_is_used_and_depends_on_what_matters(tokenizer, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(stores, "_build", lambda *a, real=stores._build: (calls.append(1), real(*a)))
    other = Tokenizer.train(TEXTS, "wordpiece", 200, lowercase=False)
    for source, t, limit, new in [
        (TEXTS, tokenizer, None, True),
        (TEXTS, tokenizer, None, False),
        (TEXTS, tokenizer, 500, True),
        (TEXTS[1:], tokenizer, None, True),
        (TEXTS, other, None, True),
        (tuple(TEXTS), other, None, False),
    ]:
        before = len(calls)
        tokenise(corpus(source), t, tmp_path, limit=limit)
        assert len(calls) - before == new


def test_a_damaged_entry_is_built_again(tokenizer, tmp_path):
    good = tokenise(corpus(TEXTS), tokenizer, tmp_path)
    expected = good.train.tokens.tolist()
    (entry,) = tmp_path.iterdir()
    for damage in (
        lambda: (entry / "train.tokens").write_bytes(b"\0"),
        lambda: (entry / "heldout.documents").unlink(),
        lambda: (entry / "train.counts").write_bytes(b""),
        lambda: (entry / "meta.json").write_text("{"),
        lambda: (entry / "meta.json").write_text("{}"),
    ):
        damage()
        assert tokenise(corpus(TEXTS), tokenizer, tmp_path).train.tokens.tolist() == expected
        assert list(tmp_path.iterdir()) == [entry]


RACE = """
import sys
sys.path.insert(0, {here!r})
from test_store import TEXTS, corpus, tokenise, Tokenizer, stores
import ptm_explore.text.store as stores, time
real = stores._build
def slow(*arguments):
    real(*arguments)
    time.sleep(1)  # both processes are building now
stores._build = slow
splits = tokenise(corpus(TEXTS), Tokenizer.train(TEXTS, "wordpiece", 200), {cache!r})
print(splits.train.n_tokens, int(splits.train.tokens.sum()))
"""


def test_two_processes_build_the_same_entry(tmp_path):
    code = RACE.format(here=str(Path(__file__).parent), cache=str(tmp_path))
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0] != ""
    assert [p.name[:7] for p in tmp_path.iterdir()] == ["tokens-"]


def test_a_killed_build_is_no_entry_and_is_cleaned_up_a_day_later(tokenizer, tmp_path):
    killed = tmp_path / ".building-0123"
    killed.mkdir()
    (killed / "train.tokens").write_bytes(b"half")
    tokenise(corpus(TEXTS), tokenizer, tmp_path)
    assert killed.exists()  # it may still be alive
    yesterday = time.time() - 1.1 * caching.DAY
    for path in (killed / "train.tokens", killed):
        os.utime(path, (yesterday, yesterday))
    tokenise(corpus(TEXTS), tokenizer, tmp_path, limit=100)
    assert not killed.exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """RLIMIT_FSIZE makes the kernel refuse to write more, as a full disk does."""
    code = f"""
import resource
from ptm_explore.errors import PtmError
from ptm_explore.text.corpora import corpus
from ptm_explore.text.store import tokenise
from ptm_explore.text.tokenizers import Tokenizer
texts = ["one two three four. five six seven."] * 9_000
tokenizer = Tokenizer.train(texts[:1], "wordpiece", 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    tokenise(corpus(texts), tokenizer, {str(tmp_path)!r})
except PtmError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search("the disk is full; free some space", done.stdout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "denied")])
def test_errors_of_the_disk_are_explained(tokenizer, tmp_path, monkeypatch, number, reason):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(stores, "_build", fail)
    with pytest.raises(PtmError, match=f"{reason}.*PTM_CACHE"):
        tokenise(corpus(TEXTS), tokenizer, tmp_path)


def test_memory_does_not_grow_with_the_corpus(tokenizer, tmp_path):
    def peak(n: int) -> int:
        path = tmp_path / f"{n}.jsonl"
        path.write_text((json.dumps({"text": TEXTS[0] * 20}) + "\n") * n)
        tracemalloc.start()
        try:
            tokenise(corpus(path), tokenizer, tmp_path / "cache")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(800), peak(2_400)  # 0.8 and 2.4 MB
    assert large < 1.3 * small


def test_progress_counts_documents(tokenizer, tmp_path):
    notes = []
    tokenise(corpus(TEXTS), tokenizer, tmp_path, progress=lambda done, note: notes.append((done, note)))
    assert [done for done, _ in notes] == [100, 200]
    assert re.fullmatch(r"200 documents, [\d,]+ tokens", notes[-1][1])


def test_train_tokenizer_is_cached(tmp_path, monkeypatch):
    first = train_tokenizer(corpus(TEXTS), "wordpiece", 150, cache=tmp_path)
    monkeypatch.setattr(Tokenizer, "train", lambda *a: pytest.fail("trained again"))
    again = train_tokenizer(corpus(TEXTS), "wordpiece", 150, cache=tmp_path)
    assert again.key == first.key
    with pytest.raises(pytest.fail.Exception):
        train_tokenizer(corpus(TEXTS), "wordpiece", 151, cache=tmp_path)
    monkeypatch.undo()
    (entry,) = tmp_path.iterdir()
    (entry / "tokenizer.json").write_text("{")
    assert train_tokenizer(corpus(TEXTS), "wordpiece", 150, cache=tmp_path).key == first.key
    with pytest.raises(PtmError, match="unknown kind"):
        train_tokenizer(corpus(TEXTS), "words", 150, cache=tmp_path)


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PTM_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("PTM_CACHE")
    assert cache_folder() == tmp_path / "ptm_explore"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "ptm_explore"


@pytest.mark.parametrize(
    "expected",
    [
        ["It rained.", "Did it?", "Yes!", "2 days long."],
        ["Mr. Smith met Dr. A. B. Jones in the U.S. Army, e.g. Monday, i.e. Jan. 5.", "He left."],
        ["See Fig. 3 and No. 7.", "He said no.", "Then he left."],
        ['"Stop!" she said.', '"Why?" he asked.', "(He knew.)", "She did (not)."],
        ["He paid 3.5 dollars to yahoo.com... and more.", "Good."],
        ["今日は雨です。", "明日は晴れ！", "本当？"],
        ["यह एक वाक्य है।", "दूसरा वाक्य।"],
        ["Él llegó.", "¿Cuándo?", "Übermorgen."],
        ["A line without an end", "another line", "and the last."],
    ],
)
def test_sentences(expected):
    glue = "\n" if expected[0].startswith("A line") else "" if "。" in expected[0] else " "
    assert sentences(glue.join(expected)) == expected
    assert sentences("\n" + " \n\n ".join(expected) + "  ") == expected


def test_sentences_of_nothing():
    assert sentences("") == sentences(" \n\t ") == []
    assert sentences("...") == ["..."]


def test_sentences_lose_nothing(shared_data):
    for text in [*TEXTS, next(corpus(shared_data / "eltec_novels").documents())]:
        assert "".join("".join(sentences(text)).split()) == "".join(text.split())
