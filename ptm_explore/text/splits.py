"""How a tokenizer cuts words into pieces, one step after the other."""

from itertools import pairwise

from ptm_explore.errors import PtmError
from ptm_explore.text.tokenizers import Tokenizer

Step = tuple[list[str], str]  # the pieces now, and what was done to get there


def steps(tokenizer: Tokenizer, text: str, best: int = 3) -> list[list[Step]]:
    """For each word of the text how it was cut; the pieces of the last step are its tokens.

    bpe         from letters (bytes), one merge after the other, the one that was learnt first first
                (Sennrich et al. 2016)
    wordpiece   from the left, always the longest piece that the vocabulary has (Wu et al. 2016)
    unigram     the `best` likeliest of all cuts, the likeliest last, with their log-probabilities (Kudo 2018)
    """
    if tokenizer.kind not in KINDS:
        raise PtmError(f"a {tokenizer.kind} tokenizer does not cut words; give one of {', '.join(KINDS)}")
    backend, model = tokenizer.backend, tokenizer._description["model"]
    normal = backend.normalizer.normalize_str(text) if backend.normalizer else text
    words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal)]
    return [KINDS[tokenizer.kind](word, model, best) for word in words]


def _bpe(word: str, model: dict, _best: int) -> list[Step]:
    merges = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    rank = {tuple(pair): i for i, pair in enumerate(merges, 1)}
    pieces = list(word)
    found: list[Step] = [(pieces, "letters")]
    while pairs := [pair for pair in pairwise(pieces) if pair in rank]:
        first, second = min(pairs, key=rank.__getitem__)
        pieces, left = [], pieces
        while left:
            joined = left[:2] == [first, second]
            pieces.append(first + second if joined else left[0])
            left = left[1 + joined :]
        found.append((pieces, f"merge {rank[first, second]}: {first} + {second}"))
    return found


def _wordpiece(word: str, model: dict, _best: int) -> list[Step]:
    done: list[str] = []
    found: list[Step] = [([word], "the word")]
    while word:
        mark = "##" if done else ""
        size = next((n for n in range(len(word), 0, -1) if mark + word[:n] in model["vocab"]), 0)
        if not size:
            return [*found, ([model["unk_token"]], f"no piece begins {word!r}")]
        done, word = [*done, mark + word[:size]], word[size:]
        found.append(([*done, *["##" + word] * bool(word)], f"longest in the vocabulary: {done[-1]}"))
    return found


def _unigram(word: str, model: dict, best: int) -> list[Step]:
    score = dict(model["vocab"])
    unknown = min(score.values()) - 10  # as the package tokenizers has it
    ways: list[list[tuple[float, list[str]]]] = [[(0.0, [])]]  # the best cuts of the first letters
    for end in range(1, len(word) + 1):
        reached = [
            (total + score.get(piece, unknown), [*pieces, piece])
            for start in range(max(0, end - 40), end)
            if (piece := word[start:end]) in score or end - start == 1
            for total, pieces in ways[start]
        ]
        ways.append(sorted(reached, key=lambda way: -way[0])[:best])
    return [(pieces, f"log-probability {total:.1f}") for total, pieces in reversed(ways[-1])]


KINDS = {"bpe": _bpe, "wordpiece": _wordpiece, "unigram": _unigram}
