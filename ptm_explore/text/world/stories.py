"""Documents: casts and performs the scripts of `lexicon.txt`, with the steps that look at the scene to know what to say."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from zlib import crc32

from ptm_explore.errors import unknown
from ptm_explore.text.world.grammar import LEXICON, Phrase, Word, adjective, adverb, because, clause, name, noun, pp, pronoun, there
from ptm_explore.text.world.state import Entity, Event, Fact, world
from ptm_explore.text.world.teller import Teller, at, frame, script

# A split takes the documents whose checksum, modulo 8, is one of these: so splits share none, whatever the seeds.
GENRES = ("story", "letter", "news", "guide")
SPLITS = {"train": (0, 1, 2, 3), "dev": (4, 5), "test": (6, 7)}
TOYS = ("toy", "book", "clothes", "jewel", "instrument", "light", "vessel", "tool")
QUANTIFIERS = ("all the", "every", "most", "some", "many", "no", "each", "few", "both", "several")
GREETINGS = (
    "hope hero +present that be P well +present", "be hero @happy +present to write hero P",
    "thank_letter hero P +present +drop", "be hero @mood +present and hope hero +present that be P @mood +present",
)
STILL = frozenset(LEXICON.lists["still"])


@dataclass(frozen=True, slots=True)
class Document:
    """`words[i]` is the dependency tree of `sentences[i]`; `facts` of the world and `events` are those it tells."""

    genre: str
    sentences: tuple[str, ...]
    words: tuple[tuple[Word, ...], ...] = field(repr=False)
    facts: tuple[Fact, ...] = field(repr=False)
    events: tuple[Event, ...] = field(repr=False)

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


# --- steps that look at the scene -------------------------------------------------------------------------------------
def once(t: Teller, hero: Entity) -> None:
    """Once there was a baker called Anna in Marrow."""
    if "trade" in t.world.of[hero]:
        t.told(hero, "trade")
    t.told(hero, "lives_in")
    verb = "live" if t.chance(0.4) else "be"
    t.say(there(t.called(hero), pp("in", name(t.town.name, t.town)), verb=verb, front=adverb("once")))
    t.last[hero] = None


def has(t: Teller, who: Entity, thing: Entity) -> None:
    """Anna had a red kite."""
    t.happen("own", who, thing)
    t.say(t.fill("frame.have", t.ref(who), [thing]))
    thing.owner = who


def scenery(t: Teller, who: Entity | None = None, site: str = "") -> None:
    """What there is at a place; some of these put a noun of another number between subject and verb."""
    site = site or t.scene.at.get(who) or t.site()
    nouns = t.world.sights[site]
    word = t.pick(nouns)
    kind, many, roll = LEXICON.kind(word), t.chance(0.6) and not LEXICON.is_mass(word), t.rng.random()
    det = "the" if many else "a"
    landmark = t.pick("spots") if t.chance(0.3) else t.pick(nouns)
    plural = not many and not LEXICON.is_mass(landmark)
    spot = pp("near", noun(landmark, "the", *[t.adjective(landmark)] * t.chance(0.6), plural=plural))
    trait = adjective(t.pick(traits(kind)))
    if roll < 0.25:
        count = t.pick("numbers") if many else ""
        made = there(noun(word, "" if many else "a", t.adjective(word), plural=many, count=count), at(site), tense=t.always)
    elif roll < 0.5:
        does = "does." + kind if "does." + kind in LEXICON.lists else "does.thing"
        made = clause(noun(word, det, plural=many), t.pick(does), spot, tense=t.always, progressive=t.chance(0.4))
    elif roll < 0.62:
        quantifier = t.pick(QUANTIFIERS)
        many = quantifier not in ("every", "each", "no")
        first, _, det = quantifier.partition(" ")
        subject = noun(word, det or first, plural=many, after=[at(site)])
        if det:
            subject.words.insert(0, Word(first, "DET", subject.head, "det:predet"))
        made = clause(subject, "be", trait, tense=t.always)
    elif roll < 0.9:
        if roll > 0.8:
            inner = clause(noun(word, plural=many), "stand", spot, tense=t.always, silent=True)
            spot = because("that", inner, "acl:relcl")
        made = clause(noun(word, "the", plural=many, after=[spot]), "be", trait, tense=t.always, negative=t.chance(0.15))
    else:
        made = clause(noun(site), "be", adjective(t.pick("adj.site"), adverb="very" if t.chance(0.3) else ""), tense=t.always)
    t.say(made)


def traits(kind: str, known: dict[str, tuple[str, ...]] = {}) -> tuple[str, ...]:  # noqa: B006 - a memo
    """The adjectives of a class that can be said of it with "be"."""
    if kind not in known:
        known[kind] = tuple(a for a in LEXICON.lists["adj." + kind if kind else "adj"] if a in STILL) or ("old",)
    return known[kind]


def labour(t: Teller, who: Entity, teacher: Entity | None = None) -> None:
    """What somebody's trade makes them do: she was kneading dough."""
    trade = (teacher or who).noun
    if trade not in t.world.trades:
        return weather(t)
    verb, objects = t.rng.choice(t.world.trades[trade][1])
    thing = t.slot("some" if t.chance(0.6) else "a", t.pick(objects))
    t.say(clause(t.ref(who), verb, thing, tense=t.always, progressive=t.always == "past" and t.chance(0.7)))


