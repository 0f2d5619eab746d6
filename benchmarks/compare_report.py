"""A comparison as one page that opens offline: what was done, what came out, how to run it again."""

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.compare import Comparison
from ptm_explore.figures import estimates, grid, learning_curve, style
from ptm_explore.interpret.results import Estimates, Grid

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><meta http-equiv="Content-Security-Policy" content="{policy}">
<style>body{{font-family:system-ui,sans-serif;color:#222;background:#fff;margin:1em auto;max-width:72em}}
table{{border-collapse:collapse;margin:1em 0}}
td,th{{border:1px solid #ccc;padding:.25em .6em;text-align:right}}
th{{text-align:left;background:#f4f4f4}}pre,p{{overflow-wrap:anywhere;white-space:pre-wrap}}</style></head>
<body><main>{body}</main></body></html>
"""


def scores(found: Comparison, measures: list[str] | None = None) -> Estimates:
    """Means over seeds with their intervals, as a figure draws them."""
    table = found.table(measures)
    names = measures or found.headline
    values = np.array(
        [
            [[table.loc[arm, (m, part)] for part in ("mean", "low", "high")] for m in names]
            for arm in found.arms
        ]
    )
    note = f"{len(found.settings['seeds'])} seeds, 95 % intervals over seeds; {found.settings['budget']} each"
    return Estimates("Equal budgets, the same text", values, found.arms, names, "score", "arm", note)


def phenomena(found: Comparison) -> Grid | None:
    """The minimal pairs of each phenomenon, the mean over seeds."""
    names = [m for m in found.measures if m.startswith("pairs.") and m != "pairs.all"]
    if not names:
        return None
    values = found.table(names).xs("mean", axis=1, level=1).to_numpy()
    short = [name.removeprefix("pairs.") for name in names]
    return Grid(
        "Minimal pairs", values, found.arms, short, "share right", ("arm", "phenomenon"), note="chance is 0.5"
    )


def to_html(found: Comparison, path: str | Path) -> Path:
    """One file with methods, curves, tables, costs, settings and versions; Plotly is inside (5 MB)."""
    figures = [estimates(scores(found))]
    curves = {run["arm"]: run["history"] for run in found.runs if run.get("history")}
    figures += (
        [learning_curve(curves, "How they learnt", x=unit) for unit in ("seconds", "tokens")]
        if curves
        else []
    )
    figures += [grid(map_)] if (map_ := phenomena(found)) is not None else []
    drawn = [
        f'<div role="img" aria-label="{html.escape(style.alt_text(fig))}">'
        + fig.to_html(full_html=False, include_plotlyjs=number == 0)
        + f"</div><p>{html.escape(style.alt_text(fig))}</p>"
        for number, fig in enumerate(figures)
    ]
    failed = [f"{run['arm']}, seed {run['seed']}: {run['error']}" for run in found.runs if "error" in run]
    parts = {
        "Scores": drawn[0] + _table(found.table()),
        "What may be concluded": _table(found.verdicts()),
        "Curves and phenomena": "".join(drawn[1:]),
        "What differs between the arms": _table(pd.DataFrame(found.unequal()).T),
        "Costs": _table(_costs(found)),
        "Runs that failed": _text("\n".join(failed) or "none"),
        "Settings": _text(json.dumps(found.settings, indent=1)),
    }
    title = f"Comparison of {', '.join(found.arms)}"
    body = f"<h1>{html.escape(title)}</h1>" + "".join(
        f"<h2>{head}</h2>{part}" for head, part in parts.items()
    )
    path = Path(path)
    path.write_text(PAGE.format(title=html.escape(title), policy=style.OFFLINE, body=body), encoding="utf-8")
    return path


def _costs(found: Comparison) -> pd.DataFrame:
    rows: dict[str, Any] = {}
    for run in found.runs:
        if run.get("history"):
            last = run["history"][-1]
            rows[f"{run['arm']}, seed {run['seed']}"] = {"parameters": run["parameters"]} | {
                unit: last.get(unit) for unit in ("step", "tokens", "seconds", "flops")
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _table(table: pd.DataFrame) -> str:
    return table.to_html(float_format="{:.3g}".format, border=0, escape=True)


def _text(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"
