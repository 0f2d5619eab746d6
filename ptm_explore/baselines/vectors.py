"""Word vectors by counting: words that keep the same company get similar vectors.

V vocabulary, D dimensions
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ptm_explore.errors import PtmError, unknown


def cooccurrence(ids: np.ndarray, vocab_size: int, window: int = 4):
    """How often tokens stand near each other in a stream of ids: a sparse symmetric matrix (V, V), where a
    neighbour at distance d counts 1/d."""
    from scipy import sparse

    ids = np.asarray(ids).astype(np.int64)
    counts = sparse.csr_matrix((vocab_size, vocab_size), dtype=np.float32)
    for d in range(1, window + 1):
        weight = np.full(max(len(ids) - d, 0), 1 / d, dtype=np.float32)
        counts += sparse.coo_matrix((weight, (ids[:-d], ids[d:])), shape=counts.shape).tocsr()
    return counts + counts.T


def positive_pmi(counts):
    """Positive pointwise mutual information, max(0, log p(a, b) / p(a)p(b)), of a count matrix (V, V)."""
    from scipy import sparse

    counts = counts.tocoo()
    total = np.asarray(counts.sum(0)).ravel()
    pmi = np.log(counts.data * counts.data.sum() / (total[counts.row] * total[counts.col]))
    keep = pmi > 0
    return sparse.csr_matrix((pmi[keep], (counts.row[keep], counts.col[keep])), shape=counts.shape)


def ppmi_vectors(counts, dimensions: int, seed: int = 0) -> np.ndarray:
    """Vectors (V, D) whose products come closest to positive PMI: its truncated SVD, each side with the root
    of the singular values (Levy and Goldberg 2014). Dimensions past V - 1 are zero."""
    from sklearn.utils.extmath import randomized_svd

    rank = min(dimensions, counts.shape[0] - 1)
    u, s, _ = randomized_svd(positive_pmi(counts), rank, n_iter=3, random_state=seed)
    return np.pad(u * np.sqrt(s), ((0, 0), (0, dimensions - rank))).astype(np.float32)


class WordVectors:
    """Vectors of the words of some sentences (lists of words), each word with those around it."""

    def __init__(self, sentences: Iterable[Sequence[str]], dimensions=100, window=4, min_count=5):
        sentences = [list(sentence) for sentence in sentences]
        seen = Counter(word for sentence in sentences for word in sentence)
        self.words = [word for word, count in seen.most_common() if count >= min_count]
        other = len(self.words)  # the id of a rare word, or of a gap between sentences
        if other < 3:
            raise PtmError(f"{other} words were seen {min_count} times; give more text, or min_count=1")
        self._id = {word: i for i, word in enumerate(self.words)}
        stream = [i for s in sentences for i in (*(self._id.get(w, other) for w in s), *[other] * window)]
        vectors = ppmi_vectors(cooccurrence(np.array(stream), other + 1, window)[:other, :other], dimensions)
        self.vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def __getitem__(self, word: str) -> np.ndarray:
        """The vector (D,), of length 1."""
        if word not in self._id:
            raise unknown("word", word, self.words)
        return self.vectors[self._id[word]]

    def similarity(self, one: str, other: str) -> float:
        """The cosine, at most 1."""
        return float(self[one] @ self[other])

    def nearest(self, word: str, k: int = 8) -> list[tuple[str, float]]:
        """The k most similar other words and their cosines."""
        return self._ranked(self[word], {word}, k)

    def analogy(self, a: str, b: str, c: str, k: int = 5) -> list[tuple[str, float]]:
        """What is to `c` as `b` is to `a`: the words nearest to b - a + c (Mikolov et al. 2013)."""
        return self._ranked(self[b] - self[a] + self[c], {a, b, c}, k)

    def _ranked(self, vector: np.ndarray, but: set[str], k: int) -> list[tuple[str, float]]:
        near = self.vectors @ (vector / max(float(np.linalg.norm(vector)), 1e-9))
        order = (i for i in np.argsort(-near) if self.words[i] not in but)
        return [(self.words[i], float(near[i])) for i, _ in zip(order, range(k), strict=False)]
