"""One score of a model on one text, as a function of which words are there, or of any activation.

B rows, T tokens, C classes, D d_model, W words, P orders of the words, F fractions
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ptm_explore.classifier import LONGEST
from ptm_explore.errors import PtmError, unknown
from ptm_explore.interpret import attention
from ptm_explore.interpret.states import tokens_of
from ptm_explore.interpret.trace import Trace, run, trace
from ptm_explore.layers.taps import Edit, Taps
from ptm_explore.model import Model
from ptm_explore.models.heads import Output
from ptm_explore.text.task_rows import WORD

Ids = Int[Tensor, "B T"] | None
Edits = Mapping[str, Edit] | None
ROWS = 64  # in one pass
FRACTIONS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the words erased
ERASER = (0.01, 0.05, 0.1, 0.2, 0.5)  # those of DeYoung et al. 2020
ORDERS = 20  # random orders of the words that an attribution is held against


class Goal:
    """What an explanation explains: one of the C scores that a model gives a text.

    `target` of a classifier is a label (None: the predicted one); of a tagger (word, tag); of a span model
    the answer's (first, last) token (None: the answer it gives); of a language model the token at its first
    mask (GPT: the next token), or (position, token); of an ELECTRA the position whose token may have been
    replaced. Afterwards `target` means the same score to a model with other weights. With `against`, another
    label or token, the score is the difference of the two.

    `baseline`, "pad", "mask" or "unk", is the token that stands for "not there"; special tokens stay.
    PtmError for a target or baseline that does not exist, and for a text that equals its baseline.
    """

    def __init__(
        self,
        model: Model,
        text: str,
        pair: str | None = None,
        target: Any = None,
        baseline: str = "pad",
        against: Any = None,
    ):
        self.model, self.texts = model, (text, pair)
        self.salt = crc32(text.encode(errors="replace"))  # so that texts have draws of their own
        found = trace(model, text, pair, read=())
        encoded = model.encode(text, pair).to(model.device)
        self.ids, self.segments, self.tokens = encoded.ids, encoded.segments, found.tokens
        mask_id = model.tokenizer.mask_id
        self.masks = self.ids[0].eq(-1 if mask_id is None else mask_id)
        # what is asked for is no part of the answer: masks stay, too
        self.special = encoded.special[0] | self.masks
        self.kind = getattr(model, "kind", None)  # of a classifier
        self.place = 0  # the token whose state the score is read off
        self.n, self.name, self.target = self._choose(found, target)
        if against is not None and (self.kind in ("span", "regression") or "rtd" in model.net.heads):
            raise PtmError(
                "against= takes a score among labels or tokens; this model has none to compare with"
            )
        self.against = None if against is None else self._class(against)
        self.name += "" if against is None else f", less that of {against!r}"
        nothing = torch.where(self.special, self.ids, _filler(model, baseline))
        if torch.equal(nothing, self.ids):
            raise PtmError(f"this text is its own baseline: nothing but special tokens and {baseline!r}")
        # in place of tokens their embeddings change: to RoBERTa, a PAD would move all that follows
        self.embedded = "embeddings.out" if model.family == "xlnet" else "embeddings.tokens"
        self.x, self.x0 = (self.activation(self.embedded, row) for row in (self.ids, nothing))  # (1, T, D)
        self.groups = attention.words_of(found.words)
        self.words = [attention.label_of(found, (text, pair or ""), group) for group in self.groups]
        self.spans = [(found.offsets[g[0]][0], found.offsets[g[-1]][1]) for g in self.groups]
        self.ordinary = [w for w, group in enumerate(self.groups) if not self.special[group].any()]

    def __call__(self, ids: Ids = None, edit: Edits = None) -> Float[Tensor, " B"]:
        """The score of the text, or of rows of ids; `edit` changes activations by name, as `Taps` do."""
        return self.read(self._run(ids, Taps(edit=edit)))

    def read(self, out: Output) -> Float[Tensor, " B"]:
        """The score, of a forward pass."""
        logits = self.rows(out)
        return logits[:, self.n] - (0 if self.against is None else logits[:, self.against])

    def chance(self, ids: Ids = None, edit: Edits = None) -> Float[Tensor, " B"]:
        """The probability of the class whose logit is the score; of a regression the number itself."""
        logits = self.rows(self._run(ids, Taps(edit=edit)))
        return (logits.softmax(-1) if logits.size(-1) > 1 else logits)[:, self.n]

    def rows(self, out: Output) -> Float[Tensor, "B C"]:
        """What a forward pass says of all that the score was chosen from."""
        scores: Any = out.task_logits
        if self.kind == "span":  # (B, T T): the start's logit and the end's, of every pair of tokens
            return (scores[:, :, None, 0] + scores[:, None, :, 1]).flatten(1)
        if scores is None and out.replaced_logits is not None:
            told = out.replaced_logits[:, self.place]
            return torch.stack([torch.zeros_like(told), told], -1)
        if scores is None:
            scores = out.logits.view(len(out.hidden), self.ids.size(1), -1)
        return scores[:, self.place] if scores.dim() > 2 else scores

    def _run(self, ids: Ids, taps: Taps) -> Output:
        ids = self.ids if ids is None else ids
        return run(self.model, ids, self.segments.expand(len(ids), -1), taps)

    @torch.no_grad()
    def activation(self, name: str, ids: Ids = None, edit: Edits = None) -> Tensor:
        """An activation of the text, or of other ids. PtmError for a name that does not exist."""
        taps = Taps(read=[name], edit=edit)
        self._run(ids, taps)
        if name not in taps.values:
            raise PtmError(f"no activation {name!r}; m.trace(text).names() lists them")
        return taps.values[name]

    def present(self, there: Bool[Tensor, "B T"]) -> dict[str, Edit]:
        """The edit by which only some tokens are there, the others being the baseline."""
        return {self.embedded: lambda _: torch.where(there[..., None], self.x, self.x0)}

    @torch.no_grad()
    def erase(
        self, order: Int[Tensor, "P W"], fractions: Sequence[float] = FRACTIONS, give: bool = False
    ) -> Float[Tensor, "P F"]:
        """The probability after some fractions of the words (of `ordinary`) were removed in an order; or, to
        `give`, put into the empty text."""
        W = len(self.ordinary)
        member = attention.members([self.groups[w] for w in self.ordinary], self.ids.size(1))
        counts = (torch.tensor(fractions) * W - 1e-6).ceil()
        first = order.argsort(-1)[:, None] < counts[:, None]  # (P, F, W)
        taken = (first.float() @ member > 0).flatten(0, 1).to(self.ids.device)  # (P F, T)
        ids = self.ids.expand(ROWS, -1)
        parts = (taken | self.special if give else ~taken).split(ROWS)
        found = torch.cat([self.chance(ids[: len(rows)], self.present(rows)) for rows in parts])
        return found.float().cpu().view(len(order), -1)

    def comprehensiveness(self, order: Int[Tensor, "P W"]) -> Float[Tensor, " P"]:
        """How much the probability falls as the first words of an order go, the mean over the fractions of
        ERASER (DeYoung et al. 2020, section 4.2)."""
        removed = self.erase(order, (0.0, *ERASER))
        return (removed[:, :1] - removed[:, 1:]).mean(1)

    @cached_property
    def by_chance(self) -> tuple[float, float]:
        """Between which 95 % of the comprehensiveness of `ORDERS` random orders lie."""
        low, high = np.quantile(self.comprehensiveness(self.random_orders(ORDERS)), [0.025, 0.975])
        return float(low), float(high)

    def random_orders(self, n: int, seed: int = 0) -> Int[Tensor, "n W"]:
        draw = torch.Generator().manual_seed(seed + self.salt)
        return torch.stack([torch.randperm(len(self.ordinary), generator=draw) for _ in range(n)])

    def _choose(self, found: Trace, target: Any) -> tuple[int, str, Any]:
        """Which of the scores (B, C) it is, its name, and the target; sets the place."""
        model, T = self.model, self.ids.size(1)
        if self.kind:
            return self._task(found, target)
        if "rtd" in model.net.heads:
            self.place = _place(1 if target is None else target, T)
            return 1, f"{self.tokens[self.place]!r} was replaced", self.place
        if not {"mlm", "lm"} & set(model.net.heads):
            raise PtmError(f"this model has no head to score with; it has {model.net.heads or 'none'}")
        place, token = target if isinstance(target, tuple) and len(target) == 2 else (None, target)
        if place is None:
            if not model.net.causal and not self.masks.any():
                raise PtmError("write [MASK] where a token is wanted, or give target=(position, token)")
            place = T - 1 if model.net.causal else int(self.masks.nonzero()[0])
        place = self.place = _place(place, T)
        n = self._class(token)
        name = model.tokenizer.token(n)
        return n, f"the logit of {name!r} at position {place}", (place, name)

    def _task(self, found: Trace, target: Any) -> tuple[int, str, Any]:
        T, labels = self.ids.size(1), getattr(self.model, "labels", ())
        self.place = T - 1 if self.model.family in ("gpt", "xlnet") else 0
        if self.kind == "regression":
            return 0, "the predicted number", None
        if self.kind == "classification":
            n = self._class(target)
            return n, f"the logit of {labels[n]!r}", labels[n]
        if self.kind == "span":
            inside = ~self.special & torch.tensor(found.sections, device=self.ids.device).bool()
            allowed = (inside[:, None] & inside).triu().tril(LONGEST - 1).flatten()
            chosen = divmod(self._best(allowed), T) if target is None else target
            if not (isinstance(chosen, tuple) and len(chosen) == 2 and chosen[0] <= chosen[1]):
                raise PtmError(f"target={target!r}: an answer is (first, last), the positions of its tokens")
            first, last = (_place(place, T) for place in chosen)
            self.place = first
            answer = " ".join(self.tokens[first : last + 1])
            return first * T + last, f"the answer {answer!r}", (first, last)
        word, tag = target if isinstance(target, tuple) and len(target) == 2 else (target or 0, None)
        groups = tokens_of(found, [w.span() for w in WORD.finditer(self.texts[0])])  # as predict has them
        if word not in range(len(groups)) or not groups[word]:
            raise PtmError(f"no word {word!r}; words are counted from 0 to {len(groups) - 1}")
        self.place = groups[word][0]
        tag = labels[n := self._class(tag)]
        return n, f"the logit of {tag!r} at {self.tokens[self.place]!r}", (word, tag)

    @torch.no_grad()
    def _best(self, allowed: Tensor | None = None) -> int:
        """The highest score of the text, of those that are `allowed`."""
        scores = self.rows(self._run(None, Taps()))[0]
        return int((scores if allowed is None else scores.where(allowed, -torch.inf)).argmax())

    def _class(self, name: Any) -> int:
        """The column of a label, or of a token of the vocabulary; None: of the highest score."""
        if name is None:
            return self._best()
        labels = getattr(self.model, "labels", None)
        if labels:
            if name not in labels:
                raise unknown("label", name, labels)
            return labels.index(name)
        for form in (f"{name}", f"Ġ{name}", f"▁{name}"):
            if (found := self.model.tokenizer.backend.token_to_id(form)) is not None:
                return found
        raise PtmError(f"{name!r} is not one token of this vocabulary; give a single token, such as 'the'")


def _filler(model: Model, baseline: str) -> Tensor:
    ids = {"pad": model.tokenizer.pad_id, "mask": model.tokenizer.mask_id, "unk": model.tokenizer.unk_id}
    if baseline not in ids:
        raise unknown("baseline", baseline, ids)
    chosen = ids[baseline] if ids[baseline] is not None else model.tokenizer.eos_id
    if chosen is None:
        raise PtmError(f"this tokenizer has no {baseline} token; take another baseline")
    return torch.tensor(chosen, device=model.device)


def _place(place: Any, T: int) -> int:
    if not isinstance(place, int | np.integer) or isinstance(place, bool) or not 0 <= place < T:
        raise PtmError(f"position {place!r} does not exist: this text has tokens 0 to {T - 1}")
    return int(place)
