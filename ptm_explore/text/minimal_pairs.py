"""Minimal pairs on the words of the generated world: a good sentence, and a bad one that differs in a thing.

Each draw of words makes two pairs that mirror each other ("the key is", "the keys are"), so that over a
phenomenon good and bad sentences hold the same words equally often, and as many: counting words is at chance.
After BLiMP (Warstadt et al. 2020), with words that a mini model knows.
"""

from collections.abc import Callable, Iterator
from random import Random
from types import SimpleNamespace

from ptm_explore.text.world import grammar as g
from ptm_explore.text.world.grammar import LEXICON, Phrase, Word, clause, name, noun, pp

EACH = 1_000  # pairs of a phenomenon
# words that the world says often, in all the forms that are needed here
THINGS, PEOPLE = LEXICON.lists["pairs.things"], LEXICON.lists["pairs.people"]
MEN = LEXICON.lists["men.kind"]
ADJECTIVES = ("old", "new", "small", "big", "strange", "quiet", "famous", "happy", "proud")
SHORT = "old heavy round white black strong big dusty grey green tall thick"
DONE = ("find", "discover", "notice", "spot", "buy", "see", "mend", "repair", "fix")
MADE = ("paint", "carve", "mend", "clean", "count", "examine", "weigh")
IDLE = ("sleep", "rest", "work", "wait", "stand", "wave", "cough")
PLACES = (*LEXICON.lists["sites"], *LEXICON.lists["places"])
SITES = {how: tuple(s for s in LEXICON.lists[how] if s in PLACES) for how in ("in", "on")}


def _draw(rng: Random) -> SimpleNamespace:
    """The words of two mirrored pairs."""
    lists = LEXICON.lists
    p, q = rng.sample(PEOPLE, 2)
    x, y = rng.sample(THINGS, 2)
    names = rng.choice(lists["women"]), rng.choice(lists["men"])
    return SimpleNamespace(
        p=p, q=q, x=x, y=y, man=rng.choice(MEN), names=names, other=rng.choice(lists["women"] + lists["men"]),
        a=rng.choice(ADJECTIVES), b=rng.choice(SHORT.split()), does=rng.choice(IDLE), did=rng.choice(DONE),
        made=rng.choice(MADE), count=rng.choice(lists["numbers"]), day=rng.choice(lists["days"]),
        tense=rng.choice(("present", "past")), sites=(rng.choice(SITES["in"]), rng.choice(SITES["on"])),
    )  # fmt: skip


def _as_if(subject: Phrase, plural: bool) -> Phrase:
    """The verb will agree as if the subject were of this number."""
    subject.plural = plural
    return subject


def _agreement(v, flip, wrong):
    """The keys near the cabinet are old."""
    subject = noun(v.x, plural=flip, after=[pp("near", noun(v.y, plural=not flip))])
    return clause(_as_if(subject, flip != wrong), "be", g.adjective(v.a), tense=v.tense)


def _agreement_relative(v, flip, wrong):
    """The trader that stood near the sailors works."""
    inner = clause(noun(v.p), "stand", pp("near", noun(v.q, plural=not flip)), silent=True)
    subject = noun(v.p, plural=flip, after=[g.because("that", inner, "acl:relcl")])
    return clause(_as_if(subject, flip != wrong), v.does, tense="present")


def _agreement_verb(v, flip, wrong):
    """The traders work every day."""
    subject = _as_if(noun(v.p, plural=flip), flip != wrong)
    return clause(subject, v.does, pp("on", name(v.day)), tense="present")


def _coordination(v, flip, wrong):
    """Anna and Tom are happy."""
    one = name(v.names[0])
    subject = g.both(one, name(v.names[1])) if flip else one
    return clause(_as_if(subject, flip != wrong), "be", g.adjective(v.a), tense=v.tense)


def _determiner(v, flip, wrong):
    """Anna saw these boats."""
    return clause(name(v.other), v.did, noun(v.x, "these" if flip != wrong else "this", plural=flip))


def _quantifier(v, flip, wrong):
    """Every boat was old; all boats were old."""
    subject = noun(v.x, "all" if flip != wrong else "every", plural=flip)
    return clause(subject, "be", g.adjective(v.a), tense=v.tense)


def _numeral(v, flip, wrong):
    """Anna found one boat; Anna found two boats."""
    return clause(name(v.other), v.did, noun(v.x, "", plural=flip, count=v.count if flip != wrong else "one"))


def _reflexive_gender(v, flip, wrong):
    """Anna hurt herself near the boat."""
    return _hurt(name(v.names[flip]), "fm"[flip != wrong], v)


def _reflexive_number(v, flip, wrong):
    """The old boys hurt themselves near the boat."""
    return _hurt(noun(v.man, "the", v.a, plural=flip), "mp"[flip != wrong], v)


def _hurt(who: Phrase, themselves: str, v) -> Phrase:
    return clause(who, "hurt", g.pronoun(themselves, "reflexive"), pp("near", noun(v.x)))