def remind(t: Teller, *_) -> None:
    """What is the case by now: who has a thing, where it lies, where somebody is."""
    scene = t.scene
    things = [e for e in (*scene.holder, *scene.at) if e in t.known and e not in t.last]
    if not things:
        return weather(t)
    entity = t.rng.choice(things)
    holder = scene.holder.get(entity, scene.at.get(entity))
    if isinstance(holder, Entity):
        subject = t.ref(holder)
        t.say(clause(subject, "have", t.ref(entity, "object"), tense=t.tense, front=adverb(t.pick(("now", "by_then")))))
    else:
        t.say(clause(t.ref(entity, plain=True), "be", at(holder), tense=t.always, manner="still"))


def weather(t: Teller, *_) -> None:
    t.say(clause(pronoun("n"), "be", adjective(t.weather), tense=t.always, manner="still" if t.env.get("sky") else ""))
    t.env["sky"] = t.weather


def trifle(t: Teller, who: Entity) -> None:
    """A small sentence that keeps a story going: the place, a neighbour at work, a fact, the weather."""
    site, roll = t.scene.at.get(who), t.rng.random()
    if roll < 0.25:
        return
    workers = [p for p in t.folk if site and t.world.of[p].get("works_at") == site and t.scene.at.get(p, site) == site]
    if workers and roll < 0.52:
        labour(t, workers[0])
    elif site and roll < 0.72:
        scenery(t, who)
    elif roll < 0.8:
        t.say(clause(t.ref(who), t.pick("spare"), tense=t.always, manner=t.pick("manner") if t.chance(0.6) else ""))
    elif roll < 0.86:
        remind(t)
    elif roll < 0.95:
        t.say(t.fact(who, t.relation(who)))
    else:
        weather(t)


def where(t: Teller, seeker: Entity, helper: Entity, thing: Entity) -> None:
    """Where is my kite? -- and the true answer."""
    t.speak(seeker, helper, lambda: clause(t.ref(thing), "be", tense="present", ask="where"), "?")
    holder = t.scene.holder[thing]
    if isinstance(holder, Entity):
        t.speak(helper, seeker, lambda: t.fill("frame.have", t.ref(holder), [thing]))
    else:
        t.speak(helper, seeker, lambda: t.fill("frame.be_at", t.ref(thing), [holder]))


def quiz(t: Teller, who: Entity, hearer: Entity, about: Entity) -> None:
    """A question about a fact of the world, and its true answer."""
    relation, facts = t.relation(about), t.world.of
    verb, _, ask = frame("fact." + relation)
    key, value = "fact." + relation, facts[about][relation]
    if ask != "?":
        verb = t.pick(verb[1:]) if verb[0] == "@" else verb
        t.speak(who, hearer, lambda: clause(t.ref(about), verb, tense="present", ask=ask), "?")
        return t.speak(hearer, who, lambda: t.fact(about, relation))
    others = [known[relation] for one, known in facts.items() if one.kind == about.kind and relation in known]
    guess = value if isinstance(value, Entity) or t.chance(0.5) else t.rng.choice(others)
    t.speak(who, hearer, lambda: t.fill(key, t.ref(about), [guess], ask="?"), "?")
    front = adverb("yes" if guess == value else "no", "INTJ")
    t.speak(hearer, who, lambda: t.fact(about, relation, front=front))


