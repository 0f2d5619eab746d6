"""Pre-training objectives: what a model gets to see, what it must predict, and what a miss costs."""

from ptm_explore.errors import unknown
from ptm_explore.objectives.base import Description, Objective, Together
from ptm_explore.objectives.clm import Clm
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.objectives.nsp import Nsp
from ptm_explore.objectives.plm import Plm
from ptm_explore.objectives.rtd import Rtd
from ptm_explore.objectives.sop import Sop

__all__ = ["OBJECTIVES", "Clm", "Description", "Mlm", "Nsp", "Objective", "Plm", "Rtd", "Sop", "objective"]

_KINDS = (Mlm, Clm, Plm, Rtd, Nsp, Sop)
OBJECTIVES: dict[str, type[Objective]] = {kind.__name__.lower(): kind for kind in _KINDS}


def objective(spec: dict[str, dict]) -> Objective:
    """The objective of a recipe: name -> options; several add up, each by its `weight` (1 by default).

    >>> objective({"mlm": {"rate": 0.2}, "nsp": {}})
    Together(Mlm(rate=0.2, ...), Nsp())
    """
    parts = []
    for name, options in spec.items():
        if name not in OBJECTIVES:
            raise unknown("objective", name, OBJECTIVES)
        fields = OBJECTIVES[name].__dataclass_fields__
        for option in options:
            if option not in fields:
                raise unknown(f"option of {name}:", option, fields)
        parts.append(OBJECTIVES[name](**options))
    return parts[0] if len(parts) == 1 else Together(parts)