def _case(v, flip, wrong):
    """She greeted Tom near the boat; Tom greeted her near the boat."""
    other = g.pronoun("f", "subject" if flip == wrong else "object")
    other.plural, other.person = False, 3
    first, second = (name(v.names[1]), other) if flip else (other, name(v.names[1]))
    return clause(first, "greet", second, pp("near", noun(v.x)))


def _tense(v, flip, wrong):
    """Yesterday Anna was happy; tomorrow Anna will be happy."""
    when = g.adverb("tomorrow" if flip != wrong else "yesterday")
    return clause(name(v.other), "be", g.adjective(v.a), modal="will" if flip else "", front=when)


def _polarity(v, flip, wrong):
    """No trader that stood near the sailor found any kites."""
    outer, inside = ("the", "no") if wrong else ("no", "the")
    one, other = (v.q, v.p) if flip else (v.p, v.q)
    inner = clause(noun(one), "stand", pp("near", noun(other, inside)), silent=True)
    subject = noun(one, outer, after=[g.because("that", inner, "acl:relcl")])
    return clause(subject, v.did, noun(v.x, "any", plural=True))


def _arguments(v, flip, wrong):
    """Anna found the kite; Anna slept near the kite."""
    thing = pp("near", noun(v.x)) if flip else noun(v.x)
    return clause(name(v.other), v.does if flip != wrong else v.did, thing)


def _filler_gap(v, flip, wrong):
    """What did Anna find yesterday? Did Anna find kites yesterday?"""
    last = noun(v.x, "", plural=True) if flip != wrong else g.adverb("yesterday")
    return clause(name(v.other), v.did, last, ask="?" if flip else "what")


def _passive(v, flip, wrong):
    """The kite was painted by Anna; Anna was painting the kite."""
    rest = noun(v.x) if flip else pp("by", name(v.other))
    made = clause(name(v.other) if flip else noun(v.x), v.made, rest, passive=not flip, progressive=flip)
    made.head.form = LEXICON.verb(v.made)[4 if flip != wrong else 3]
    return made


def _comparative(v, flip, wrong):
    """The kite was older than the lamp; the kite was very old."""
    than = [] if flip else [pp("than", noun(v.y))]
    made = g.adjective(v.b, *than, comparative=flip == wrong, very=flip)
    return clause(noun(v.x), "be", made, tense=v.tense)


def _ellipsis(v, flip, wrong):
    """Anna smiled and Tom did too; Anna was happy and Tom was too."""
    first = clause(name(v.names[0]), "be", g.adjective(v.a)) if flip else clause(name(v.names[0]), v.does)
    return g.both(first, clause(name(v.names[1]), "be" if flip != wrong else "do", g.adverb("too")))


def _cause(v, flip, wrong):
    """Anna was sad because the kite was gone; the kite was gone, so Anna was sad."""
    sad, gone = clause(name(v.other), "be", g.adjective("sad")), clause(noun(v.x), "be", g.adjective("gone"))
    first, second = (gone, sad) if flip else (sad, gone)
    made = g.both(first, second, "so" if flip != wrong else "because")
    made.words = [word for word in made.words if word.form != ","]  # "because" takes none
    return made


def _place(v, flip, wrong):
    """Anna found the kite in the garden; Anna found the kite on the bridge."""
    return clause(name(v.other), v.did, noun(v.x), pp("on" if flip != wrong else "in", noun(v.sites[flip])))


def _inversion(v, flip, wrong):
    """Where is the old kite?"""
    made = clause(noun(v.x, "the", v.b, plural=flip), "be", tense=v.tense, ask="where")
    made.words = [made.words[0], *made.words[2:], made.words[1]] if wrong else made.words
    return made


_VERBS = (_agreement, _agreement_relative, _agreement_verb, _coordination)
_FORMS = (_determiner, _quantifier, _numeral, _reflexive_gender, _reflexive_number, _case, _tense, _polarity)
_CLAUSES = (_arguments, _filler_gap, _passive, _comparative, _ellipsis, _cause, _place, _inversion)
PHENOMENA: dict[str, Callable[..., Phrase]] = {f.__name__[1:]: f for f in (*_VERBS, *_FORMS, *_CLAUSES)}
ASKED = ("filler_gap", "inversion")

Said = tuple[str, tuple[Word, ...]]  # a sentence and its words


def pairs(phenomenon: str, seed: int = 0) -> Iterator[tuple[Said, Said]]:
    """Good and bad sentences of a phenomenon, each as text and words; none comes twice, and they end when
    there are hardly any new ones."""
    build, end = PHENOMENA[phenomenon], "?" if phenomenon in ASKED else "."
    rng, seen, known = Random(f"{phenomenon} {seed}"), set[str](), 0
    ways = (False, True)
    while known < 1_000:
        known += 1
        words = _draw(rng)
        good, bad = ([g.realise(build(words, flip, wrong), end) for flip in ways] for wrong in ways)
        texts = {text for text, _ in good}
        if not texts & seen:
            seen |= texts
            known = 0
            yield from zip(good, bad, strict=True)