def purchase(t: Teller, hero: Entity, seller: Entity, thing: Entity) -> None:
    """The hero goes to somebody who makes things, asks the price and buys one."""
    site = t.world.of[seller]["works_at"]
    t.happen("go", seller, site)
    if t.scene.at.get(hero) != site:
        t.happen("go", hero, site)
        t.say(t.fill("frame.go", t.ref(hero), [site], front=t.opening(("~",))))
    if t.genre == "story" and t.chance(0.6):
        labour(t, seller)
    if t.chance(0.5):
        t.speak(hero, seller, lambda: clause(noun(thing.noun, "a"), "cost", tense="present", ask="what"), "?")
        t.speak(seller, hero, lambda: t.fill("frame.cost_coins", pronoun("n"), [thing]))
    subject = t.ref(hero)
    t.happen("buy", hero, thing, seller)
    t.say(t.fill("frame.buy", subject, [thing, seller, thing]))
    thing.owner = hero


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
    made = t.build(script(t.pick(GREETINGS))[1][0])
    names = name(reader.name, reader).under(made.head, "vocative")
    names.insert(0, Word("dear", "ADJ", names[0], "amod"))
    made.words[:0] = [*names, Word(",", "PUNCT", names[1], "punct")]
    t.say(made)


def sign(t: Teller, writer: Entity, reader: Entity) -> None:
    """Your sister, Anna."""
    tie = next((r for r in ("sister", "brother", "mother", "father", "friend") if t.world.of[reader].get(r) is writer), "")
    if tie:
        t.told(reader, tie)
        made = noun(tie, "your")
    else:
        made = pp("with", noun("love", None))
    made.words += [Word(",", "PUNCT", made.head, "punct"), *name(writer.name, writer).under(made.head, "appos")]
    t.say(made)


def question(t: Teller, reader: Entity) -> None:
    """Do you still play the violin?"""
    relation = t.relation(reader, plain=True)
    t.say(t.fact(reader, relation, ask="?", manner="still"), "?")


def compare(t: Teller, town: Entity, other: Entity) -> None:
    """Marrow has more bridges than Fenwick."""
    count = [LEXICON.lists["numbers"].index(t.world.of[one]["bridges"]) for one in (town, other)]
    degree = "more" if count[0] > count[1] else "fewer" if count[0] < count[1] else "as_many"
    first, _, second = degree.partition("_")
    bridges = noun("bridge", second or first, plural=True, after=[pp("as" if second else "than", name(other.name, other))])
    if second:
        bridges.words.insert(0, Word(first, "ADV", bridges.words[0], "advmod"))
    t.told(town, "bridges"), t.told(other, "bridges")
    t.say(clause(t.ref(town), "have", bridges, tense="present"))


def craft(t: Teller, who: Entity) -> None:
    """What a trade sells, what that costs, and who has the trade."""
    goods = t.world.trades[who.noun][2]
    if goods:
        item = t.rng.choice(goods)
        t.facts.append(Fact(who.noun, "sells", item))
        t.say(clause(noun(who.noun, "a"), "sell", t.slot("some", item), tense="present"))
        t.say(t.fill("frame.cost_coins", noun(item, "a"), [item], tense="present"))
    t.say(t.fact(who, "trade"))


STEPS = {f.__name__: f for f in (once, has, scenery, labour, remind, weather, where, quiz, purchase, meet_at, dear, sign, question, compare, craft)} | {"~": trifle}


