"""The package's own source code, highlighted: what a chapter shows is what runs."""

import html
import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptm_explore.errors import PtmError


@dataclass(frozen=True)
class Source:
    """Source text that a notebook shows in colour, and a terminal plain."""

    title: str
    code: str

    def __repr__(self) -> str:
        return f"# {self.title}\n{self.code}"

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        # an opaque background of its own keeps the colours readable in a dark lab
        body = highlight(self.code, PythonLexer(), HtmlFormatter(noclasses=True, style="xcode"))
        style = "background:#fff;color:#000;padding:0.4em 0.8em;overflow-x:auto;font-size:90%"
        return f'<div style="{style}"><small>{html.escape(self.title)}</small>{body}</div>'


def show(what: Any) -> Source:
    """The source of a class, function or module, as it stands in the file it was imported from."""
    try:
        code = textwrap.dedent(inspect.getsource(what))
        file = inspect.getsourcefile(what) or ""
    except (TypeError, OSError) as error:
        takes = "show takes a class, a function or a module, such as ptm_explore.layers.attention.attend"
        raise PtmError(f"no Python source for {what!r}; {takes}") from error
    _, package, place = file.rpartition("ptm_explore/")
    return Source(package + place if package else Path(file).name, code)
