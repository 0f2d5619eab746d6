"""Replaced-token detection (Clark et al. 2020, section 2): a generator fills masks with tokens that it draws,
a discriminator says of every token whether it is the original.

B batch, T tokens, N masked positions, V vocabulary
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ptm_explore.errors import PtmError, unknown
from ptm_explore.objectives.base import accuracy, no_gradient
from ptm_explore.objectives.mlm import Mlm

OVER = ("all", "masked")


@dataclass(frozen=True)
class Rtd(Mlm):
    """The generator learns as in masked language modelling, the discriminator from what it draws. A token
    that was drawn and happens to be the original counts as original.

    Of the chosen tokens a share `masked` is hidden from the generator and the rest left as it is, as in the
    released code; it draws a token for all of them."""

    masked: float = 0.85
    random: float = 0.0
    discriminator: float = 50.0  # weight of its loss beside the generator's
    over: str = "all"  # tokens that it is asked about: "all", or only the "masked" (table 5)

    def __post_init__(self):
        super().__post_init__()
        if self.discriminator <= 0:
            raise PtmError(f"discriminator={self.discriminator}: the weight of a loss is above 0 (paper: 50)")
        if self.over not in OVER:
            raise unknown("tokens to ask the discriminator about:", self.over, OVER)

    def corrupt(self, batch, tokenizer, seed):
        corrupted = super().corrupt(batch, tokenizer, seed)
        draws = torch.from_numpy(self._draw(batch, seed, 4)).float().flatten()
        return replace(corrupted, draws=draws[corrupted.at])

    def forward(self, net, batch):
        ids, mask, segments = batch.input_ids, batch.attention_mask, batch.segment_ids
        proposal = net.propose(ids, mask, segments, at=batch.at)
        with no_gradient():
            drawn = sample(proposal.logits, batch.draws)
        shown = _put(batch, drawn)
        out = net(shown, mask, segments)
        out.features, out.decoder, out.shown = proposal.features, proposal.decoder, shown
        return out

    def counts(self, batch):
        return {"mlm": len(batch.at), "rtd": batch.n_tokens if self.over == "all" else len(batch.at)}

    def weights(self):
        return {"mlm": self.weight, "rtd": self.weight * self.discriminator}

    def loss(self, out, batch):
        asked, replaced = self._asked(batch).float(), _replaced(out, batch).float()
        logits = out.replaced_logits.float()
        judged = binary_cross_entropy_with_logits(logits, replaced, weight=asked, reduction="sum")
        return {"mlm": out.token_loss(batch.targets), "rtd": judged}

    def correct(self, out, batch):
        right = ((out.replaced_logits > 0) == _replaced(out, batch)) & self._asked(batch)
        return {"mlm": (out.logits.argmax(-1) == batch.targets).sum(), "rtd": right.sum()}

    def scores(self, out, batch):
        asked = self._asked(batch)
        hidden = batch.input_ids.flatten()[batch.at] != batch.targets
        guessed = (out.logits.argmax(-1) == batch.targets)[hidden]
        suspicion, replaced = out.replaced_logits[asked], _replaced(out, batch)[asked]
        found = {"suspicion": suspicion, "replaced": replaced, "guessed": guessed}
        return {name: values.float() for name, values in found.items()}

    def summary(self, scores):
        """heldout_replaced       share of the tokens asked about that are not the original
        heldout_majority       accuracy of who always says what is more frequent
        heldout_auc            area under the ROC curve; 0.5, as by chance, where there is only one kind
        heldout_guessed        the generator's accuracy where the token was really hidden from it"""
        from sklearn.metrics import roc_auc_score

        rate, guessed = (float(scores[name].mean()) for name in ("replaced", "guessed"))
        judged = scores["replaced"].numpy(), scores["suspicion"].numpy()
        auc = float(roc_auc_score(*judged)) if 0 < rate < 1 else 0.5
        found = {"replaced": rate, "majority": max(rate, 1 - rate), "auc": auc, "guessed": guessed}
        return {f"heldout_{name}": value for name, value in found.items()}

    def headline(self, metrics):
        if "heldout_auc" not in metrics:
            return ""
        auc, replaced, majority = (metrics[f"heldout_{name}"] for name in ("auc", "replaced", "majority"))
        right = f"right {100 * (accuracy(metrics, 'rtd') or 0.0):.1f} % (majority {100 * majority:.1f} %)"
        return f"auc {auc:.2f}, replaced {100 * replaced:.0f} %, {right}"

    def concern(self, metrics):
        if (auc := metrics.get("heldout_auc", 1.0)) >= 0.55:
            return None
        majority = f"{100 * metrics['heldout_majority']:.0f} % of the tokens are of one kind"
        chance = f"hardly better than chance: area under the ROC curve {auc:.2f}, where chance is 0.5"
        found = f"the discriminator has learnt little but that {majority}. It tells replaced ones {chance}"
        return f"{found}. Longer training or rows, or a smaller generator (generator_size=...), may help"

    def _asked(self, batch) -> Bool[Tensor, "B T"]:
        """Whether the discriminator is asked about a token: special ones too, padding not."""
        if self.over == "masked":
            nothing = torch.zeros_like(batch.special)
            return nothing.flatten().index_fill(0, batch.at, True).view_as(nothing)
        return torch.ones_like(batch.special) if batch.attention_mask is None else batch.attention_mask

    def _described(self, batch, corrupted, net):
        found = replace(super()._described(batch, corrupted, net), loss=self._asked(corrupted)[0])
        if net is None:
            return found
        device = next(net.parameters()).device
        with torch.no_grad():
            return replace(found, seen=self.forward(net, corrupted.to(device)).shown[0].cpu())


def sample(logits: Float[Tensor, "N V"], draws: Float[Tensor, "N"]) -> Int[Tensor, "N"]:
    """A token each from the softmax of the logits: the first whose cumulated probability exceeds the draw."""
    cumulated = logits.float().softmax(-1).cumsum(-1)
    return torch.searchsorted(cumulated, draws[:, None], right=True).squeeze(1).clamp(max=logits.size(-1) - 1)


def _put(batch, tokens: Int[Tensor, "N"]) -> Int[Tensor, "B T"]:
    """The rows with these tokens at the chosen positions."""
    return batch.input_ids.flatten().scatter(0, batch.at, tokens).view_as(batch.input_ids)


def _replaced(out, batch) -> Bool[Tensor, "B T"]:
    return out.shown != _put(batch, batch.targets)
