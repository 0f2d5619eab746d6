"""N-gram models: the next word is guessed from the n - 1 words before it, by counting."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from random import Random

from ptm_explore.errors import PtmError, unknown
from ptm_explore.text.task_rows import WORD

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
SMOOTHINGS = ("kneser_ney", "additive", "none")
Context = tuple[str, ...]


def words(text: str) -> list[str]:
    """Words and marks of a text, in lower case."""
    return [match.group() for match in WORD.finditer(text.lower())]


class NGrams:
    """Probabilities of words after n - 1 others, from counts of sentences (lists of words).

    smoothing   "kneser_ney"  every count gives up `amount` (0.75) to what shorter contexts say, where a word
                              counts by how many words it was seen after; the last to be asked is the uniform
                              distribution (interpolated; Chen and Goodman 1999, section 3)
                "additive"    every word counts `amount` (1) times more than it was seen
                "none"        relative frequencies: what was not seen cannot be

    Words seen fewer than `min_count` times are one word, "<unk>", as are those never seen.
    """

    def __init__(self, n=3, smoothing="kneser_ney", amount: float | None = None, min_count=1):
        if smoothing not in SMOOTHINGS:
            raise unknown("smoothing", smoothing, SMOOTHINGS)
        amount = {"kneser_ney": 0.75, "additive": 1.0, "none": 0.0}[smoothing] if amount is None else amount
        if n < 1 or amount < 0 or (smoothing == "kneser_ney" and not 0 < amount < 1):
            raise PtmError(f"n={n}, amount={amount}: n is at least 1; kneser_ney gives up 0 to 1 of a count")
        self.n, self.smoothing, self.amount, self.min_count = n, smoothing, amount, min_count
        self.vocabulary: dict[str, None] = {}
        self._counts: dict[Context, Counter[str]] = {}  # of contexts of every length
        self._totals: dict[Context, int] = {}

    def fit(self, sentences: Iterable[Sequence[str]]) -> "NGrams":
        """Counts them; what was counted before is forgotten. Raises PtmError if there is none."""
        sentences = [list(sentence) for sentence in sentences]
        seen = Counter(word for sentence in sentences for word in sentence)
        if not seen:
            raise PtmError("there are no words to count; give lists of words, as words(text) makes them")
        kept = (word for word, count in seen.most_common() if count >= self.min_count)
        self.vocabulary = dict.fromkeys([*kept, END, UNKNOWN])
        lines = map(self._line, sentences)
        runs = Counter(tuple(line[i : i + self.n]) for line in lines for i in range(len(line) - self.n + 1))
        counts: dict[Context, Counter[str]] = defaultdict(Counter)
        for _ in range(self.n):
            shorter: Counter[Context] = Counter()
            for run, count in runs.items():
                counts[run[:-1]][run[-1]] += count
                # one length below, Kneser and Ney count the words that a run was seen after
                shorter[run[1:]] += 1 if self.smoothing == "kneser_ney" else count
            runs = shorter
        self._counts = dict(counts)
        self._totals = {context: found.total() for context, found in counts.items()}
        return self

    def _line(self, sentence: Sequence[str]) -> list[str]:
        return [START] * (self.n - 1) + [w if w in self.vocabulary else UNKNOWN for w in sentence] + [END]

    def probability(self, word: str, context: Sequence[str] = ()) -> float:
        """Of a word after these; only the last n - 1 of them count."""
        return self._probability(word if word in self.vocabulary else UNKNOWN, self._context(context))

    def _context(self, context: Sequence[str]) -> Context:
        padded = [*[START] * (self.n - 1), *context][len(context) :]
        return tuple(w if w in self.vocabulary or w == START else UNKNOWN for w in padded)

    def _probability(self, word: str, context: Context) -> float:
        total, size = self._totals.get(context, 0), len(self.vocabulary)
        count = self._counts[context][word] if total else 0
        if self.smoothing != "kneser_ney":
            whole = total + self.amount * size
            return (count + self.amount) / whole if whole else 0.0
        lower = self._probability(word, context[1:]) if context else 1 / size
        if not total:
            return lower
        spared = self.amount * len(self._counts[context]) / total
        return max(count - self.amount, 0) / total + spared * lower

    def log_likelihood(self, sentence: Sequence[str]) -> float:
        """Of a sentence and its end, in nats; minus infinity if it cannot be."""
        line, start = self._line(sentence), self.n - 1
        chances = (self._probability(line[i], tuple(line[i - start : i])) for i in range(start, len(line)))
        return sum(math.log(chance) if chance else -math.inf for chance in chances)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Of the words and ends of sentences: as unsure as between so many equally likely words."""
        judged = [(self.log_likelihood(sentence), len(sentence) + 1) for sentence in sentences]
        if not judged:
            raise PtmError("there is no sentence to judge")
        return math.exp(-sum(total for total, _ in judged) / sum(n for _, n in judged))

    def following(self, context: Sequence[str] = (), k: int = 5) -> list[tuple[str, float]]:
        """The k likeliest next words with their probabilities."""
        at = self._context(context)
        # a word that no context was seen with is no likelier than any of those that one was
        tails = [at[i:] for i in range(self.n)] if self.smoothing == "kneser_ney" else [at]
        seen = {word for tail in tails for word in self._counts.get(tail, ())} or self.vocabulary
        ranked = sorted(((self._probability(w, at), w) for w in seen), key=lambda pair: (-pair[0], pair[1]))
        return [(word, chance) for chance, word in ranked[:k]]

    def sample(self, seed: int = 0, context: Sequence[str] = (), longest: int = 50) -> list[str]:
        """Words drawn one after the other until a sentence ends, `longest` at most."""
        rng, line, known = Random(seed), list(context), list(self.vocabulary)
        for _ in range(longest):
            at = self._context(line)
            chances = [self._probability(word, at) for word in known]
            word = rng.choices(known, chances)[0] if any(chances) else END  # nothing can follow
            if word == END:
                break
            line.append(word)
        return line[len(context) :]
