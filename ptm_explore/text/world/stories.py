"""Documents: casts and performs the scripts of `lexicon.txt`; some of their steps look at the scene first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any
from zlib import crc32

from ptm_explore.errors import unknown
from ptm_explore.text.world import grammar as g
from ptm_explore.text.world.grammar import LEXICON, Phrase, Word
from ptm_explore.text.world.state import Entity, Event, Fact, world
from ptm_explore.text.world.teller import Step, Teller, at, frame, script

GENRES = ("story", "letter", "news", "guide", "review", "report", "note")
# A split takes the documents whose checksum modulo 8 is one of these: whatever the seeds, none is in two.
SPLITS = {"train": (0, 1, 2, 3), "dev": (4, 5), "test": (6, 7)}
STILL = frozenset(LEXICON.lists["still"])


@dataclass(frozen=True, slots=True)
class Document:
    """`words[i]` is the dependency tree of `sentences[i]`; `facts` and `events` are those it tells;
    `sentiment` is "praise" or "blame" for a review."""

    genre: str
    sentences: tuple[str, ...]
    words: tuple[tuple[Word, ...], ...] = field(repr=False)
    facts: tuple[Fact, ...] = field(repr=False)
    events: tuple[Event, ...] = field(repr=False)
    sentiment: str | None = None

    @property
    def text(self) -> str:
        return " ".join(self.sentences)

    def offsets(self) -> list[list[tuple[int, int]]]:
        """The characters of `text` where each word of each sentence stands."""
        at, text, result = 0, self.text, []
        for words in self.words:
            result.append([(at := text.index(word.form, at), at := at + len(word.form)) for word in words])
        return result


# --- steps that look at the scene ---
def once(t: Teller, hero: Entity) -> None:
    """Once there was a baker called Anna in Marrow."""
    if "trade" in t.world.of[hero]:
        t.told(hero, "trade")
    t.told(hero, "lives_in")
    home, verb = g.pp("in", g.name(t.town.name, t.town)), "live" if t.chance(0.4) else "be"
    t.say(g.there(t.called(hero), home, verb=verb, front=g.adverb("once")))
    t.last[hero] = None


def scenery(t: Teller, who: Entity | None = None, site: str = "") -> None:
    """What there is at a place; often with a noun of another number between subject and verb."""
    site = site or (t.scene.at.get(who) if who else None) or t.site()
    word, near = t.pick(t.world.sights[site]), t.pick(t.world.sights[site])
    kind, mass, roll = LEXICON.kind(word), LEXICON.is_mass(word), t.rng.random()
    many = t.chance(0.6) and not mass
    others = t.chance(0.5) and not LEXICON.is_mass(near)  # agreeing or not: neither noun gives the verb away
    spot = g.pp("near", g.noun(near, "the", *[t.adjective(near)] * t.chance(0.6), plural=others))
    quality = t.pick(traits(kind))
    trait = g.adjective(quality, very=t.chance(0.2))
    if roll < 0.2:
        count = t.pick("numbers") if many else t.rng.choice(("", "one")) * (not mass)
        found = g.noun(word, "" if count else "a", t.adjective(word), plural=many, count=count)
        t.say(g.there(found, at(site), tense=t.always))
    elif roll < 0.4:
        does = "does." + kind if "does." + kind in LEXICON.lists else "does.thing"
        doer = g.noun(word, "the" if many else "a", plural=many)
        t.state(doer, t.pick(does), spot, progressive=t.chance(0.4))
    elif roll < 0.6:
        quantifier = t.pick("amounts" if mass else "quantifiers")
        plural = not mass and quantifier not in ("every", "each", "no", "this")
        t.state(g.noun(word, quantifier, plural=plural, after=[at(site)]), "be", trait)
    elif roll < 0.7:
        than = g.pp("than", g.noun(near, plural=others))
        t.state(g.noun(word, plural=many), "be", g.adjective(quality, than, comparative=True))
    elif roll < 0.84:
        t.state(g.noun(word, plural=many, after=[spot]), "be", trait, negative=t.chance(0.15))
    elif roll < 0.92:
        inner = g.clause(g.noun(word, plural=many), "stand", spot, tense=t.always, silent=True)
        t.state(g.noun(word, plural=many, after=[g.because("that", inner, "acl:relcl")]), "be", trait)
    else:
        t.state(g.noun(site), "be", g.adjective(t.pick("adj.site")))


@cache
def traits(kind: str) -> tuple[str, ...]:
    """The adjectives of a class that can be said of it with "be"."""
    return tuple(a for a in LEXICON.lists["adj." + kind] if a in STILL) or ("old",)


def labour(t: Teller, who: Entity, teacher: Entity | None = None) -> None:
    """What somebody's trade makes them do: she was kneading dough."""
    trade = (teacher or who).noun
    if trade not in t.world.trades:
        return weather(t)
    verb, objects = t.rng.choice(t.world.trades[trade][1])
    thing = t.slot(t.rng.choice(("some", "some", "a", "this", "these")), t.pick(objects))
    if t.chance(0.2):
        t.state(thing, verb, g.pp("by", t.ref(who, "object", plain=True)), passive=True)
    else:
        t.state(t.ref(who), verb, thing, progressive=t.chance(0.5))


