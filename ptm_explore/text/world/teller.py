"""The teller keeps the scene of one document, refers to what is in it, turns frames and facts into clauses.

`lexicon.txt` holds the frames (which phrases a verb takes) and the scripts (which events make a story). A
script says only who does what; verbs, pronouns, tenses, order and adjectives are chosen here.
"""

from functools import cache
from random import Random
from typing import Any, NamedTuple

from ptm_explore.text.world import grammar as g
from ptm_explore.text.world.grammar import LEXICON, Phrase, Word
from ptm_explore.text.world.state import Entity, Event, Fact, Scene, World

PREPOSITION = {site: word for word in ("in", "on") for site in LEXICON.lists[word]}
LINKS = ("because", "although", "if", "that", "so", "but", "and", "to")
FEATURES = {
    **{word: ("modal", word) for word in ("will", "must", "can", "could", "would")},
    **{word: ("manner", word) for word in ("still", "always", "never", "ever")},
    **{tense: ("tense", tense) for tense in ("present", "past")},
    **{"neg": ("negative", True), "perf": ("perfect", True), "passive": ("passive", True)},
    **{"prog": ("progressive", True), "ask": ("ask", "?"), "drop": ("silent", True)},
}


class Step(NamedTuple):
    """One clause of a script. Mark `!`: an event, `-`: one in silence, `?`: left out half of the time."""

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
    end = next((i for i, token in enumerate(tokens) if i and token in LINKS), len(tokens))
    own, linked = tokens[1:end], tokens[end:]
    args = tuple(token for token in own if token[0] not in "+(")
    features = dict(FEATURES[token[1:]] for token in own if token[0] == "+")
    opening = tuple(one for token in own if token[0] == "(" for one in token[1:-1].split("|"))
    links = ((linked[0], _step(linked[1:])),) if linked else ()
    return Step(mark, head, args, features, opening, links)


@cache
def script(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[Step, ...]]:
    """The cast, as (name, type), and the steps of a script."""
    cast, _, steps = text.rpartition("]")
    roles = tuple(role.partition("=")[::2] for role in cast[1:].split())
    return roles, tuple(_step(step.split()) for step in steps.split(";"))


@cache
def frame(key: str) -> tuple[str, tuple[tuple[str, str, str], ...], str]:
    """A verb (or @list), its slots as (preposition, kind, word), and the question word that asks for them."""
    filled, _, question = LEXICON.raw[key].partition(" ? ")
    verb, *slots = filled.split()
    parts = (slot.rpartition(">") for slot in slots)
    return verb, tuple((prep, *kind.partition(":")[::2]) for prep, _, kind in parts), question


def at(site: str) -> Phrase:
    return g.pp(PREPOSITION.get(site, "at"), g.noun(site))


