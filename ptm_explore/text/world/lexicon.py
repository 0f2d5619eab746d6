"""The words: reads `lexicon.txt`, inflects, and picks words by rank, so that counts follow Zipf's law."""

import re
from bisect import bisect
from functools import cache
from importlib.resources import files
from itertools import accumulate

VOWELS = "aeiou"


class Lexicon:
    """`lists[key]` is a ranked tuple of words; methods inflect a word or pick one."""

    def __init__(self, text: str):
        lines = (line.partition(":") for line in text.splitlines() if line and line[0] != "#")
        self.raw = {key.strip(): value.strip() for key, _, value in lines}
        self.lists = {key: tuple(value.split()) for key, value in self.raw.items()}
        self._class = {w: key[6:] for key, words in self.lists.items() if key[:6] == "class." for w in words}
        self._mass = frozenset(self.lists["mass"])
        self._irregular = {entry.split("/")[0]: entry.split("/") for entry in self.lists["verbs"]}
        self._compared = {one: forms for one, *forms in (e.split("/") for e in self.lists["comparisons"])}
        self._plurals = dict(pair.split("/") for pair in self.lists["plurals"])

    def pick(self, rng, words: str | tuple[str, ...]) -> str:
        """One word of a list, given by its key or as a tuple; a word of rank r has weight (r + 3) ** -0.8."""
        words = self.lists[words] if isinstance(words, str) else words
        weights = _zipf(len(words))
        return words[bisect(weights, rng.random() * weights[-1])]

    def kind(self, noun: str) -> str:
        """The semantic class of a noun: it decides which adjectives and verbs go with it."""
        return self._class.get(noun, "")

    def is_mass(self, noun: str) -> bool:
        return noun in self._mass

    def plural(self, noun: str) -> str:
        return self._plurals.get(noun) or (noun if noun in self._mass else _third(noun))

    @cache  # noqa: B019 - one lexicon lives as long as the process
    def verb(self, lemma: str) -> tuple[str, ...]:
        """(base, third person, past, participle, -ing form)"""
        _, *given = self._irregular.get(lemma, [lemma])
        stem = lemma + lemma[-1] if _doubles(lemma) else lemma[:-1] if lemma[-1] == "e" else lemma
        past = lemma[:-1] + "ied" if lemma[-1] == "y" and lemma[-2] not in VOWELS else stem + "ed"
        ing = {"ie": lemma[:-2] + "y", "ee": lemma}.get(lemma[-2:], stem) + "ing"
        third = {"have": "has", "do": "does", "go": "goes"}.get(lemma) or _third(lemma)
        return lemma, third, *given, *[past, past, ing][len(given) :]

    @cache  # noqa: B019
    def degree(self, adjective: str, superlative: bool = False) -> tuple[str, ...]:
        """Words of the comparative or superlative: ("kinder",), ("most", "famous")."""
        if adjective in self._compared:
            return (self._compared[adjective][superlative],)
        ending = "est" if superlative else "er"
        groups = len(re.findall(r"[aeiouy]+", adjective.removesuffix("e")))  # about its syllables
        if adjective in self.lists["more"] or groups > 2 or (groups == 2 and adjective[-1] not in "ye"):
            return ("most" if superlative else "more", adjective)
        if adjective[-1] == "y" and adjective[-2] not in VOWELS:
            return (adjective[:-1] + "i" + ending,)
        stem = adjective.removesuffix("e")
        return (stem + stem[-1] * _doubles(adjective) + ending,)

    def derive(self, adjective: str, how: str) -> str | None:
        """Its `abstract` noun (kind: kindness) or `opposites` adjective (kind: unkind)."""
        return dict(pair.split("/") for pair in self.lists[how]).get(adjective)


@cache
def _zipf(n: int) -> list[float]:
    return list(accumulate((r + 3) ** -0.8 for r in range(n)))


def _third(word: str) -> str:
    """Plural of a noun, or third person of a verb: the spelling rules are the same."""
    if word[-1] == "y" and word[-2] not in VOWELS:
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def _doubles(word: str) -> bool:
    """stop: stopping, but not: wait, open, fix, snow."""
    one_vowel = sum(letter in VOWELS for letter in word) == 1
    return len(word) > 2 and one_vowel and word[-2] in VOWELS and word[-1] not in VOWELS + "wxy"


@cache
def lexicon() -> Lexicon:
    """The package's lexicon, read once."""
    return Lexicon(files(__package__).joinpath("lexicon.txt").read_text("utf-8"))
