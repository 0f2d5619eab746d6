"""Examples to rows: the same ids as `encode` gives, labels on the right tokens, windows that miss nothing."""

import numpy as np
import pytest

from ptm_explore.errors import PtmError
from ptm_explore.text.labelled import NONE, Framer
from ptm_explore.text.tasks import Example
from tests import tiny

STYLES = [
    ("bert", "wordpiece"),
    ("roberta", "bpe"),
    ("albert", "unigram"),
    ("xlnet", "unigram"),
    ("gpt2", "bpe"),
]
TEXT = "the old cat sleeps in the house"
PAIR = "anna builds a new boat"


@pytest.fixture(params=STYLES, ids=[style for style, _ in STYLES])
def tok(request):
    return tiny.tokenizer(*request.param, vocab_size=300 if "bpe" in request.param else 120)


def rows(tok, kind, examples, length=64, labels=("x", "y")):
    return Framer(tok, kind, labels, length).windows(examples)


def read(tok, window, start, end):
    """The text of tokens `start` to `end` of the row."""
    return tok.decode(window.row.ids[start:end]).strip()


class TestSequence:
    def test_one_text_as_encode_has_it(self, tok):
        ((window,),) = rows(tok, "classification", [Example(TEXT, label="y")])
        assert window.row.ids.tolist() == tok.encode(TEXT).ids[0].tolist()
        assert window.row.segments.tolist() == tok.encode(TEXT).segments[0].tolist()
        assert window.row.target == 1

    def test_a_pair_as_encode_has_it_or_parted_by_the_end_of_a_text(self, tok):
        ((window,),) = rows(tok, "classification", [Example(TEXT, PAIR, "x")])
        expected = tok.encode(TEXT, PAIR)
        if tok.sep_id is None and tok.cls_id is None:
            first, second = tok.ids([TEXT, PAIR])
            assert window.row.ids.tolist() == [*first, tok.eos_id, *second]
        else:
            assert window.row.ids.tolist() == expected.ids[0].tolist()
            assert window.row.segments.tolist() == expected.segments[0].tolist()

    def test_of_a_pair_the_longer_text_is_cut(self, tok):
        long = " ".join([TEXT] * 20)
        for example in (Example(long, PAIR, "x"), Example(PAIR, long, "x")):
            ((window,),) = rows(tok, "classification", [example], 32)
            assert len(window.row.ids) == 32
            assert "new boat" in tok.decode(window.row.ids).replace("  ", " ")

    def test_numbers_stay_numbers(self, tok):
        ((window,),) = rows(tok, "regression", [Example(TEXT, PAIR, 2.5)], labels=())
        assert float(window.row.target) == 2.5


class TestTags:
    WORDS = ((0, 3), (4, 7), (8, 11), (12, 18), (19, 21), (22, 25), (26, 31))
    TAGS = ("x", "x", "y", "y", "x", "x", "y")

    @pytest.mark.parametrize("length", [64, 7])
    def test_the_first_token_of_each_word_has_its_tag(self, tok, length):
        (windows,) = rows(tok, "tagging", [Example(TEXT, label=self.TAGS, words=self.WORDS)], length)
        assert (len(windows) > 1) == (length < 20)
        seen = {}
        for window in windows:
            tagged = np.flatnonzero(window.row.target != NONE)
            assert (tagged - window.first).tolist() == np.flatnonzero(window.words != NONE).tolist()
            for position in tagged:
                word = int(window.words[position - window.first])
                start, end = window.spans[position - window.first]
                assert start == self.WORDS[word][0]
                assert TEXT[start:end]
                assert TEXT[start:end] in read(tok, window, position, position + 1)
                assert word not in seen
                seen[word] = ("x", "y")[window.row.target[position]]
        assert seen == dict(enumerate(self.TAGS))

    def test_words_without_a_space_between(self, tok):
        words = ((0, 3), (3, 4), (5, 8))
        ((window,),) = rows(tok, "tagging", [Example("cat. dog", label=("x", "y", "x"), words=words)])
        starts = [int(window.spans[i, 0]) for i in np.flatnonzero(window.words != NONE)]
        assert starts == [0, 3, 5]


class TestSpans:
    LONG = " ".join(f"{name} runs in the house." for name in ("anna", "ben", "dog", "cat") * 6)

    def test_an_answer_is_its_first_and_last_token(self, tok):
        start = PAIR.index("new boat")
        ((window,),) = rows(
            tok, "span", [Example("what builds anna", PAIR, ((start, start + 8),))], labels=()
        )
        first, last = window.row.target
        assert read(tok, window, first, last + 1) == "new boat"
        assert window.spans[first - window.first, 0] == start
        assert window.spans[last - window.first, 1] == start + 8

    def test_windows_overlap_and_cover_all(self, tok):
        start = self.LONG.index("cat")
        example = Example("who runs", self.LONG, ((start, start + 3),))
        (windows,) = rows(tok, "span", [example], 40, ())
        covered = {tuple(span) for window in windows for span in window.spans.tolist()}
        assert covered == {
            tuple(span) for span in rows(tok, "span", [example], 1000, ())[0][0].spans.tolist()
        }
        assert all(len(window.row.ids) <= 40 for window in windows)
        held = [window for window in windows if window.row.target[0] != window.absent]
        assert 1 <= len(held) <= 2
        for window in held:
            assert read(tok, window, window.row.target[0], window.row.target[1] + 1) == "cat"

    def test_to_learn_from_a_window_with_the_answer_is_taken(self, tok):
        start = self.LONG.rindex("dog")
        framer = Framer(tok, "span", (), 40)
        for seed in range(5):
            (row,) = framer.rows(
                [Example("who runs", self.LONG, ((start, start + 3),))], np.random.default_rng(seed)
            )
            assert tok.decode(row.ids[row.target[0] : row.target[1] + 1]).strip() == "dog"

    def test_no_answer_is_the_first_special_token(self, tok):
        ((window,),) = rows(tok, "span", [Example("who runs", PAIR, ())], labels=())
        assert window.row.target.tolist() == [window.absent] * 2
        if tok.cls_id is not None:
            assert window.row.ids[window.absent] == tok.cls_id


def test_rows_without_room_are_refused():
    tok = tiny.tokenizer()
    with pytest.raises(PtmError, match="rows of 3 tokens have no room for text beside 3 special ones"):
        rows(tok, "classification", [Example("anna", "ben", "x")], 3)