def whereabouts(t: Teller, entity: Entity, **features) -> Phrase:
    """Piet has the kite; the kite is in the garden; Piet is at the market: what is true in the scene."""
    place = t.scene.holder.get(entity, t.scene.at.get(entity))
    if isinstance(place, Entity):
        return t.fill("frame.have", t.ref(place), [entity], **features)
    return t.fill("frame.be_at", t.ref(entity, plain=not t.me), [place], manner="" if t.me else "still")


def remind(t: Teller, *_) -> None:
    """What is the case by now, about somebody or something not just mentioned."""
    known = [e for e in (*t.scene.holder, *t.scene.at) if e in t.known and e not in t.last]
    if known:
        t.say(whereabouts(t, t.rng.choice(known), front=g.adverb(t.pick(("now", "by_then")))))
    else:
        weather(t)


def weather(t: Teller, *_) -> None:
    t.state(g.pronoun("n"), "be", g.adjective(t.weather), manner="still" if "sky" in t.env else "")
    t.env["sky"] = t.weather


def trifle(t: Teller, who: Entity) -> None:
    """A small sentence that keeps a story going: the place, a neighbour at work, a fact, the weather."""
    site, roll = t.scene.at.get(who), t.rng.random()
    if roll < 0.25:
        return
    workers = [p for p in t.folk if site and site == t.world.of[p].get("works_at") == t.scene.at.get(p, site)]
    if workers and roll < 0.52:
        labour(t, workers[0])
    elif site and roll < 0.72:
        scenery(t, who)
    elif roll < 0.8:
        t.state(t.ref(who), t.pick("spare"), manner=t.pick("manner") if t.chance(0.6) else "")
    elif roll < 0.86:
        remind(t)
    elif roll < 0.95:
        t.say(t.fact(who, t.relation(who)))
    else:
        weather(t)


def where(t: Teller, seeker: Entity, helper: Entity, thing: Entity) -> None:
    """Where is my kite? -- and the true answer."""
    t.speak(seeker, helper, lambda: g.clause(t.ref(thing), "be", tense="present", ask="where"), "?")
    t.speak(helper, seeker, lambda: whereabouts(t, thing))


def quiz(t: Teller, who: Entity, hearer: Entity, about: Entity) -> None:
    """A question about a fact of the world, and its true answer."""
    relation, facts = t.relation(about), t.world.of
    verb, _, ask = frame("fact." + relation)
    key, value = "fact." + relation, facts[about][relation]
    if ask != "?":
        verb = t.pick(verb[1:]) if verb[0] == "@" else verb
        t.speak(who, hearer, lambda: g.clause(t.ref(about), verb, tense="present", ask=ask), "?")
        return t.speak(hearer, who, lambda: t.fact(about, relation))
    others = [known[relation] for one, known in facts.items() if one.kind == about.kind and relation in known]
    guess = value if isinstance(value, Entity) or t.chance(0.5) else t.rng.choice(others)
    t.speak(who, hearer, lambda: t.fill(key, t.ref(about), [guess], ask="?"), "?")
    front = g.adverb("yes" if guess == value else "no", "INTJ")
    t.speak(hearer, who, lambda: t.fact(about, relation, front=front))


def meet_at(t: Teller, hero: Entity, other: Entity) -> None:
    """The hero goes where the other one is."""
    site = t.scene.at.get(other) or t.world.of[other].get("works_at") or t.site()
    t.happen("go", other, site)
    if t.scene.at.get(hero) != site:
        t.happen("go", hero, site)
        t.say(t.fill("frame.go", t.ref(hero), [site], front=t.opening(("~",))))


def dear(t: Teller, writer: Entity, reader: Entity, *_) -> None:
    """Dear Anna, I hope that you are well."""
    t.me, t.you = writer, reader
    made = t.build(script(t.rng.choice(groups()["greeting"]))[1][0])
    names = g.name(reader.name, reader).under(made.head, "vocative")
    made.words[:0] = [Word("dear", "ADJ", names[0], "amod"), *names, g.comma(names[0])]
    t.say(made)


def sign(t: Teller, writer: Entity, reader: Entity) -> None:
    """Your sister, Anna."""
    tie = next((r for r in LEXICON.lists["kin"] if t.world.of[reader].get(r) is writer), "")
    if tie:
        t.told(reader, tie)
    made = g.noun(tie, "your") if tie else g.pp("with", g.noun("love", None))
    made.words += [g.comma(made.head), *g.name(writer.name, writer).under(made.head, "appos")]
    t.say(made)


def compare(t: Teller, town: Entity, other: Entity) -> None:
    """Marrow has more bridges than Fenwick."""
    count, less = (LEXICON.lists["numbers"].index(t.told(one, "bridges")) for one in (town, other))
    if count != less:
        than = g.pp("than", g.name(other.name, other))
        bridges = g.noun("bridge", "more" if count > less else "fewer", plural=True, after=[than])
        t.state(t.ref(town), "have", bridges)


