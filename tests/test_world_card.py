from itertools import islice

import pytest

from benchmarks.world_card import PHENOMENA, card, main
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


def test_the_command_writes_the_card(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.world_card.card", lambda: "the card")
    main(["--out", str(tmp_path / "world.md")])
    assert (tmp_path / "world.md").read_text() == "the card"
