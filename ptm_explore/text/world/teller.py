"""The teller: keeps the scene of one document, refers to whom it knows, and turns frames and facts into clauses.

`lexicon.txt` holds the frames (which phrases a verb takes) and the scripts (which events make a story); a script names
no words of a sentence, only who does what: verbs, pronouns, tenses, order and adjectives are chosen here.
"""

from functools import cache
from random import Random
from typing import NamedTuple

from ptm_explore.text.world.grammar import (
    LEXICON, Phrase, Word, adjective, adverb, aside, attr, because, both, clause, genitive, name, noun, pp, pronoun,
    quote, realise,
)  # fmt: skip
from ptm_explore.text.world.state import Entity, Event, Fact, Scene, World

PREPOSITION = {site: word for word in ("in", "on") for site in LEXICON.lists[word]}
LINKS = frozenset("because although when while if that so but and to".split())
FEATURES = {
    "neg": ("negative", True), "perf": ("perfect", True), "prog": ("progressive", True), "passive": ("passive", True),
    "will": ("modal", "will"), "must": ("modal", "must"), "can": ("modal", "can"), "could": ("modal", "could"),
    "would": ("modal", "would"),
    "present": ("tense", "present"), "past": ("tense", "past"),
    "ask": ("ask", "?"), "drop": ("silent", True), "still": ("manner", "still"), "always": ("manner", "always"), "never": ("manner", "never"),
}  # fmt: skip


class Step(NamedTuple):
    """One clause of a script: `!` or `-` marks an event (told or silent), `?` what is left out half of the time."""

    mark: str
    frame: str
    args: tuple[str, ...]
    features: dict
    opening: tuple[str, ...]
    links: tuple[tuple[str, "Step"], ...]


def _step(tokens: list[str]) -> Step:
    mark, head = ("", tokens[0]) if tokens[0][0] not in "!-?" else (tokens[0][0], tokens[0][1:])
    if head in ("say", "ask"):
        asks = 3 + (head == "ask")
        return Step(mark, head, tuple(tokens[1:asks]), {}, (), (("", _step(tokens[asks:])),))
    args, features, opening, links = [], {}, (), []
    for i, token in enumerate(tokens[1:], 1):
        if token in LINKS:
            links.append((token, _step(tokens[i + 1 :])))
            break
        if token[0] == "+":
            features.update([FEATURES[token[1:]]])
        elif token[0] == "(":
            opening = tuple(token[1:-1].split("|"))
        else:
            args.append(token)
    return Step(mark, head, tuple(args), features, opening, tuple(links))


@cache
def script(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[Step, ...]]:
    """The cast, as (name, type), and the steps of a script."""
    cast, _, steps = text.rpartition("]")
    roles = tuple(tuple(role.split("=")) for role in cast[1:].split())
    return roles, tuple(_step(step.split()) for step in steps.split(";"))


@cache
def frame(key: str) -> tuple[str, tuple[tuple[str, str, str], ...], str]:
    """A verb (or @list), its slots as (preposition, kind, word), and the question word that asks for them."""
    filled, _, question = LEXICON.raw[key].partition(" ? ")
    verb, *slots = filled.split()
    parts = (slot.rpartition(">") for slot in slots)
    return verb, tuple((prep, *kind.partition(":")[::2]) for prep, _, kind in parts), question


def at(site: str) -> Phrase:
    return pp(PREPOSITION.get(site, "at"), noun(site))


