from itertools import islice

import pytest

from ptm_explore.baselines.world_card import PHENOMENA, card
from ptm_explore.cli import main
from ptm_explore.text.world import documents


def test_every_phenomenon_is_found_in_the_world():
    trees = [tree for d in islice(documents("train", 4), 800) for tree in d.words]
    for name, has in PHENOMENA.items():
        n = sum(map(has, trees))
        assert 5 < n < 0.6 * len(trees), name


@pytest.mark.slow
def test_the_card_has_all_its_parts(capsys):
    text = card(20_000, ["genre", "question"])
    for part in ("words a second", "Zipf", "reflexives", "Splits", "0 are in two splits", "Facts",
                 "bits a word", "bits a letter", "| agreement | 50% |", "| question | SQuAD |"):  # fmt: skip
        assert part in text, part
    assert "counting words for genre" in capsys.readouterr().err


def test_the_command_reads_the_world(capsys):
    main(["world", "read", "--documents", "2", "--genre", "note", "--seed", "3"])
    told = capsys.readouterr().out
    assert [d.text in told for d in islice(documents("train", 3, "note"), 2)] == [True, True]
