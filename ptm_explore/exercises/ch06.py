"""Chapter 06: RoBERTa. B batch, T tokens."""

import math

import torch

from .base import Hint, exercise, match, require, tensor


@exercise(
    "06.positions",
    hint="count the tokens that are no padding, from the left, with cumsum; then add the padding's own id",
    done="[5, 6, 7, pad, pad] at 2, 3, 4, 1, 1: rows 0 and 1 of the table are never a token's.",
)
def positions(answer):
    for pad in (1, 7):
        ids = torch.tensor([[0, 5, 6, 2, pad, pad], [pad, pad, 0, 8, 9, 2], [0, 4, 4, 4, 4, 2]])
        real = (ids != pad).long()
        places = torch.arange(ids.size(1)).expand_as(ids)
        mistakes = {
            "is padding counted? Its position is pad_id, wherever it stands": places + pad + 1,
            "does counting start at pad_id + 1? The first token's position comes after the padding's": (
                (real.cumsum(1) - 1) * real + pad
            ),
            "is the padding's own id added? Positions begin after it": real.cumsum(1) * real,
            "do pads keep counting? They all have the position pad_id": real.cumsum(1) + pad,
            "is that BERT's way? Positions from 0 on": places,
        }
        right = real.cumsum(1) * real + pad
        match(answer(ids.clone(), pad), right, mistakes, f"the table of positions, for pad_id={pad},")


@exercise(
    "06.merge",
    hint="count each pair of neighbours as often as its word occurs, take the most frequent, and join it",
    done="Thousands of such steps, and the vocabulary of GPT-2 and RoBERTa is there.",
)
def merge(answer):
    counts = {"ewew": 6, "new": 1, "hat": 10, "ham": 1, "low": 1, "lot": 1, "slow": 1, "log": 1}
    words = {tuple(word): count for word, count in counts.items()}
    got = answer(dict(words))
    require(got is not None, "your function returned None. Is a `return` missing?")
    require(isinstance(got, dict), f"return a dictionary like the one given, not a {type(got).__name__}")
    try:
        found = {tuple(word): count for word, count in got.items()}
    except TypeError:
        raise Hint("the keys should be tuples of pieces, as those given") from None
    join = lambda a, b: {_joined(word, a, b): count for word, count in words.items()}  # noqa: E731
    if found == join("e", "w"):  # 13 times; h a 11 times, l o 4
        return
    oftener = "does a word count as often as it occurs? ('l', 'o') is in more words, not in more text"
    mistakes = {
        "did anything change? One merge was asked": words,
        oftener: join("l", "o"),
        "does a pair count twice that is twice in a word? 'ewew' holds ('e', 'w') twice": join("h", "a"),
    }
    for question, wrong in mistakes.items():
        require(found != wrong, question)
    spelt = {"".join(word) for word in found} == {"".join(word) for word in words}
    require(spelt, "the words should spell what they did before; only neighbours are joined")
    once = {("ew", "e", "w"), ("e", "w", "ew")} & set(found)
    require(not once, "is the pair joined everywhere? 'ewew' has it twice: ('ew', 'ew')")
    require(found.keys() & join("e", "w").keys() < found.keys(), "the counts of the words should stay")
    raise Hint(f"a merge was made, but not of the most frequent pair; what came back begins {_begin(found)}")


def _joined(word: tuple[str, ...], a: str, b: str) -> tuple[str, ...]:
    out: list[str] = []
    for piece in word:
        out[-1:] = [a + b] if out and out[-1] == a and piece == b else [*out[-1:], piece]
    return tuple(out)


def _begin(words: dict) -> str:
    return ", ".join(str(word) for word in list(words)[:2])


@exercise(
    "06.sequences",
    hint="rows in a step, times steps: 8,192 x 500,000 against 256 x 1,000,000",
    done="Half the steps, sixteen times the rows, and nearly all of BERT's were shorter.",
    function=False,
)
def sequences(answer):
    got = float(tensor(answer, "the answer"))
    if math.isclose(got, 16.0, rel_tol=0.03):  # who takes "8K" to be 8,000 is right as well
        return
    mistakes = {
        "is that the steps alone? Each is of many more rows": 0.5,
        "is that the batch alone? There were half as many steps": 32.0,
        "is it upside down? RoBERTa read more": 1 / 16,
        "are those RoBERTa's rows? The question is how many times BERT's they are": 8192 * 500_000,
    }
    for question, wrong in mistakes.items():
        require(not math.isclose(got, wrong, rel_tol=0.03), question)
    raise Hint(f"{got:g} times? Rows in a step times steps, for each of the two; then divide")
