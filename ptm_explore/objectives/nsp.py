"""Next-sentence prediction (Devlin et al. 2019, section 3.1): does segment B follow segment A?

Label 0 means that it does, as in the released checkpoints."""

from dataclasses import dataclass
from typing import ClassVar

from torch.nn.functional import cross_entropy

from ptm_explore.objectives.base import Objective
from ptm_explore.text.batches import paired


@dataclass(frozen=True)
class Nsp(Objective):
    pairs: ClassVar[bool] = True

    def arrange(self, store, first, last, tokenizer, length, rng):
        return paired(store, first, last, tokenizer, length, rng)

    def counts(self, batch):
        return {"nsp": len(batch.pair_labels)}

    def loss(self, out, batch):
        return {"nsp": cross_entropy(out.pair_logits.float(), batch.pair_labels, reduction="sum")}

    def correct(self, out, batch):
        return {"nsp": (out.pair_logits.argmax(-1) == batch.pair_labels).sum()}