class Teller:
    """One document in the making. Phrases are built in reading order, so that pronouns are right."""

    def __init__(self, rng: Random, world: World, genre: str):
        self.rng, self.world, self.genre = rng, world, genre
        self.scene = Scene()
        self.sentences, self.words = list[str](), list[tuple[Word, ...]]()
        self.facts, self.events = list[Fact](), list[Event]()
        # mentioned in the sentence before, and in this one
        self.last, self.now = dict[Entity, None](), dict[Entity, None]()
        self.known: set[Entity] = set()
        self.me: Entity | None = None
        self.you: Entity | None = None
        self.tense = "past"  # of what happens, and of what is always so
        self.always = "past" if genre == "story" else "present"
        self.town = world.famous(rng, world.towns)
        self.folk = world.folk[self.town]
        self.weather = self.pick("adj.weather")
        self.env: dict[str, Any] = {}  # the roles of the scripts
        self.performed: set[str] = set()

    # --- choosing
    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, words) -> str:
        return LEXICON.pick(self.rng, words)

    def site(self, *but: str) -> str:
        return self.pick(tuple(site for site in self.world.sites[self.town] if site not in but))

    def adjective(self, word: str) -> str:
        return self.pick("adj." + LEXICON.kind(word))

    def value(self, token: str) -> Any:
        """What a script's token stands for: a role, a word from @list, two people (a&b), or itself."""
        if token in self.env:
            return self.env[token]
        if token[0] == "@":  # @V.food is a list by the value of role V
            role, dot, rest = token[1:].partition(".")
            return self.pick(f"{self.env[role]}.{rest}" if dot and role in self.env else token[1:])
        if "&" in token:
            pair = tuple(self.env[one] for one in token.split("&"))
            return self.env.setdefault(token, Entity(f"{pair[0]} and {pair[1]}", "pair", "p", owner=pair))
        return token

    # --- referring
    def ref(self, entity: Entity, case: str = "subject", plain: bool = False, same: bool = False) -> Phrase:
        """A pronoun where only one thing can be meant, else a name or a description.

        `plain` never takes a pronoun; `same` always does: the subject of the clause before.
        """
        if entity is self.me or entity is self.you:
            return g.pronoun("1" if entity is self.me else "2", case, entity)
        again, gender = entity in self.now, entity.gender
        rivals = [e for e in (*self.last, *self.now) if e.gender == gender and e is not entity]
        sure = (again or entity in self.last) and not plain and not rivals
        self.now[entity] = None
        if same or (sure and (case != "subject" or again or self.chance(0.85))):
            return g.pronoun(gender, case, entity)
        phrase = self.describe(entity, case != "possessive")
        return g.genitive(phrase) if case == "possessive" else phrase

    def describe(self, entity: Entity, aside: bool = True) -> Phrase:
        new, owner = entity not in self.known, entity.owner
        self.known.add(entity)
        if entity.kind == "thing":
            traits = [entity.adjective] if new or self.chance(0.2) else []
            if owner is not None and (owner in (self.me, self.you) or (new and owner in self.now)):
                return g.noun(entity.noun, self.ref(owner, "possessive"), *traits[:new], entity=entity)
            det = "a" if new else "this" if entity in self.last and self.chance(0.3) else "the"
            return g.noun(entity.noun, det, *traits, entity=entity)
        if entity.kind == "pair":
            first, second = sorted(owner, key=lambda one: one is self.me)
            return g.both(self.ref(first, plain=True), self.ref(second, plain=True))
        phrase = g.name(entity.name, entity)
        if new and aside and entity.kind == "person" and self.chance(0.3):
            self.introduce(entity, phrase)
        return phrase

    def introduce(self, entity: Entity, phrase: Phrase) -> None:
        """Anna, the baker, / Anna, who lived in Marrow,"""
        about = self.world.of[entity]
        if "trade" in about and self.chance(0.5):
            inner, role = g.noun(self.told(entity, "trade")), "appos"
        else:
            relation = self.pick(tuple(r for r in LEXICON.lists["aside"] if r in about))
            inner, role = self.fact(entity, relation, phrase, silent=True), "acl:relcl"
            inner = g.because("who", inner)
        # the closing comma gives way to other punctuation
        phrase.words += [g.comma(inner.head), *inner.under(phrase.head, role), g.comma(inner.head)]

    # --- clauses
    def told(self, entity: Entity, relation: str) -> Any:
        """The object of a fact, which is put on record as told."""
        value = self.world.of[entity][relation]
        self.facts.append(Fact(entity.name, relation, str(value)))
        return value

    def fact(self, entity: Entity, relation: str, subject: Phrase | None = None, **features) -> Phrase:
        """What is true of somebody, as a clause."""
        if subject is None:
            self.known.add(entity)  # a fact is no place for another one in passing
            subject = self.ref(entity)
        value, features = self.told(entity, relation), {"tense": self.always, **features}
        return self.fill("fact." + relation, subject, [value], **features)

    def fill(self, key: str, subject: Phrase, values: Any, **features) -> Phrase:
        """A clause: the frame's verb with its slots filled by `values`."""
        verb, slots, _ = frame(key)
        values = iter(values)
        rest = []
        for preposition, kind, word in slots:
            phrase = self.slot(kind, word, values, subject)
            rest.append(g.pp(preposition, phrase) if preposition else phrase)
        if key == "frame.give" and rest[1].head.tag == "PRON" and rest[0].head.tag != "PRON":
            rest = [Phrase(rest[1].words[1:], rest[1].head, "iobj"), rest[0]]  # gave her the lamp
        return g.clause(subject, self.value(verb), *rest, **{"tense": self.tense, **features})

    def slot(self, kind: str, word: str, values: Any = (), subject: Any = None) -> Phrase:
        if kind == "adv":
            return g.adverb(word)
        if kind == "n":
            count = next(values)
            return g.noun(word or next(values), "", plural=True, count=count)
        if kind == "called":
            return self.called(next(values), word)
        if kind == "self":
            who = subject.head.entity  # None for the boys, or the boy
            one = "m" if who is None else "1" if who is self.me else who.gender
            return g.pronoun("p" if subject.plural else one, "reflexive", who)
        value: Any = word or next(values)
        if kind == "x":
            return self.ref(value, "object") if isinstance(value, Entity) else g.noun(value)
        if kind == "name":
            return g.name(str(value), value if isinstance(value, Entity) else None)
        if kind == "adj":
            return g.adjective(value, very=not word and self.chance(0.15))
        if kind == "at":
            return at(value)
        if kind == "coins":
            item = value if type(value) is str else value.noun
            self.facts.append(Fact(item, "costs", self.world.price[item]))
            return g.noun("coin", "", plural=True, count=self.world.price[item])
        if kind == "whose":
            return g.noun(value, self.ref(next(values), "possessive"))
        if kind == "than":
            return g.adjective(value, g.pp("than", self.slot("x", "", values)), comparative=True)
        if kind == "sup":
            best = LEXICON.degree(self.pick("worth"), True)
            return g.noun(value.noun, "the", *best, after=[g.pp("in", g.name(self.town.name, self.town))])
        if kind == "house":
            return g.noun("house", "a", value)
        value = value.noun if isinstance(value, Entity) else value
        many = kind in ("pl", "some", "many", "any", "these") and not LEXICON.is_mass(value)
        det = {"pl": "the", "some": None, "one": "a", "these": "these" if many else "this"}.get(kind, kind)
        adorned = kind == "a" and LEXICON.kind(value) and self.chance(0.4)
        adjectives = [self.adjective(value)] if adorned else []
        return g.noun(value, det, *adjectives, plural=many)

    def called(self, entity: Entity, word: str = "") -> Phrase:
        """a dog called Pepper"""
        self.now[entity] = None
        self.known.add(entity)
        head = Word("called", "VERB", None, "", "call")
        named = g.name(entity.name, entity).under(head, "xcomp")
        return g.noun(word or entity.noun, "a", after=[Phrase([head, *named], head, "acl")])

    def build(self, step: Step, silent: Phrase | None = None, same: bool = False, **more) -> Phrase:
        """The clause of a step with those linked to it; if it is an event, that happens."""
        who, *args = step.args
        values = [self.value(arg) for arg in args]
        kind, _, word = who.partition(":")
        topic, _, relation = step.frame.partition(".")
        opening = self.opening(step.opening)
        agent: Any = None if word else self.value(who)
        if relation:
            self.known.add(agent)
        if silent:
            subject, more["silent"] = silent, True
        elif word:
            subject = self.slot(kind, "", iter([self.value(part) for part in word.split(",")]))
        else:
            subject = self.ref(agent, same=same) if isinstance(agent, Entity) else g.noun(agent)
        if step.mark == "!":
            self.happen(topic, agent, *values)
        features = {**step.features, **more, "front": opening}
        if relation:  # fact.likes; fact.* for any, fact.? for any that is not about another being
            relation = self.relation(agent, relation == "?") if relation in "*?" else relation
            made = self.fact(agent, relation, subject, **features)
        else:
            made = self.fill("frame." + topic, subject, values, **features)
        for link, inner in step.links:
            again, to = inner.args[0] == who, {"modal": "to"} if link == "to" else {}
            added = self.build(inner, subject if to or (again and link == "and") else None, again, **to)
            if link in ("so", "but", "and"):
                made = g.both(made, added, link)
            else:
                added = added if to else g.because(link, added)
                made.words += added.under(made.head, {"to": "xcomp", "that": "ccomp"}.get(link, "advcl"))
        return made

    def opening(self, words: tuple[str, ...]) -> Phrase | None:
        """One of the openings of a step; (~): a connective, half of the time; on_D: the day of role D."""
        if not words or (words == ("~",) and self.chance(0.5)):
            return None
        text = self.pick("then." + self.genre if words == ("~",) else words)
        return g.pp("on", g.name(self.value(text[3:]))) if text[:3] == "on_" else g.adverb(text)

    def relation(self, entity: Entity, plain: bool = False) -> str:
        """A kind of fact about somebody that was not told yet; `plain`: not about another being."""
        about = self.world.of[entity]
        told = {fact.relation for fact in self.facts if fact.subject == entity.name}
        known = [r for r in LEXICON.lists[entity.kind] if r in about]
        known = [r for r in known if not (plain and isinstance(about[r], Entity))]
        return self.pick(tuple(r for r in known if r not in told) or tuple(known))

    # --- telling
    def say(self, phrase: Phrase, end: str = ".") -> None:
        text, words = g.realise(phrase, end)
        self.sentences.append(text)
        self.words.append(words)
        self.last, self.now = self.now, {}
        for event in self.events:
            if event.kind in ("own", "buy", "give") and event.sentence == len(self.sentences) - 1:
                event.thing.owner = event.other if event.kind == "give" else event.agent

    def state(self, subject: Phrase, verb: str, *rest: Phrase, **features) -> None:
        """Says what is, or was, so."""
        self.say(g.clause(subject, verb, *rest, tense=self.always, **features))

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
        verb = "ask" if end == "?" else self.pick("said") if replies else "say"
        says = Word(LEXICON.verb(verb)[2], "VERB", lemma=verb)
        told = self.ref(speaker, plain=True)
        self.now[hearer] = None
        self.say(g.quote(inner, end, says, told))
