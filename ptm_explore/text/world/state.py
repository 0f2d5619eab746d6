"""The world that every document agrees with, and the scene that changes while one document is told."""

from bisect import bisect
from collections import defaultdict
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from ptm_explore.errors import PtmError
from ptm_explore.text.world.lexicon import lexicon


class Entity:
    """Who or what a phrase refers to. `gender` is the pronoun it takes: f, m, n; `noun` its common noun."""

    __slots__ = ("adjective", "gender", "kind", "name", "noun", "owner")

    def __init__(self, name: str, kind: str, gender="n", noun="", adjective="", owner=None):
        self.name, self.kind, self.gender, self.noun = name, kind, gender, noun
        self.adjective, self.owner = adjective, owner

    def __repr__(self) -> str:
        return self.name


class Fact(NamedTuple):
    subject: str
    relation: str
    object: str


class World:
    """Towns, families, animals and prices, all drawn from `seed`: true here is true in every document.

    `of[entity]` maps relation to object; the lists `towns` and `people` are in order of fame.
    """

    def __init__(self, seed: int = 0):
        words, rng = lexicon(), Random(f"world {seed}")
        lists = words.lists
        self.of: dict[Entity, dict[str, Any]] = defaultdict(dict)  # entity: relation: entity or word
        self.towns = [Entity(name, "town") for name in lists["towns"]]
        self.trades = {}  # trade: (site, [(verb, objects)], goods)
        for key, value in words.raw.items():
            if key.startswith("trade."):
                site, acts, goods = (part.strip() for part in value.split("|"))
                does = [(act.split()[0], tuple(act.split()[1:])) for act in acts.split(";")]
                self.trades[key[6:]] = site, does, tuple(goods.split())
        self.sights = {  # what there is at a site, but for those who work there
            key[5:]: tuple(w for w in words if w not in self.trades)
            for key, words in lists.items() if key[:5] == "site."
        }  # fmt: skip
        numbers = lists["numbers"]
        self.price = {
            item: rng.choice(numbers[:6] if words.kind(item) in lists["cheap"] else numbers[4:14])
            for *_, goods in self.trades.values() for item in goods
        }  # fmt: skip
        self.sites = {town: [*lists["sites"], *rng.sample(lists["places"], 4)] for town in self.towns}
        self.people: list[Entity] = []
        self._settle(rng, lists)
        self._furnish(rng, lists)
        self.folk = {town: [p for p in self.people if self.of[p]["lives_in"] is town] for town in self.towns}
        self.towns = [town for town in self.towns if len(self.folk[town]) > 3]

    def _settle(self, rng: Random, lists) -> None:
        """Thirty families: parents with a trade, a grown child who moved to another town, and a young one."""
        women, men = rng.sample(lists["women"], 60), rng.sample(lists["men"], 60)
        ranked = {trade: rank for rank, trade in enumerate(self.trades)}
        free = {t: sorted(ranked, key=lambda trade: -ranked[trade] + 32 * rng.random()) for t in self.towns}
        for family in range(30):
            mother, father = Entity(women.pop(), "person", "f"), Entity(men.pop(), "person", "m")
            sister, brother = Entity(women.pop(), "person", "f"), Entity(men.pop(), "person", "m")
            home, away = rng.sample(self.towns[: 5 + family // 3], 2)
            young = sister if rng.random() < 0.5 else brother
            for person in (mother, father, sister, brother):
                grown_up = person is not young
                town = away if person in (sister, brother) and grown_up else home
                person.noun = free[town].pop() if grown_up else "girl" if person is sister else "boy"
                self.of[person] |= {"lives_in": town}
                if grown_up:
                    site = self.trades[person.noun][0]
                    self.of[person] |= {"trade": person.noun, "works_at": site}
                    if site not in self.sites[town]:
                        self.sites[town].append(site)
            self.of[mother]["husband"], self.of[father]["wife"] = father, mother
            self.of[sister]["brother"], self.of[brother]["sister"] = brother, sister
            for child in (sister, brother):
                self.of[child] |= {"mother": mother, "father": father}
            self.people += [young, mother, father, sister if young is brother else brother]

    def _furnish(self, rng: Random, lists) -> None:
        """Tastes, houses and animals of the people; grounds, markets and fame of the towns."""
        pick = rng.choice
        pets = iter(lists["pets"])
        tastes = [taste.split("/") for taste in lists["tastes"]]  # likes/treats: a relation, a list
        for i, person in enumerate(self.people):
            others = [p for p in self.people if p is not person and p not in self.of[person].values()]
            self.of[person]["friend"] = pick(others)
            self.of[person] |= {about: pick(lists[key]) for about, key in tastes}
            if i % 2 == 0 and (pet := next(pets, None)):
                animal = Entity(pet, "animal", pick("fm"), pick(lists["pets.kind"]), owner=person)
                self.of[person]["animal"] = animal
                self.of[animal] |= {
                    "belongs_to": person, "kind": animal.noun, "colour": pick(lists["coats"]),
                    "sleeps_under": pick(lists["beds"]), "likes": pick(lists["petfood"]),
                }  # fmt: skip
        fames, grounds = rng.sample(lists["fame"], len(self.towns)), lists["ground"]
        for town, fame in zip(self.towns, fames, strict=True):
            wet = {"harbour", "beach", "lighthouse"} & set(self.sites[town])
            self.of[town] |= {
                "near": "sea" if wet else pick([g for g in grounds if g != "sea"]), "famous_for": fame,
                "market_day": pick(lists["days"]), "bridges": pick(lists["numbers"][:9]),
            }  # fmt: skip

    def facts(self) -> list[Fact]:
        """Everything that is true, as names: (Anna, lives_in, Marrow)."""
        known = [Fact(e.name, about, str(o)) for e, facts in self.of.items() for about, o in facts.items()]
        made = [Fact(trade, "sells", item) for trade, (_, _, goods) in self.trades.items() for item in goods]
        return known + made + [Fact(item, "costs", price) for item, price in self.price.items()]

    def famous(self, rng: Random, entities: list[Entity]) -> Entity:
        """One of a list in order of fame: rank r comes with weight 1 / (r + 2)."""
        weights = _fame(len(entities))
        return entities[bisect(weights, rng.random() * weights[-1])]


@cache
def _fame(n: int) -> list[float]:
    return list(accumulate(1 / (r + 2) for r in range(n)))


@cache
def world(seed: int = 0) -> World:
    """A world made once; documents tell of that with seed 0."""
    return World(seed)


class Event(NamedTuple):
    """What happened in sentence number `sentence`; a document's events can be replayed into a Scene."""

    kind: str
    agent: Entity
    thing: Any = None  # an Entity, where the kind asks for one
    other: Any = None  # an Entity
    place: Any = None  # a site, or a mood
    sentence: int = -1


class Scene:
    """Where everybody is (`at`), who or which place has each thing (`holder`), moods and broken things."""

    def __init__(self):
        self.at: dict[Any, str] = {}
        self.holder: dict[Entity, Any] = {}
        self.mood: dict[Entity, str] = {}
        self.broken: set[Entity] = set()

    def apply(self, event: Event) -> None:
        """Changes the scene; raises PtmError for an event that cannot happen in it."""
        kind, agent, thing, other, place, _ = event
        here, holder = self.at.get(agent), self.holder.get(thing)
        if kind == "go":
            self.at[agent] = place
        elif kind == "feel":
            self.mood[agent] = place
        elif kind == "own" and holder is None:
            self.holder[thing] = agent
        elif kind in ("give", "send") and holder is agent and (kind == "send" or self.at.get(other) == here):
            self.holder[thing] = other
        elif kind == "buy" and holder is other and self.at.get(other) == here:
            self.holder[thing] = agent
        elif kind == "put" and holder is agent and here == place:
            self.holder[thing] = here
        elif kind == "find" and holder == here is not None:
            self.holder[thing] = agent
        elif kind in ("break", "mend") and holder is agent and (thing in self.broken) == (kind == "mend"):
            (self.broken.discard if kind == "mend" else self.broken.add)(thing)
        else:
            raise PtmError(f"{event} cannot happen: {agent} is at {here!r}, {thing} is with {holder}.")
