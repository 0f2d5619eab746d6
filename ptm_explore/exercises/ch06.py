"""Chapter 06: RoBERTa. B batch, T tokens."""

import re

import torch

from .base import exercise

IDS = torch.tensor([[0, 5, 6, 2, 1, 1], [1, 1, 0, 8, 9, 2], [0, 4, 4, 4, 4, 2]])
PADDED = (IDS, 1), (IDS.where(IDS != 1, 7), 7)


@exercise("06.positions", "the table of positions, for pad_id={1},", cases=PADDED)
def positions(got, ids, pad):
    """count the tokens that are no padding, from the left, with cumsum; then add the padding's own id

    [5, 6, 7, pad, pad] at 2, 3, 4, 1, 1: rows 0 and 1 of the table are never a token's.
    """
    real = (ids != pad).long()
    places, count = torch.arange(ids.size(1)).expand_as(ids), real.cumsum(1)
    yield count * real + pad
    yield "is padding counted? Its position is pad_id, wherever it stands", places + pad + 1
    yield "does counting start at pad_id + 1? Padding's own position comes before", (count - 1) * real + pad
    yield "is the padding's own id added? Positions begin after it", count * real
    yield "do pads keep counting? They all have the position pad_id", count + pad
    yield "is that BERT's way? Positions from 0 on", places


COUNTS = {"ewew": 6, "new": 1, "hat": 10, "ham": 1, "low": 1, "lot": 1, "slow": 1, "log": 1}


@exercise("06.merge", "what came back", cases=[({tuple(word): n for word, n in COUNTS.items()},)])
def merge(got, words):
    """count each pair of neighbours as often as its word occurs, take the most frequent, and join it

    Thousands of such steps, and the vocabulary of GPT-2 and RoBERTa is there.
    """
    join = lambda pair: {tuple(re.findall(pair + "|.", word)): n for word, n in COUNTS.items()}  # noqa: E731
    yield (right := join("ew"))  # 13 times; h a 11 times, l o 4
    yield f"return a dictionary like the one given, not a {type(got).__name__}", not isinstance(got, dict)
    yield "the keys should be tuples of pieces, as those given", {type(word) for word in got} != {tuple}
    yield "did anything change? One merge was asked", words
    yield "does a word count as often as it occurs? ('l', 'o') is in more words, not in more text", join("lo")
    yield "does a pair count twice that is twice in a word? 'ewew' holds ('e', 'w') twice", join("ha")
    spelt = {"".join(word) for word in got}
    yield "the words should spell what they did before; only neighbours are joined", spelt != {*COUNTS}
    once = not got.keys().isdisjoint([("ew", "e", "w"), ("e", "w", "ew")])
    yield "is the pair joined everywhere? 'ewew' has it twice: ('ew', 'ew')", once
    yield "the counts of the words should stay", got.keys() <= right.keys()
    yield f"a merge was made, but not of the most frequent pair; what came back begins {[*got][:2]}", ...


@exercise("06.sequences", "the answer", value=True, rtol=0.03)  # who takes "8K" to be 8,000 is right as well
def sequences(answer):
    """rows in a step, times steps: 8,192 x 500,000 against 256 x 1,000,000

    Half the steps, sixteen times the rows, and nearly all of BERT's were shorter.
    """
    yield 16.0
    yield "is that the steps alone? Each is of many more rows", 0.5
    yield "is that the batch alone? There were half as many steps", 32.0
    yield "is it upside down? RoBERTa read more", 1 / 16
    yield "are those RoBERTa's rows? The question is how many times BERT's they are", 8192 * 500_000
    yield f"{float(answer):g} times? Rows in a step times steps, for each of the two; then divide", ...
