"""Pre-training objectives: what a model gets to see, what it must predict, and what a miss costs."""

from ptm_explore.errors import unknown
from ptm_explore.objectives.base import Objective, Together
from ptm_explore.objectives.clm import Clm
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.objectives.nsp import Nsp

OBJECTIVES: dict[str, type[Objective]] = {"mlm": Mlm, "clm": Clm, "nsp": Nsp}


def objective(spec: dict[str, dict]) -> Objective:
    """The objective of a recipe: name -> options; several add up, each by its `weight` (1 by default).

    >>> objective({"mlm": {"rate": 0.2}, "nsp": {}})
    Together(Mlm(rate=0.2, ...), Nsp())
    """
    parts = []
    for name, options in spec.items():
        if name not in OBJECTIVES:
            raise unknown("objective", name, OBJECTIVES)
        parts.append(OBJECTIVES[name](**options))
    return parts[0] if len(parts) == 1 and parts[0].weight == 1 else Together(parts)
