"""Equal-budget experiments: several recipes, several seeds, one corpus; each run kept as soon as it is done.

The engine of `ptm.compare`, which moves to ptm_explore/compare as soon as the package has room for it.

A arms, N seeds
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import ptm_explore
from ptm_explore.compare.statistics import Difference, difference, holm
from ptm_explore.compare.yardsticks import YARDSTICKS, choose
from ptm_explore.errors import PtmError, TrainingError
from ptm_explore.interpret.results import interval
from ptm_explore.models.recipes import Recipe, recipe
from ptm_explore.text.cache import cache_folder, digest
from ptm_explore.text.corpora import Corpus
from ptm_explore.text.corpora import corpus as open_corpus
from ptm_explore.training.budget import Budget
from ptm_explore.training.pretrain import pretrain

FORMAT = 1  # of a run's file
Arms = Mapping[str, tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Comparison:
    """Runs of several arms. A run is what its file holds: arm, seed, recipe, history, scores, or an error."""

    runs: list[dict]
    settings: dict[str, Any]

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(run["arm"] for run in self.runs))

    def scores(self, arm: str, measure: str) -> dict[int, float]:
        """By seed; `measure` is "yardstick.name", such as "pairs.all"."""
        yardstick, name = measure.split(".", 1)
        mine = (run for run in self.runs if run["arm"] == arm)
        return {
            run["seed"]: run["scores"][yardstick][name]
            for run in mine
            if name in run["scores"].get(yardstick, ())
        }

    @property
    def measures(self) -> list[str]:
        """What was measured, the number that counts first in each yardstick."""
        found = [f"{y}.{name}" for run in self.runs for y, scores in run["scores"].items() for name in scores]
        return list(dict.fromkeys(found))

    @property
    def headline(self) -> list[str]:
        return list({measure.split(".")[0]: measure for measure in reversed(self.measures)}.values())[::-1]

    def table(self, measures: Sequence[str] | None = None) -> pd.DataFrame:
        """Means over seeds with 95 % intervals (Student's t)."""
        rows = {}
        for arm in self.arms:
            cells = {m: interval(list(self.scores(arm, m).values())) for m in measures or self.headline}
            rows[arm] = {
                (m, part): x
                for m, three in cells.items()
                for part, x in zip(("mean", "low", "high"), three, strict=True)
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def differences(self, measures: Sequence[str] | None = None) -> dict[tuple[str, str, str], Difference]:
        """Of all pairs of arms on each measure, paired by seed, p corrected for all of them (Holm)."""
        found = {}
        for measure in measures or self.headline:
            for one, other in combinations(self.arms, 2):
                first, second = self.scores(one, measure), self.scores(other, measure)
                seeds = sorted(first.keys() & second.keys())
                if seeds:
                    found[one, other, measure] = difference(
                        [first[s] for s in seeds], [second[s] for s in seeds]
                    )
        ps = holm([one.p for one in found.values()])
        return {
            key: Difference(**asdict(one) | {"p": p}) for (key, one), p in zip(found.items(), ps, strict=True)
        }

    def verdicts(self, measures: Sequence[str] | None = None) -> pd.DataFrame:
        rows = [
            [*key, d.mean, d.low, d.high, d.p, d.verdict] for key, d in self.differences(measures).items()
        ]
        columns = ["arm", "against", "measure", "difference", "low", "high", "p (Holm)", "verdict"]
        return pd.DataFrame(rows, columns=columns)

    def unequal(self) -> dict[str, dict[str, Any]]:
        """Every setting in which arms differ, with its value in each."""
        flat = {run["arm"]: dict(_flat(run["recipe"])) for run in self.runs}
        names = dict.fromkeys(name for settings in flat.values() for name in settings)
        differing = {n: {arm: one.get(n) for arm, one in flat.items()} for n in names}
        return {
            n: v for n, v in differing.items() if len({json.dumps(x) for x in v.values()}) > 1 and n != "name"
        }

    def to_json(self, path: str | Path) -> Path:
        """All runs and settings, in the format `FORMAT`."""
        path = Path(path)
        path.write_text(
            json.dumps({"format": FORMAT, "settings": self.settings, "runs": self.runs}, indent=1) + "\n"
        )
        return path


def compare(
    recipes: Sequence[str] | Arms,
    corpus: str | Path | Corpus = "world",
    budget: str = "60s",
    seeds: int | Sequence[int] = 3,
    yardsticks: str | Sequence[str] = "quick",
    out: str | Path | None = None,
    start: str | None = None,
    show: bool = True,
    **changes: Any,
) -> Comparison:
    """Pre-trains each recipe with each seed on the same text for the same budget, and measures the models.

    `recipes` are names, or names of arms with their recipe and its changes: {"20 %": ("bert-mini", {...})}.
    `changes` hold for all arms. Runs are kept in `out` (the cache, if not given) under a name made of all
    that they depend on: what is there is not run again, so an interrupted comparison goes on. A run that
    diverges is reported, and the others go on. Raises PtmError for an unknown recipe or yardstick before
    anything runs."""
    arms = recipes if isinstance(recipes, Mapping) else {name: (name, {}) for name in recipes}
    chosen = {arm: recipe(name, **{**changes, **more}) for arm, (name, more) in arms.items()}
    if len(chosen) < 1:
        raise PtmError("give at least one recipe")
    names, amount = choose(yardsticks), Budget.parse(budget)
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    text = corpus if isinstance(corpus, Corpus) else open_corpus(corpus)
    folder = Path(out or cache_folder() / "compare")
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed in seeds:  # all arms of a seed before the next one: what is there so far compares
        for arm, one in chosen.items():
            key = digest("compare", FORMAT, sorted(_flat(asdict(one))), text.key, str(amount), seed, start)
            path = folder / f"{arm.replace('/', '_')}-{seed}-{key[:8]}.json"
            run = json.loads(path.read_text()) if path.is_file() else {"arm": arm, "seed": seed, "scores": {}}
            if show:
                print(f"{arm}, seed {seed}: {path.name}")
            _complete(run, one, text, amount, seed, start, names, path, show)
            runs.append(json.loads(path.read_text()))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    versions = {
        "ptm_explore": ptm_explore.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    settings = {"corpus": text.name, "budget": str(amount), "start": start, "seeds": list(seeds)}
    return Comparison(runs, settings | {"device": device, "cores": os.cpu_count(), "versions": versions})


def _complete(run, chosen: Recipe, text, budget, seed, start, yardsticks, path: Path, show: bool) -> None:
    """Trains what is not trained and measures what is not measured; writes the run after each of these."""
    missing = [name for name in yardsticks if name not in run["scores"]]
    if "error" in run or not missing:
        return
    model_folder = path.with_suffix("")
    try:
        model = pretrain(chosen, text, budget, seed, start, out=model_folder, resume=True, show=show)
    except TrainingError as error:
        run["error"] = str(error)
        _write(path, run)
        return
    run |= {
        "recipe": asdict(chosen),
        "history": model.history,
        "card": model.card,
        "parameters": model.parameters,
    }
    for name in missing:
        run["scores"][name] = YARDSTICKS[name](model, quick=True, seed=seed)
        _write(path, run)


def _write(path: Path, run: dict) -> None:
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(run) + "\n", encoding="utf-8")
    fresh.replace(path)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}".strip("."))
    else:
        yield name, value
