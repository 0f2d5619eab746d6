"""Next-sentence prediction (Devlin et al. 2019, section 3.1): does segment B follow segment A?

Label 0 means that it does, as in the released checkpoints."""

from dataclasses import dataclass

from ptm_explore.objectives.base import PairObjective
from ptm_explore.text.batches import paired


@dataclass(frozen=True)
class Nsp(PairObjective):
    """Half of the segments B come from elsewhere, so that a change of topic gives many of them away."""

    arrange = staticmethod(paired)
