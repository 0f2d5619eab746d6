"""A corpus as token ids on disk, split for training and evaluation, and read through memory maps.

V entries in the vocabulary, S sentences, D documents.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ptm_explore.errors import PtmError
from ptm_explore.text.cache import building, cache_folder, digest
from ptm_explore.text.corpora import Corpus
from ptm_explore.text.sentences import sentences
from ptm_explore.text.tokenizers import Tokenizer

FORMAT = 1  # of the files; another number makes another cache entry
HELDOUT_SHARE = 50  # one document in so many is held out, by the hash of its text
HELDOUT = 500_000  # tokens; further documents to hold out are dropped, so that none can be in both splits
BATCH = 500_000  # characters read before they are tokenised
SENTENCES = 4_000  # tokenised at a time
TOKENIZER_TEXT = {"wordpiece": 20_000_000, "bpe": 20_000_000, "unigram": 5_000_000}  # characters to train on
SIDES = ("train", "heldout")
Progress = Callable[[int, str], None] | None


@dataclass(frozen=True)
class Store:
    """The tokens of many documents, without special tokens.

    tokens     (N,) uint16 or uint32, all documents one after another
    sentences  (S + 1,) int64, where in `tokens` each sentence begins; the last entry is N
    documents  (D + 1,) int64, where in `sentences` each document begins; the last entry is S
    counts     (V,) int64, how often each token occurs
    """

    tokens: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray
    counts: np.ndarray

    @property
    def n_tokens(self) -> int:
        return len(self.tokens)

    @property
    def n_documents(self) -> int:
        return len(self.documents) - 1

    def blocks(self, size: int = 1_000_000) -> list[tuple[int, int]]:
        """Ranges [first, last) of documents with at most `size` tokens each; a longer document is alone."""
        begins = np.asarray(self.sentences)[self.documents]  # (D + 1,) first token of each document
        found, first = [], 0
        while first < self.n_documents:
            last = max(int(np.searchsorted(begins, begins[first] + size, side="right")) - 1, first + 1)
            found.append((first, last))
            first = last
        return found


class Splits(NamedTuple):
    train: Store
    heldout: Store


def tokenise(
    corpus: Corpus,
    tokenizer: Tokenizer,
    cache: str | Path | None = None,
    limit: int | None = None,
    progress: Progress = None,
) -> Splits:
    """The corpus as token ids, tokenised once and then read from the cache folder.

    A document is held out by the hash of its text, one in 50, up to 500,000 tokens; of a corpus too small
    for that, its last document or sentences. `limit` is the most tokens to keep in all. `progress` is called
    with the number of documents read and a note. Raises a `PtmError` for a corpus without two sentences.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 2):
        raise PtmError(f"limit is a number of tokens, 2 or more, not {limit!r}")
    key = digest("tokens", FORMAT, HELDOUT_SHARE, HELDOUT, corpus.key, tokenizer.key, limit)
    folder = Path(cache or cache_folder()) / f"tokens-{key}"
    if (splits := _open(folder)) is None:
        with building(folder, lambda f: _open(f) is not None) as temporary:
            _build(temporary, corpus, tokenizer, limit, progress)
        splits = _open(folder)
    if splits is None:
        raise PtmError(f"the cache entry {folder} is damaged and could not be replaced; delete it")
    return splits


def train_tokenizer(
    corpus: Corpus,
    kind: str = "wordpiece",
    vocab_size: int = 8_000,
    style: str = "bert",
    lowercase: bool | None = None,
    cache: str | Path | None = None,
) -> Tokenizer:
    """`Tokenizer.train` on the beginning of the corpus (20 million characters, Unigram 5), then cached."""
    size = TOKENIZER_TEXT.get(kind)
    key = digest("tokenizer", FORMAT, size, corpus.key, kind, vocab_size, style, lowercase)
    folder = Path(cache or cache_folder()) / f"tokenizer-{key}"
    if not _loads(folder):
        with building(folder, _loads) as temporary:
            texts = _first(corpus.documents(), size or 0)
            Tokenizer.train(texts, kind, vocab_size, lowercase, style).save(temporary)
    return Tokenizer.load(folder)


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        yield text[:characters]
        characters -= len(text)
        if characters <= 0:
            return


def _loads(folder: Path) -> bool:
    with suppress(PtmError):
        return Tokenizer.find(folder) is not None
    return False


class _Side:
    """One split being written to disk, document by document."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype, vocab_size: int, stack: ExitStack):
        self.counts, self._dtype = np.zeros(vocab_size, np.int64), dtype
        files = {field.name: folder / f"{name}.{field.name}" for field in fields(Store)}
        self._files = {part: stack.enter_context(path.open("wb")) for part, path in files.items()}
        self.entries = dict.fromkeys(files, 0)  # how many are in each file
        self.write("sentences", [0])
        self.write("documents", [0])

    def write(self, part: str, values: Sequence[int] | np.ndarray) -> None:
        self._files[part].write(np.asarray(values, self._dtype if part == "tokens" else np.int64).tobytes())
        self.entries[part] += len(values)

    def add(self, document: "_Document") -> None:
        self.write("sentences", self.entries["tokens"] + np.cumsum(document.lengths))
        self.write("tokens", document.tokens)
        self.write("documents", [self.entries["sentences"] - 1])
        self.counts += np.bincount(document.tokens, minlength=len(self.counts))


class _Document(NamedTuple):
    tokens: np.ndarray  # (N,)
    lengths: np.ndarray  # (S,) tokens in each sentence, none 0

    def cut(self, first: int, last: int) -> "_Document":
        """The sentences [first, last)."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        return _Document(self.tokens[ends[first] : ends[last]], self.lengths[first:last])

    def within(self, room: int) -> "_Document":
        """The first sentences, as many as have at most `room` tokens together."""
        return self.cut(0, int(np.searchsorted(np.cumsum(self.lengths), room, side="right")))