class Teller:
    """One document in the making. Phrases are built in the order they are read, so that pronouns are right."""

    def __init__(self, rng: Random, world: World, genre: str):
        self.rng, self.world, self.genre = rng, world, genre
        self.scene = Scene()
        self.sentences, self.words, self.facts, self.events = [], [], [], []
        self.last: dict[Entity, None] = {}  # mentioned in the sentence before, and in this one
        self.now: dict[Entity, None] = {}
        self.known: set[Entity] = set()
        self.me = self.you = None
        self.tense = "past"  # of what happens, and of what is always so
        self.always = "past" if genre == "story" else "present"
        self.town = world.famous(rng, world.towns)
        self.folk = world.folk[self.town]
        self.weather = self.pick("adj.weather")
        self.env: dict[str, Entity | str | None] = {}  # the roles of the scripts
        self.performed: set[str] = set()

    # --- choosing -----------------------------------------------------------------------------------------------
    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, words) -> str:
        return LEXICON.pick(self.rng, words)

    def site(self, *but: str) -> str:
        return self.pick(tuple(site for site in self.world.sites[self.town] if site not in but))

    def adjective(self, word: str) -> str:
        kind = LEXICON.kind(word)
        return self.pick("adj." + kind if kind else "adj")

    def value(self, token: str):
        """What a script's token stands for: a role, a word from @list, two people (a&b), or itself."""
        if token in self.env:
            return self.env[token]
        if token[0] == "@":
            return self.pick(token[1:])
        if "&" in token:
            pair = tuple(self.env[one] for one in token.split("&"))
            return self.env.setdefault(token, Entity(f"{pair[0]} and {pair[1]}", "pair", "p", owner=pair))
        return token

    # --- referring ----------------------------------------------------------------------------------------------
    def ref(self, entity: Entity, case: str = "subject", plain: bool = False, same: bool = False) -> Phrase:
        """A pronoun where only one thing can be meant, else a name or a description.

        `plain` never takes a pronoun; `same` always does: the subject of the clause before.
        """
        if entity is self.me or entity is self.you:
            return pronoun("1" if entity is self.me else "2", case, entity)
        again = entity in self.now
        seen = again or entity in self.last
        sure = seen and not plain and not any(
            e.gender == entity.gender and e is not entity for where in (self.last, self.now) for e in where
        )
        self.now[entity] = None
        if same or (sure and (case != "subject" or again or self.chance(0.85))):
            return pronoun(entity.gender, case, entity)
        phrase = self.describe(entity)
        return genitive(phrase) if case == "possessive" else phrase

    def describe(self, entity: Entity) -> Phrase:
        new, owner = entity not in self.known, entity.owner
        self.known.add(entity)
        if entity.kind == "thing":
            if owner is not None and (owner is self.me or owner is self.you or (new and owner in self.now)):
                return noun(entity.noun, self.ref(owner, "possessive"), *[entity.adjective] * new, entity=entity)
            adjectives = [entity.adjective] if new or self.chance(0.2) else []
            return noun(entity.noun, "a" if new else "the", *adjectives, entity=entity)
        if entity.kind == "pair":
            return both(*(self.ref(one, plain=True) for one in sorted(owner, key=lambda one: one is self.me)))
        phrase = name(entity.name, entity)
        if new and entity.kind == "person" and self.chance(0.3):
            self.introduce(entity, phrase)
        return phrase

    def introduce(self, entity: Entity, phrase: Phrase) -> None:
        """Anna, the baker, / Anna, who lived in Marrow,"""
        about = self.world.of[entity]
        if "trade" in about and self.chance(0.5):
            inner, role = noun(self.told(entity, "trade")), "appos"
        else:
            relation = self.pick(tuple(r for r in LEXICON.lists["aside"] if r in about))
            inner, role = self.fact(entity, relation, phrase, silent=True), "acl:relcl"
            inner = because("who", inner)
        phrase.words += aside(inner).under(phrase.head, role)

    # --- clauses ------------------------------------------------------------------------------------------------
    def told(self, entity: Entity, relation: str):
        """The object of a fact, which is put on record as told."""
        value = self.world.of[entity][relation]
        self.facts.append(Fact(entity.name, relation, str(value)))
        return value

    def fact(self, entity: Entity, relation: str, subject: Phrase | None = None, **features) -> Phrase:
        """What is true of somebody, as a clause."""
        subject = subject or self.ref(entity)
        return self.fill("fact." + relation, subject, [self.told(entity, relation)], **{"tense": self.always, **features})

    def fill(self, key: str, subject: Phrase, values: list, **features) -> Phrase:
        """A clause: the frame's verb with its slots filled by `values`."""
        verb, slots, _ = frame(key)
        values = iter(values)
        rest = []
        for preposition, kind, word in slots:
            phrase = self.slot(kind, word, values, subject)
            rest.append(pp(preposition, phrase) if preposition else phrase)
        if key == "frame.give" and rest[1].head.tag == "PRON" and rest[0].head.tag != "PRON":
            rest = [Phrase(rest[1].words[1:], rest[1].head, "iobj"), rest[0]]  # gave her the lamp
        return clause(subject, self.pick(verb[1:]) if verb[0] == "@" else verb, *rest, **{"tense": self.tense, **features})

    def slot(self, kind: str, word: str, values=(), subject: Phrase | None = None) -> Phrase:
        if kind == "adv":
            return adverb(word)
        if kind == "self":
            who = subject.head.entity
            return pronoun("1" if who is self.me else "2" if who is self.you else who.gender, "reflexive", who)
        if kind == "n":
            count = next(values)
            return noun(word or next(values), "", plural=True, count=count)
        if kind == "called":
            return self.called(next(values), word)
        value = word or next(values)
        if kind == "x":
            return self.ref(value, "object") if isinstance(value, Entity) else noun(value)
        if kind == "name":
            return name(str(value), value if isinstance(value, Entity) else None)
        if kind == "adj":
            return adjective(value)
        if kind == "at":
            return at(value)
        if kind == "coins":
            item = value if type(value) is str else value.noun
            self.facts.append(Fact(item, "costs", self.world.price[item]))
            return noun("coin", "", plural=True, count=self.world.price[item])
        if kind == "whose":
            return noun(value, self.ref(next(values), "possessive"))
        if kind == "than":
            return adjective(value, pp("than", self.ref(next(values), "object")), degree="comparative")
        if kind == "sup":
            best = LEXICON.degree(self.pick("worth"), True)
            return attr(noun(value.noun, "the", *best, after=[pp("in", name(self.town.name, self.town))]))
        if kind == "house":
            return noun("house", "a", value)
        value = value.noun if isinstance(value, Entity) else value
        many = kind in ("pl", "some", "many") and not LEXICON.is_mass(value)
        det = {"pl": "the", "some": None, "one": "a"}.get(kind, kind)
        adjectives = [self.adjective(value)] * (kind in ("the", "a") and bool(LEXICON.kind(value)) and self.chance(0.4))
        return noun(value, det, *adjectives, plural=many)

    def called(self, entity: Entity, word: str = "") -> Phrase:
        """a dog called Pepper"""
        self.now[entity] = None
        self.known.add(entity)
        head = Word("called", "VERB", None, "", "call")
        named = name(entity.name, entity).under(head, "xcomp")
        return noun(word or entity.noun, "a", after=[Phrase([head, *named], head, "acl")])

    def build(self, step: Step, silent: Phrase | None = None, same: bool = False, **more) -> Phrase:
        """The clause of a step with those linked to it; its event, if it is one, happens."""
        who, *args = step.args
        values = [self.value(arg) for arg in args]
        key = step.frame
        kind, _, word = who.partition(":")
        opening = self.opening(step.opening)
        if key[:5] == "fact.":
            self.known.add(self.env[who])  # a fact is no place for another one in passing
        agent = None if word else self.value(who)
        if silent:
            subject = silent
        elif word:
            subject = self.slot(kind, "", iter([self.value(part) for part in word.split(",")]), None)
        else:
            subject = self.ref(agent, same=same) if isinstance(agent, Entity) else noun(agent)
        if step.mark in ("!", "-"):
            self.happen(key, agent, *values)
        features = {**step.features, **more, "front": opening}
        if silent:
            features["silent"] = True
        if key[:5] == "fact.":
            made = self.fact(agent, key[5:] if key[5] != "*" else self.relation(agent), subject, **features)
        else:
            made = self.fill("frame." + key, subject, values, **features)
        for link, inner in step.links:
            again = inner.args[0] == who
            if link == "to":
                added = self.build(inner, subject, modal="to")
                added.role = "xcomp"
                made.words += added.under(made.head)
            elif link in ("so", "but", "and"):
                made = both(made, self.build(inner, subject if link == "and" and again else None, again), word=link)
            else:
                added = because(link, self.build(inner, None, again))
                made.words += added.under(made.head, "ccomp" if link == "that" else "advcl")
        return made

    def opening(self, words: tuple[str, ...]) -> Phrase | None:
        """One of the openings a step allows; (~) is a connective, half of the time; on_D is the day of role D."""
        if not words or (words == ("~",) and self.chance(0.5)):
            return None
        text = self.pick("then." + self.genre if words == ("~",) else words)
        return pp("on", name(self.value(text[3:]))) if text[:3] == "on_" else adverb(text)

    def relation(self, entity: Entity, plain: bool = False) -> str:
        """A kind of fact about somebody that was not told yet; `plain`: not about another being."""
        about = self.world.of[entity]
        told = {fact.relation for fact in self.facts if fact.subject == entity.name}
        known = [r for r in LEXICON.lists[entity.kind] if r in about and not (plain and isinstance(about[r], Entity))]
        return self.pick(tuple(r for r in known if r not in told) or tuple(known))

    # --- telling ------------------------------------------------------------------------------------------------
    def say(self, phrase: Phrase, end: str = ".") -> None:
        text, words = realise(phrase, end)
        self.sentences.append(text)
        self.words.append(words)
        self.last, self.now = self.now, {}

    def happen(self, kind: str, agent: Entity, *values) -> None:
        """Puts an event on record and into the scene; a pair does it together."""
        thing = next((v for v in values if isinstance(v, Entity) and v.kind == "thing"), None)
        other = next((v for v in values if isinstance(v, Entity) and v.kind != "thing"), None)
        place = next((v for v in values if type(v) is str), None)
        for one in agent.owner if agent.kind == "pair" else (agent,):
            event = Event(kind, one, thing, other, place, len(self.sentences))
            self.scene.apply(event)
            self.events.append(event)

    def speak(self, speaker: Entity, hearer: Entity, build, end: str = ".") -> None:
        """“...,” said Anna: `build` makes the clause while the speaker is I and the hearer is you."""
        before = self.me, self.you, self.tense, self.always
        self.me, self.you, self.tense, self.always = speaker, hearer, "present", "present"
        inner = build()
        self.me, self.you, self.tense, self.always = before
        replies = bool(self.sentences) and self.sentences[-1][0] == "“"
        says = Word(LEXICON.verb("ask" if end == "?" else self.pick("said") if replies else "say")[2], "VERB")
        speech = self.ref(speaker, plain=True).under(says, "nsubj")
        self.now[hearer] = None
        self.say(quote(inner, end, Phrase([says, *speech, Word(".", "PUNCT", says, "punct")], says, "root")))
