"""Step by step to the pieces that the package tokenizers cuts at once."""

from itertools import pairwise

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models

from ptm_explore.errors import PtmError
from ptm_explore.text.splits import steps
from ptm_explore.text.tokenizers import Tokenizer
from ptm_explore.text.world import documents

STYLES = {"wordpiece": "bert", "bpe": "gpt2", "unigram": "albert"}
TEXTS = ("the fishermen mended unkindness", "Anna's 42 kites, re-sold?", "naïve 魚 lowest", "a" * 30)


@pytest.fixture(scope="module")
def trained():
    stream = documents("train", 2)
    texts = [next(stream).text for _ in range(400)]
    return {kind: Tokenizer.train(texts, kind, 600, style=style) for kind, style in STYLES.items()}


@pytest.mark.parametrize("kind", STYLES)
def test_the_last_step_is_what_the_tokenizer_does(trained, kind):
    tok = trained[kind]
    stream = documents("test", 2)
    for text in (*TEXTS, *(next(stream).text for _ in range(50))):
        pieces = [piece for word in steps(tok, text) for piece in word[-1][0]]
        ids = [i if (i := tok.backend.token_to_id(piece)) is not None else tok.unk_id for piece in pieces]
        theirs = tok.ids([text])[0]
        if kind == "unigram":  # runs of what it does not know are one unknown token there
            ids = [i for n, i in enumerate(ids) if i != tok.unk_id or n == 0 or ids[n - 1] != tok.unk_id]
        assert ids == theirs, text


def test_merges_by_hand():
    tok = Tokenizer.train(["low low low lower lower newest newest newest widest"], "bpe", 300, style="gpt2")
    (word,) = steps(tok, "lowest")
    assert word[0][0] == list("lowest")
    for (before, _), (after, said) in pairwise(word):
        a, b = said.partition(": ")[2].split(" + ")
        assert " ".join(before).replace(f"{a} {b}", a + b).split() == after
    ranks = [int(said.split()[1].strip(":")) for _, said in word[1:]]
    assert len(ranks) >= 2


def test_unigram_ranks_all_cuts(trained):
    """Against every way there is to cut a word."""
    tok = trained["unigram"]
    score = dict(tok._description["model"]["vocab"])
    (word,) = steps(tok, "boats", best=5)
    everything = sorted(
        (sum(score[p] for p in cut), cut) for cut in cuts("▁boats") if all(p in score for p in cut)
    )
    assert [pieces for pieces, _ in word] == [cut for _, cut in everything[-5:]]
    assert word[-1][1] == f"log-probability {everything[-1][0]:.1f}"


def cuts(word):
    if not word:
        yield []
    for n in range(1, len(word) + 1):
        for rest in cuts(word[n:]):
            yield [word[:n], *rest]


def test_a_tokenizer_that_does_not_cut():
    backend = Backend(models.WordLevel({"dog": 0, "?": 1}, unk_token="?"))
    with pytest.raises(PtmError, match="does not cut"):
        steps(Tokenizer(backend), "a dog")


def test_what_is_not_english_costs_more(shared_data, trained):
    """The same declaration in other languages takes more tokens where the tokenizer learnt English."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (shared_data / "udhr").glob("*.txt")}
    assert len(texts) > 25
    n = {language: len(trained["bpe"].ids([text])[0]) for language, text in texts.items()}
    assert all(n[language] > n["eng"] for language in n if language != "eng")
    assert n["hin"] > 3 * n["eng"]