def _build(folder: Path, corpus: Corpus, tokenizer: Tokenizer, limit: int | None, progress: Progress) -> None:
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size < 2**16 else np.uint32)
    with ExitStack() as stack:
        sides = {name: _Side(folder, name, dtype, tokenizer.vocab_size, stack) for name in SIDES}
        # the last document of each side waits, in case the other side stays empty and needs (part of) it
        waiting: dict[str, _Document] = {}
        total = 0
        for done, (text, document) in enumerate(_tokenised(corpus.documents(), tokenizer), 1):
            side = "heldout" if _hash(text) % HELDOUT_SHARE == 0 else "train"
            fitting = document if limit is None else document.within(limit - total)
            if side in waiting and len(fitting.lengths):
                sides[side].add(waiting.pop(side))
            room = HELDOUT - sides["heldout"].entries["tokens"] if side == "heldout" else len(fitting.tokens)
            if len((kept := fitting.within(room)).lengths):
                waiting[side] = kept
                total += len(kept.tokens)
            if progress and done % 100 == 0:
                progress(done, f"{done:,} documents, {total:,} tokens")
            if len(fitting.lengths) < len(document.lengths):
                break
        for side, other in (SIDES, SIDES[::-1]):
            if side in waiting and other not in waiting and not sides[other].entries["tokens"]:
                waiting = _shared(waiting[side], side, sides[side].entries["sentences"] - 1)
        for name, document in waiting.items():
            sides[name].add(document)
        if not all(side.entries["tokens"] for side in sides.values()):
            lost = ", ".join(f"{n} {why}" for why, n in corpus.skipped.items() if n)
            where = (f" within limit={limit}" if limit else "") + (f" (skipped: {lost})" if lost else "")
            found = f"{corpus.name} has fewer than two sentences of text{where}"
            raise PtmError(f"{found}; one to train on and one to hold out is the least")
        for writer in sides.values():
            writer.write("counts", writer.counts)
    # the files are closed, which raises if the disk is full
    entries = {name: side.entries for name, side in sides.items()}
    (folder / "meta.json").write_text(json.dumps({"dtype": dtype.name, "entries": entries}), "utf-8")


def _shared(document: _Document, side: str, others: int) -> dict[str, _Document]:
    """The last document of the only side that has any, for both: whole to the empty side if the documents
    before it have as many sentences, else cut in two."""
    n = len(document.lengths)
    if n <= others:
        return {"train" if side == "heldout" else "heldout": document.within(HELDOUT)}
    if n < 2:
        return {}
    last = max(1, n // HELDOUT_SHARE)
    return {"train": document.cut(0, n - last), "heldout": document.cut(n - last, n).within(HELDOUT)}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _tokenised(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[tuple[str, _Document]]:
    """Each text with its tokens; many texts at a time go through the tokenizer."""
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH:
            yield from zip(batch, _documents(batch, tokenizer), strict=True)
            batch, size = [], 0
    yield from zip(batch, _documents(batch, tokenizer), strict=True)


def _documents(texts: list[str], tokenizer: Tokenizer) -> Iterator[_Document]:
    parts = [sentences(text) for text in texts]
    if tokenizer.byte_level:  # the space before a sentence belongs to its first token
        parts = [[(" " if i else "") + s for i, s in enumerate(part)] for part in parts]
    flat = list(itertools.chain.from_iterable(parts))
    tokens, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for first in range(0, len(flat), SENTENCES):  # a book in one document stays small
        ids = tokenizer.ids(flat[first : first + SENTENCES])
        lengths.append(np.fromiter(map(len, ids), np.int64, len(ids)))
        tokens.append(np.fromiter(itertools.chain.from_iterable(ids), np.int64, int(lengths[-1].sum())))
    whole = _Document(np.concatenate(tokens), np.concatenate(lengths))
    for first, last in itertools.pairwise(itertools.accumulate(map(len, parts), initial=0)):
        document = whole.cut(first, last)
        yield document._replace(lengths=document.lengths[document.lengths > 0])


def _open(folder: Path) -> Splits | None:
    """The splits of a cache entry; None if it is not there or a file is missing or too short."""
    try:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        return Splits(*(_open_side(folder, name, meta["dtype"], meta["entries"][name]) for name in SIDES))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _open_side(folder: Path, name: str, dtype: str, entries: dict[str, int]) -> Store:
    arrays = {}
    for part, n in entries.items():
        path, kind = folder / f"{name}.{part}", np.dtype(dtype if part == "tokens" else np.int64)
        if path.stat().st_size != n * kind.itemsize:
            raise ValueError(f"{path} is damaged")
        arrays[part] = np.memmap(path, kind, "r", shape=(n,))
    return Store(**arrays | {"counts": np.array(arrays["counts"])})
