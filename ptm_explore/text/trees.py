"""Sentences with their dependency trees: of the generated world, or of a CoNLL-U file."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from ptm_explore.errors import PtmError
from ptm_explore.text import task_files
from ptm_explore.text.task_rows import tagged
from ptm_explore.text.world import documents


@dataclass(frozen=True)
class Tree:
    """A sentence of W words."""

    text: str
    words: tuple[tuple[int, int], ...]  # where each stands in the text
    tags: tuple[str, ...]  # word classes
    heads: tuple[int, ...]  # the word that governs each; -1: none does
    relations: tuple[str, ...]  # to the governor

    @cached_property
    def distances(self) -> np.ndarray:
        """(W, W) steps from word to word along the tree; infinite between parts that nothing joins."""
        from scipy.sparse.csgraph import shortest_path

        governed = 1.0 * (np.array(self.heads)[:, None] == np.arange(len(self.heads)))
        return shortest_path(governed, directed=False, unweighted=True)

    @cached_property
    def depths(self) -> np.ndarray:
        """(W,) steps up to the root; -1 in a part without one."""
        roots = [i for i, head in enumerate(self.heads) if head < 0]
        return self.distances[:, roots].min(1) if roots else np.full(len(self.heads), -1.0)


def trees(source: str | Path = "world", n: int = 500, seed: int = 0) -> list[Tree]:
    """The first `n` sentences of the world's test split, or of a .conllu file (.xz, .gz too). PtmError for
    a file that is not there or holds no tree."""
    found = list(islice(_world(seed) if source == "world" else _file(Path(source)), n))
    if not found:
        raise PtmError(f"{source} holds no sentence; give 'world' or a CoNLL-U file")
    return found


def _world(seed: int) -> Iterator[Tree]:
    for d in documents("test", seed):
        start = 0
        for text, words, places in zip(d.sentences, d.words, d.offsets(), strict=True):
            index = {id(word): i for i, word in enumerate(words)}
            columns = zip(*((w.tag, index.get(id(w.head), -1), w.relation) for w in words), strict=True)
            yield Tree(text, tuple((a - start, b - start) for a, b in places), *columns)
            start += len(text) + 1


def _file(path: Path) -> Iterator[Tree]:
    if task_files.format_of(path) != ".conllu" or not path.is_file():
        raise PtmError(f"{path} is no CoNLL-U file; give 'world' or the path of a .conllu file")
    columns = (task_files.read(path, column) for column in ("upos", "head", "deprel"))
    for (place, row), (_, heads), (_, relations) in zip(*columns, strict=True):
        sentence = tagged(place, row["tokens"], row["tags"], row["spaces"])
        spans, governors = tuple(map(tuple, sentence["words"])), tuple(int(h) - 1 for h in heads["tags"])
        yield Tree(sentence["text"], spans, tuple(row["tags"]), governors, tuple(relations["tags"]))
