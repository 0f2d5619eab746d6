"""Attention of one or two models on a text: lines, maps, all heads at once, the products behind a score."""

import base64
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import traitlets

from ..errors import PtmError, unknown
from ..figures.lines import lines
from ..interpret.attention import MEASURES, STREAMS, look, products
from ..interpret.trace import Trace, trace
from .base import PtmWidget, static

WINDOW = 512  # tokens on screen
BYTES = 4e6  # of maps sent at once: two bytes a weight below, one above
SMALL = 24  # side of the small maps
PICTURED = 40  # tokens in the picture for pages without a kernel


class ExplorerWidget(PtmWidget):
    """The maps of one layer are in the page; another layer is sent when it is chosen. Weights travel as
    their square roots, in one or two bytes, which keeps three digits of small ones."""

    module = "explorer.js"
    text = traitlets.Unicode().tag(sync=True)
    pair = traitlets.Unicode(help="the second of two texts; empty: there is one").tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    measure = traitlets.Unicode("weights").tag(sync=True)
    stream = traitlets.Unicode("content").tag(sync=True)
    words = traitlets.Bool(False).tag(sync=True)
    start = traitlets.Int(0, help="first token on screen, of a long text").tag(sync=True)
    asked: traitlets.List = traitlets.List(help="[model, head, query, key]").tag(sync=True)
    choices = traitlets.Dict(help="what may be chosen: measures, streams").tag(sync=True)
    frame = traitlets.Dict(help="tokens and what goes with them; small maps of all heads").tag(sync=True)
    maps: traitlets.List = traitlets.List(help="bytes (H, T, T) of each model, of one layer").tag(sync=True)
    answer = traitlets.Dict(help="the products of query and key that were asked for").tag(sync=True)
    live = traitlets.Bool(True, help="a kernel answers; false in an exported page").tag(sync=True)

    def __init__(self, models, text: str, pair: str = "", **settings):
        self._models = list(models) if isinstance(models, Sequence) else [models]
        if not 1 <= len(self._models) <= 2 or not all(hasattr(m, "net") for m in self._models):
            raise PtmError("explore takes a model or a list of two, as ptm.load or ptm.pretrain give them")
        streams = list(STREAMS) if any(m.family == "xlnet" for m in self._models) else ["content"]
        choices = {"measures": MEASURES, "streams": streams}
        super().__init__(text=text, pair=pair, label="Attention explorer", choices=choices, **settings)
        self._show()
        if self.error:  # in Python a wrong argument is an exception; in the page, a line
            raise PtmError(self.error)
        self.observe(lambda _: self._show(), ["text", "pair", "measure", "stream", "words"])
        self.observe(lambda _: self._arrange(), "start")
        self.observe(lambda _: self._layer_maps(), "layer")
        self.observe(lambda _: self._answer(), "asked")

    def _show(self) -> None:
        with self.reporting():
            if not self.text.strip():
                raise PtmError("the text is empty: write a sentence")
            if self.stream not in self.choices["streams"]:
                raise unknown("stream of attention", self.stream, self.choices["streams"])
            chosen = self.measure, self.stream, self.words
            self._look = look(self._models, self.text, self.pair or None, *chosen)
            self._traces: dict[int, Trace] = {}
            self.start = 0
            self._arrange()

    def _arrange(self) -> None:
        """The part of the text that is on screen, and the small maps."""
        with self.reporting():
            seen, n = self._look, len(self._look.tokens)
            first = max(0, min(self.start, n - WINDOW))
            part = slice(first, first + WINDOW)
            self._shown = [m[:, :, part, part] for m in seen.maps]
            bounded = self.measure in ("weights", "rollout")
            self._peaks = [1.0 if bounded else max(float(m.max()), 1e-9) for m in self._shown]
            self._kind = np.uint16 if 2 * sum(m[0].numel() for m in self._shown) <= BYTES else np.uint8
            # the largest weight in each cell of a coarser grid
            coarse = (F.adaptive_max_pool2d(m, min(SMALL, m.size(-1))) for m in self._shown)
            small = [_packed(m, peak, np.uint8) for m, peak in zip(coarse, self._peaks, strict=True)]
            frame = {name: getattr(seen, name)[part] for name in ("tokens", "special", "sections")}
            frame |= {"names": seen.names, "notice": seen.notice, "peaks": self._peaks, "small": small}
            frame |= {"layers": min(map(len, self._shown)), "heads": [m.size(1) for m in self._shown]}
            self.frame = frame | {"total": n, "first": first, "bytes": self._kind(0).itemsize}
            self._layer_maps()

    def _layer_maps(self) -> None:
        with self.reporting():
            layers = self.frame["layers"]
            if not 0 <= self.layer < layers:
                raise PtmError(f"layer {self.layer} does not exist: there are layers 0 to {layers - 1}")
            self.maps = self._packed_layer(self.layer)
            self.asked, self.answer = [], {}  # they were of what was on screen before

    def _packed_layer(self, layer: int) -> list[bytes]:
        return [_packed(m[layer], peak, self._kind) for m, peak in zip(self._shown, self._peaks, strict=True)]

    def _answer(self) -> None:
        with self.reporting():
            self.answer = {}
            if not self.asked:
                return
            model, head, *places = self.asked
            if model not in self._traces:
                read = ["layers.*.attention.*"]
                self._traces[model] = trace(self._models[model], self.text, self.pair or None, read=read)
            query, key = (self._look.groups[model][place + self.frame["first"]][-1] for place in places)
            stream = self.stream if self._models[model].family == "xlnet" else "content"
            found = products(self._traces[model], self.layer, head, query, key, stream)
            pair = [self._traces[model].tokens[place] for place in (query, key)]
            answer = {name: getattr(found, name).tolist() for name in ("query", "key", "products")}
            answer["rest"] = [found.place, found.score, found.weight]
            self.answer = answer | {"asked": self.asked, "pair": pair}

    def to_html(self, path: str | Path) -> Path:
        """One file that opens anywhere, offline, all layers in it; what needs the model stays as it is."""
        stored = [list(map(_text, self._packed_layer(layer))) for layer in range(self.frame["layers"])]
        names = ("text", "pair", "layer", "measure", "stream", "words", "choices", "label")
        state = {name: getattr(self, name) for name in names}
        frame = self.frame | {"small": [_text(maps) for maps in self.frame["small"]]}
        state |= {"frame": frame, "stored": stored, "live": False, "error": "", "answer": {}}
        parts = {"{css}": self._css, "{esm}": self._esm.replace("export default { render };", "")}
        parts["{state}"] = json.dumps(state).replace("<", "\\u003c")  # no text may end the script
        page = re.sub("{css}|{esm}|{state}", lambda found: parts[found[0]], static("export.html"))
        Path(path).write_text(page, encoding="utf-8")
        return Path(path)

    def to_png(self, path: str | Path) -> Path:
        """The lines of the layer, the mean of its heads, as a picture."""
        return self._save(path, "png")

    def to_svg(self, path: str | Path) -> Path:
        """As `to_png`, as vectors for a paper."""
        return self._save(path, "svg")

    def _save(self, path: str | Path, kind: str) -> Path:
        Path(path).write_bytes(self._picture(kind, WINDOW))
        return Path(path)

    def _picture(self, kind: str, most: int) -> bytes:
        maps = [m[self.layer].mean(0)[:most, :most] for m in self._shown]
        title = f"Attention, layer {self.layer}, mean of all heads: {self.measure}"
        return lines(self.frame["tokens"][:most], maps, self.frame["names"], title, kind)

    def _html(self) -> str:
        """A picture of the first tokens and what it shows in words, for where no kernel runs."""
        tokens = self.frame["tokens"][:PICTURED]
        said = []
        for name, m in zip(self.frame["names"], self._shown, strict=True):
            best = m[self.layer].mean(0)[:PICTURED, :PICTURED].argmax(-1).tolist()
            looks = "; ".join(f"{t} → {tokens[j]}" for t, j in zip(tokens, best, strict=True))
            said.append(f"{name}: {looks}")
        alt = html.escape(f"Attention of layer {self.layer}. Where tokens look most: {' | '.join(said)}")
        more = "" if len(tokens) == self.frame["total"] else f"<p>The first {PICTURED} tokens.</p>"
        return f'<img alt="{alt}" src="data:image/png;base64,{_text(self._picture("png", PICTURED))}">{more}'


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _packed(maps: torch.Tensor, peak: float, kind: type) -> bytes:
    """Square roots of shares of the peak, as whole numbers."""
    return ((maps / peak).clamp(0, 1).sqrt() * np.iinfo(kind).max).round().numpy().astype(kind).tobytes()


def explore(models, text: str, pair: str = "", **settings) -> ExplorerWidget:
    """The attention explorer: of a model, or of a list of two side by side, on a text (or a pair of texts),
    which may be edited in the page. `settings` are the widget's traits: layer, measure ("weights", "norms",
    "gradient", "rollout"), stream ("content", or "query" of XLNet), words. PtmError for what is not
    there."""
    return ExplorerWidget(models, text, pair, **settings)
