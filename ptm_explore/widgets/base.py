"""What all widgets share: their page code, an accessible name, an error line, and a picture for exports.

A widget's page code is one ES module in static/, written by hand: no build step, nothing from the network.
The helpers of static/dom.js are put in front of it, since anywidget takes a single module.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import anywidget
import traitlets

from ..errors import PtmError


class PtmWidget(anywidget.AnyWidget):
    """Base class. A subclass names its `module` in static/ and describes itself in `_html`."""

    module: str
    label = traitlets.Unicode(help="name of the widget for a screen reader").tag(sync=True)
    error = traitlets.Unicode(help="shown in the page; empty when all is well").tag(sync=True)
    heard = traitlets.Int(help="answers given so far: the page knows that its change got one").tag(sync=True)

    # ipywidgets 7 displays through this method alone and would pass over the HTML of _repr_mimebundle_.
    _ipython_display_ = None

    @traitlets.validate("text", "pair", "error")
    def _sent(self, proposal) -> str:
        """Half surrogates as their escapes: no message may hold them."""
        return proposal.value.encode("utf-8", "backslashreplace").decode()

    @property
    def _esm(self) -> str:
        """dom.js and the widget's module as one module: without the import between them."""
        shared = re.sub(r"^export (?=function|const)", "", static("dom.js"), flags=re.M)
        return shared + re.sub(r'^import .* from "\./dom\.js";\n', "", static(self.module), flags=re.M)

    @property
    def _css(self) -> str:
        return static("ptm.css")

    @contextmanager
    def reporting(self, **answer) -> Iterator[dict]:
        """Runs a computation whose failure the page must show; clears the error line first. An `answer` is
        what the block makes of it, and becomes the widget's even so. All that changes, the error line too,
        reaches the page in one message, so that it never pairs one thing with an older other.

        A `PtmError` is the user's to mend and ends here. Anything else is shown too, and raised: its
        traceback belongs in Jupyter's log.
        """
        with self.hold_sync():
            self.error = ""
            try:
                yield answer
            except PtmError as problem:
                self.error = str(problem)
            except Exception as problem:
                self.error = f"this failed with {type(problem).__name__}: {problem}"
                raise
            finally:
                self.heard += 1
                if answer:
                    self.answer = answer

    def _html(self) -> str:
        """The widget's present content as HTML without scripts, its texts escaped; without the error."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and beside it plain HTML for where no kernel runs: GitHub, nbconvert, e-mail."""
        data, metadata = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        error = f"<p>{escape(self.error)}</p>" if self.error else ""
        return data | {"text/html": self._html() + error}, metadata


def static(name: str) -> str:
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")
