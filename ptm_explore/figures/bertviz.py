"""The three views of bertviz (Vig 2019) as pages that need no network.

bertviz's own HTML fetches require.js, d3 and jQuery from public servers, and in JupyterLab finds no require.
Here its scripts, and the d3 and jQuery that they ask for, come from installed packages, and run in a frame
that may load nothing and reach nothing around it.

L layers, H heads, T tokens
"""

import html
import json
import re
import secrets
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import PtmError
from . import style
from .attention import strongest

# Of tokens, and of numbers in a page: about five bytes each, which makes 9 MB of the neuron view's. The model
# view draws a line for every number, and a browser takes 15 s for that many.
MOST = {"tokens": 128, "head": 1_600_000, "model": 600_000, "neuron": 1_800_000}
WIDE = 12  # characters of a token for which all views have room; the caption has the whole tokens
READ = "layers.{}.attention.{}"
FURTHER = "Scores are more than q · k: XLNet's have terms of position and segment, not shown here. "


@dataclass(frozen=True)
class Page:
    """What a notebook shows in a frame, and `to_html` saves."""

    title: str
    alt: str  # what is seen, in words
    height: float  # in pixels
    document: str

    def __repr__(self) -> str:
        return f"{self.title}. {self.alt}"

    def _repr_html_(self) -> str:
        look = f"width:100%;height:{self.height:.0f}px;border:0;background:#fff"
        frame = f'<iframe sandbox="allow-scripts" style="{look}" title="{html.escape(repr(self))}"'
        return f'{frame} srcdoc="{html.escape(self.document)}"></iframe>'

    def to_html(self, path: str | Path) -> Path:
        """One file that opens anywhere, offline."""
        Path(path).write_text(self.document, encoding="utf-8")
        return Path(path)


def bertviz_head(trace) -> Page:
    """bertviz's head view: one layer's heads as lines between the tokens, in a colour each."""
    return _page("head", trace, ["probs"])


def bertviz_model(trace) -> Page:
    """bertviz's model view: all heads of all layers, small, and the one clicked on large."""
    return _page("model", trace, ["probs"])


def bertviz_neuron(trace) -> Page:
    """bertviz's neuron view: the queries and keys that weights are made of, and their products."""
    return _page("neuron", trace, ["probs", "q", "k"])


def _page(view: str, trace, names: list[str]) -> Page:
    layers, found = _read(view, trace, names)
    L, H, T, _ = found["probs"].shape
    tokens = [style.plain(token) for token in trace.tokens]
    average = strongest(found["probs"].mean((0, 1)).numpy(), trace.tokens)
    further = FURTHER if view == "neuron" and _further(**found) else ""
    alt = f"{L} layers x {H} heads. On average {average} {further}The {T} tokens: {' '.join(tokens)}"
    params = {"tokens": [style.plain(token, WIDE) for token in tokens], "include_layers": layers}
    params["second"] = trace.sections.index(1) if 1 in trace.sections else 0  # where the second text begins
    params |= {name: (x * 1e4).round().int().tolist() for name, x in found.items()}
    parts = {
        "view": view,
        "alt": html.escape(alt),
        "nonce": secrets.token_urlsafe(16),
        "params": json.dumps(params, separators=(",", ":")).replace("<", r"\u003c"),  # no end of the script
        "jquery": _file("XStatic-jQuery", "xstatic/pkg/jquery/data/jquery.min.js"),
        "d3": _file("mpld3", "mpld3/js/d3.v5.min.js"),  # the version bertviz is written for
        "script": _file("bertviz", f"bertviz/{view}_view.js").replace("PYTHON_PARAMS", "bertviz_params"),
    }
    page = (Path(__file__).parent / "static" / "bertviz.html").read_text(encoding="utf-8")
    page = re.sub("{(" + "|".join(parts) + ")}", lambda name: parts[name[1]], page)
    model = max(L * (84 / max(H, 6) * T + 10) + 38, 18 * T + 55)
    height = {"head": 22.5 * T + 30, "model": model, "neuron": 26 * T + 100}[view]
    return Page(f"bertviz, {view} view", alt, height + 120 + 20 * (len(alt) // 100), page)


def _read(view: str, trace, names: list[str]) -> tuple[list[int], dict[str, Float[Tensor, "L H T _"]]]:
    """The layers that were traced, and what they hold. PtmError for what is not there or does not fit."""
    values = getattr(trace, "values", None)
    if not isinstance(values, dict):
        raise PtmError(f"bertviz_{view} takes a trace, as ptm.trace(m, text) gives it, not {type(trace)}")
    layers = [int(i) for name in values for i in re.findall(r"^layers\.(\d+)\.attention\.probs$", name)]
    missing = [name for i in layers or "*" for n in names if (name := READ.format(i, n)) not in values]
    if missing:
        raise PtmError(
            f"the {view} view needs {missing[0]}, which this trace has not: trace with "
            f"read={[READ.format('*', n) for n in names]} (a model without attention has none)"
        )
    found = {n: torch.stack([values[READ.format(i, n)] for i in layers]) for n in names}
    (L, H, T, _), size = found["probs"].shape, sum(x.numel() for x in found.values())
    if size > MOST[view] or MOST["tokens"] < T:
        raise PtmError(
            f"{T} tokens in {L} layers x {H} heads make {size:,} numbers, and bertviz's {view} view bears "
            f"{MOST['tokens']} and {MOST[view]:,}; take a shorter text, or ptm.explore(m, text) for long ones"
        )
    if not all(x.isfinite().all() for x in found.values()):
        raise PtmError(f"the trace holds values that are not finite, which the {view} view cannot draw")
    return layers, found


def _further(probs: Tensor, q: Tensor, k: Tensor) -> bool:
    """Whether scores have more terms than q · k: then a row's log-weights are not its products and a
    constant."""
    scores = q @ k.mT / q.size(-1) ** 0.5
    rest = torch.where(probs > 0, probs.log() - scores, torch.nan)
    spread = [(x - x.nanmean(-1, keepdim=True)).abs().nanmean() for x in (rest, scores)]
    return bool(spread[0] > 0.05 * spread[1])


def _file(package: str, path: str) -> str:
    """A file of an installed package, without importing the package."""
    return Path(str(distribution(package).locate_file(path))).read_text(encoding="utf-8")
