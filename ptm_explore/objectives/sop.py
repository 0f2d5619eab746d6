"""Sentence-order prediction (Lan et al. 2020, section 3.1): do two segments stand in their order?

Label 0 means that they do, 1 that they are swapped, as in the released checkpoints."""

from dataclasses import dataclass

from ptm_explore.objectives.base import PairObjective
from ptm_explore.text.batches import ordered


@dataclass(frozen=True)
class Sop(PairObjective):
    """Both segments come from one place of one document: topic says nothing, coherence is what is left.

    Against Google's code: segments are whole sentences, split anywhere and never cut to size; and text with
    nothing to swap makes no row, where theirs takes a segment of another document and calls it swapped."""

    arrange = staticmethod(ordered)