_STEPS = (once, scenery, labour, remind, weather, where, quiz, meet_at, dear, sign, compare)
STEPS = {"~": trifle} | {step.__name__: step for step in _STEPS}


# --- performing scripts -------------
def cast(t: Teller, kind: str) -> Any:
    """Somebody or something for a role of a script; None if the town has nobody like that."""
    of, trades, taken = t.world.of, t.world.trades, set(t.env.values())
    if kind[0] == "@":
        found = t.value(kind)
        return t.value(kind) if found in taken else found
    if "." in kind:  # P.likes, P.character.opposites
        role, relation, *derived = kind.split(".")
        value: Any = of[t.env[role]].get(relation)
        return LEXICON.derive(value, *derived) if derived else value
    if kind == "site":
        return t.site(*taken)
    if kind == "town":
        return t.world.famous(t.rng, [town for town in t.world.towns if town is not t.town])
    if kind in ("toy", "goods"):
        seller: Any = t.env.get("S", t.env.get("P"))
        word = t.pick("class." + t.pick("toys") if kind == "toy" else trades[seller.noun][2])
        thing = Entity(word, "thing", "n", word, t.adjective(word))
        if kind == "goods":
            t.happen("own", seller, thing)
        return thing
    fits = {
        "seller": lambda p: p.noun in trades and trades[p.noun][2],
        "worker": lambda p: p.noun in trades,
        "adult": lambda p: p.noun in trades,
        "healer": lambda p: p.noun in ("doctor", "nurse"),
        "owner": lambda p: "animal" in of[p],
    }.get(kind, lambda p: kind in ("person", "anyone") or p.noun == kind)
    people = t.world.people if kind in ("adult", "anyone") else t.folk
    people = [p for p in people if p not in taken and fits(p)]
    return t.world.famous(t.rng, people) if people else None


def take(t: Teller, step: Step) -> None:
    """Tells one step: speech, a function of this file, a script within it, a silent event, a clause."""
    values = [t.value(arg) for arg in step.args]
    if step.frame == "say":
        t.speak(values[0], values[1], lambda: t.build(step.links[0][1]))
    elif step.frame == "ask":
        t.speak(values[0], values[1], lambda: t.build(step.links[0][1], ask=values[2]), "?")
    elif step.frame in STEPS:
        STEPS[step.frame](t, *values)
    elif "do." + step.frame in LEXICON.raw:
        perform(t, LEXICON.raw["do." + step.frame])
    elif step.mark == "-":
        t.happen(step.frame, *values)
    else:
        t.say(t.build(step), "?" if "ask" in step.features else ".")


def perform(t: Teller, text: str) -> bool:
    """Casts and tells one script; False if it cannot be cast."""
    roles, steps = script(text)
    t.env = {role: one for role, one in t.env.items() if "&" not in role}  # pairs of an earlier cast
    for role, kind in roles:
        t.env[role] = None
        t.env[role] = cast(t, kind)
        if t.env[role] is None:
            return False
    for step in steps:
        if step.mark != "?" or t.chance(0.5):
            take(t, step)
    return True


def choose(t: Teller, part: str) -> bool:
    """Tells a script of a group, such as plot; one that cannot be cast in this town gives way to another.
    False if there is none left."""
    group = [text for text in groups()[part] if text not in t.performed]
    while group:
        text = group.pop(int(t.rng.random() * len(group)))
        if perform(t, text):
            t.performed.add(text)
            return True
    return False


@cache
def groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, text in LEXICON.raw.items():
        if "." in key:
            found.setdefault(key.partition(".")[0], []).append(text)
    return found


def documents(split: str = "train", seed: int = 0, genre: str = "") -> Iterator[Document]:
    """Documents without end, the same for the same split and seed; no document is in two splits. They are of
    all genres, unless one is named.

    All of them agree with `world()`. Raises PtmError for a split that is not train, dev or test.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    rng, classes = Random(f"{split} {seed}"), SPLITS[split]
    while True:
        kind = genre or LEXICON.pick(rng, GENRES)
        *parts, last = LEXICON.lists["genre." + kind]
        t = Teller(rng, world(), kind)
        t.env |= {"hero": t.world.famous(rng, t.folk), "here": t.town}
        t.me = t.env["hero"] if kind == "review" else None
        told = [part.lstrip("?") for part in parts if part[0] != "?" or t.chance(0.5)]
        if not all(choose(t, t.env.get(part, part)) for part in told):  # K, in reviews: what is reviewed
            continue
        # Only the ending is told anew until the text falls into the split: cheaper than a whole document.
        length, facts, before = len(t.sentences), len(t.facts), t.last
        for _ in range(12):
            choose(t, last)
            if 3 <= len(t.sentences) <= 30 and crc32(" ".join(t.sentences).encode()) % 8 in classes:
                told_of = tuple(t.sentences), tuple(t.words), tuple(t.facts), tuple(t.events)
                yield Document(kind, *told_of, t.env["V"] if kind == "review" else None)
                break
            t.performed.clear()
            del t.sentences[length:], t.words[length:], t.facts[facts:]
            t.last = before
