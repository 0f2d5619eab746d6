"""Pick the order in which a permutation language model predicts, and see who may see whom."""

import html
import itertools

import torch
import traitlets

from ..errors import PtmError
from ..objectives.plm import Plm
from .base import PtmWidget

MOST = 24  # tokens; more would not fit beside their masks


class OrderWidget(PtmWidget):
    """The tokens of a text as buttons; pressed one after the other, they become a factorisation order. Below,
    what each prediction may see, how probable `model`, an XLNet, holds the token that stands there, and both
    masks: of the content stream and of the query stream (`objectives.plm`)."""

    module = "order.js"
    tokens: traitlets.List = traitlets.List(help="of the text, special ones included").tag(sync=True)
    special: traitlets.List = traitlets.List(help="positions that are always given").tag(sync=True)
    order: traitlets.List = traitlets.List(help="positions, the first to be predicted first").tag(sync=True)
    # {"order": [...], "content": T x T, "query": T x T, "nats": [one a prediction]}
    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, model, text: str, order=()):
        found = getattr(model, "family", type(model).__name__)
        if found != "xlnet":
            raise PtmError(f"an order needs an XLNet, such as ptm.load('xlnet-mini'), not {found}")
        encoded = model.encode(text)
        ids, special = encoded.ids[0], encoded.special[0].nonzero().flatten().tolist()
        if len(ids) > MOST:
            raise PtmError(f"this text has {len(ids)} tokens; masks are readable up to {MOST}: shorten it")
        self._model, self._ids = model, ids.tolist()
        tokens = encoded.tokens[0]
        super().__init__(tokens=tokens, special=special, order=list(order), label="Factorisation order")
        self._show()
        self.observe(lambda _change: self._show(), "order")

    def _show(self) -> None:
        with self.reporting():
            self.answer = {}
            if self.order:
                self.answer = self._answer(self.order)

    @torch.inference_mode()
    def _answer(self, order: list[int]) -> dict:
        described = Plm().describe(self._ids, self._model.tokenizer, order=order)
        given = [place for place in order if place in self.special]
        if given:
            raise PtmError(f"{self.tokens[given[0]]} is a special token, which is always given; leave it out")
        ids, visible, device = described.original, described.visible, self._model.device
        at = (described.order >= 0).nonzero().flatten()
        out = self._model.net(ids[None].to(device), queries=at.to(device), visible=visible[None].to(device))
        nats = -out.logits.float().log_softmax(-1).cpu()[torch.arange(len(at)), ids[at]]
        by_place = dict(zip(at.tolist(), nats.tolist(), strict=True))
        masks = {"content": visible.int().tolist(), "query": described.query.int().tolist()}
        return {"order": order, "nats": [by_place[place] for place in order]} | masks

    def _html(self) -> str:
        cells = ""
        for place, nats in zip(self.answer.get("order", []), self.answer.get("nats", []), strict=True):
            seen = " ".join(itertools.compress(self.tokens, self.answer["query"][place]))
            line = html.escape(f"{self.tokens[place]}, from {seen}: {nats:.2f} nats")
            cells += f"<li><bdi>{line}</bdi></li>"
        return f"<p><q>{html.escape(' '.join(self.tokens))}</q></p><ol>{cells}</ol>"