# --- performing scripts -----------------------------------------------------------------------------------------------
def cast(t: Teller, kind: str) -> Entity | str | None:
    """Somebody or something for a role of a script; None if the town has nobody like that."""
    env = t.env
    taken = set(env.values())
    if kind[0] == "@":
        return t.value(kind)
    if "." in kind:
        role, relation, *derived = kind.split(".")
        value = t.world.of[env[role]].get(relation)
        return LEXICON.derive(value, *derived) if derived else value
    if kind == "site":
        return t.site(*taken)
    if kind == "town":
        return t.world.famous(t.rng, [town for town in t.world.towns if town is not t.town])
    if kind == "toy":
        word = t.pick("class." + t.pick(TOYS))
        return Entity(word, "thing", "n", word, t.adjective(word))
    if kind == "goods":
        seller = env["S"]
        word = t.pick(t.world.trades[seller.noun][2])
        thing = Entity(word, "thing", "n", word, t.adjective(word))
        t.happen("own", seller, thing)
        return thing
    people = [p for p in (t.world.people if kind == "anyone" else t.folk) if p not in taken]
    if kind == "seller":
        people = [p for p in people if p.noun in t.world.trades and t.world.trades[p.noun][2]]
    elif kind in t.world.trades:
        people = [p for p in people if p.noun == kind]
    elif kind == "worker":
        people = [p for p in people if p.noun in t.world.trades]
    elif kind == "adult":
        people = [p for p in t.world.people if "trade" in t.world.of[p]]
    elif kind == "healer":
        people = [p for p in people if p.noun in ("doctor", "nurse")]
    elif kind == "owner":
        people = [p for p in people if "animal" in t.world.of[p]]
    return t.world.famous(t.rng, people) if people else None


def perform(t: Teller, text: str) -> bool:
    """Casts and tells one script; False if it cannot be cast."""
    roles, steps = script(text)
    for role, kind in roles:
        t.env[role] = None
        t.env[role] = cast(t, kind)
        if t.env[role] is None:
            return False
    for step in steps:
        if step.mark == "?" and t.chance(0.5):
            continue
        values = [t.value(arg) for arg in step.args]
        if step.frame in ("say", "ask"):
            (asks, inner), = step.links
            question = {"ask": values[2]} if step.frame == "ask" else {}
            t.speak(values[0], values[1], lambda inner=inner, question=question: t.build(inner, **question), "?" if question else ".")
        elif step.frame in STEPS:
            STEPS[step.frame](t, *values)
        elif step.mark == "-":
            t.happen(step.frame, *values)
        else:
            t.say(t.build(step), "?" if "ask" in step.features else ".")
    return True


def choose(t: Teller, part: str) -> None:
    """Tells one of the scripts of a group, such as plot; those that lack an actor in this town give way to others."""
    while (text := t.rng.choice(groups()[part])) in t.performed or not perform(t, text):
        pass
    t.performed.add(text)


@cache
def groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, text in LEXICON.raw.items():
        if "." in key:
            found.setdefault(key.partition(".")[0], []).append(text)
    return found


def documents(split: str = "train", seed: int = 0) -> Iterator[Document]:
    """Documents without end, the same for the same split and seed; no document is in two splits.

    All of them agree with `world()`. Raises PtmError for a split that is not train, dev or test.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    rng, classes = Random(f"{split} {seed}"), SPLITS[split]
    while True:
        genre = LEXICON.pick(rng, GENRES)
        *parts, last = LEXICON.lists["genre." + genre]
        t = Teller(rng, world(), genre)
        t.env |= {"hero": t.world.famous(rng, t.folk), "here": t.town}
        for part in parts:
            if part[0] != "?" or t.chance(0.5):
                choose(t, part.lstrip("?"))
        # Only the ending is told anew until the text falls into the split: cheaper than a whole document.
        told, facts, before = len(t.sentences), len(t.facts), t.last
        for _ in range(12):
            choose(t, last)
            if 3 <= len(t.sentences) <= 30 and crc32(" ".join(t.sentences).encode()) % 8 in classes:
                yield Document(genre, tuple(t.sentences), tuple(t.words), tuple(t.facts), tuple(t.events))
                break
            t.performed.clear()
            del t.sentences[told:], t.words[told:], t.facts[facts:]
            t.last = before
