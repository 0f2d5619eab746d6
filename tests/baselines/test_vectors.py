import numpy as np
import pytest

from ptm_explore.baselines.vectors import WordVectors, cooccurrence, positive_pmi, ppmi_vectors
from ptm_explore.errors import PtmError


def test_cooccurrence_by_hand():
    counts = cooccurrence(np.array([0, 1, 2, 0]), 3, window=2).toarray()
    # neighbours: 0-1, 1-2, 2-0 at distance 1; 0-2, 1-0 at distance 2
    np.testing.assert_allclose(counts, [[0, 1.5, 1.5], [1.5, 0, 1], [1.5, 1, 0]])


def test_positive_pmi_by_hand():
    counts = np.array([[0, 3.0, 1.0], [3.0, 0, 0], [1.0, 0, 2.0]])
    from scipy import sparse

    total, share = counts.sum(), counts.sum(0)
    with np.errstate(divide="ignore"):
        expected = np.maximum(np.log(counts * total / np.outer(share, share)), 0)
    np.testing.assert_allclose(positive_pmi(sparse.csr_matrix(counts)).toarray(), expected, rtol=1e-6)


def test_vectors_at_full_rank_have_the_gram_matrix_of_the_svd():
    rng = np.random.default_rng(0)
    counts = cooccurrence(rng.integers(0, 30, 2000), 30)
    found = ppmi_vectors(counts, 10)
    u, s, _ = np.linalg.svd(positive_pmi(counts).toarray())
    expected = u[:, :10] * np.sqrt(s[:10])
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=0.05)
    assert ppmi_vectors(counts, 40).shape == (30, 40)


@pytest.fixture(scope="module")
def vectors():
    """Kings rule and queens rule; cats and dogs eat; capital cities go with their countries."""
    rng = np.random.default_rng(1)
    sentences = []
    for _ in range(2000):
        one = rng.choice(["king", "queen"])
        sentences.append(["the", one, "rules", "a", rng.choice(["land", "realm"])])
        sentences.append(["a", rng.choice(["cat", "dog"]), "eats", "some", rng.choice(["fish", "meat"])])
    return WordVectors(sentences, dimensions=8)


def test_words_of_one_company_are_near(vectors):
    assert vectors.nearest("king", 1)[0][0] == "queen"
    assert vectors.nearest("fish", 1)[0][0] == "meat"
    assert vectors.similarity("cat", "dog") > 0.9 > vectors.similarity("cat", "king")
    assert np.linalg.norm(vectors["cat"]) == pytest.approx(1, abs=1e-5)
    assert all(word not in ("cat", "dog", "king") for word, _ in vectors.analogy("cat", "dog", "king"))


def test_bad_input(vectors):
    with pytest.raises(PtmError, match="king"):
        vectors["knig"]
    with pytest.raises(PtmError, match="min_count"):
        WordVectors([["a", "b"]])
