"""What a training says while it runs: one line that is overwritten, and rows of metrics in a file."""

import json
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

EVERY = 0.2  # seconds between two updates of the line
WIDTH = 24


class Line:
    """One line of text, overwritten in place: in a notebook an output that is replaced (so that a saved
    notebook holds the last state only), in a terminal overwritten, in a log a line each ten per cent."""

    def __init__(self, show: bool = True):
        self._show, self._time, self._tenth, self._text = show, 0.0, -1, ""
        self._handle = _notebook_output() if show else None

    def write(self, text: str, share: float = 0.0) -> None:
        self._text = text
        if self._show and time.monotonic() - self._time >= EVERY:
            self._time = time.monotonic()
            self._emit(int(share * 10))

    def close(self) -> None:
        """The last text, whenever it came."""
        if self._show and self._text:
            self._emit(11)
            if self._handle is None and sys.stderr.isatty():
                print(file=sys.stderr)

    def _emit(self, tenth: int) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": self._text}, raw=True)
        elif sys.stderr.isatty():
            print(f"\r{self._text}\033[K", end="", file=sys.stderr, flush=True)
        elif tenth > self._tenth:
            self._tenth = tenth
            print(self._text, file=sys.stderr, flush=True)


class Progress:
    """A bar that fills with the budget, and the metrics as JSON lines and TensorBoard events in `folder`."""

    def __init__(self, title: str, folder: Path | None = None, show: bool = True, past: Iterable[dict] = ()):
        self.title, self._line, self._bar, self._note, self._share = title, Line(show), "", "", 0.0
        self._file = self._board = None  # the second where the extra is installed
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "metrics.jsonl").open("w", encoding="utf-8")
            with suppress(ImportError):
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(folder / "tensorboard"))
            # `past` is of the run that this one resumes: what came after its checkpoint is forgotten
            self._file.writelines(json.dumps(row) + "\n" for row in past)

    def update(self, share: float, loss: float, speed: float, seconds: float) -> None:
        """`share` of the budget spent in `seconds` so far; loss in nats, speed in tokens a second."""
        left = seconds * (1 - share) / share if share else 0.0
        self._share = share
        bar = f"{'█' * round(share * WIDTH):░<{WIDTH}} loss {loss:.2f}, {speed:,.0f} tokens/s"
        self._bar = f"{self.title} {share:4.0%} {bar}, {_clock(seconds)} spent, {_clock(left)} left"
        self._write()

    def _write(self) -> None:
        self._line.write(", ".join(filter(None, (self._bar, self._note))), self._share)

    def record(self, row: dict, note: str = "") -> None:
        """One row of metrics to the files; the line shows the last `note` that was given."""
        self._note = note or self._note
        if self._bar:
            self._write()
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, row["step"])

    def close(self) -> None:
        for sink in (self._line, self._file, self._board):
            if sink is not None:
                sink.close()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}"


def _notebook_output():
    """A display that can be updated, where a notebook is listening."""
    ipython = sys.modules.get("IPython")
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        return None
    from IPython.display import display

    return display({"text/plain": "..."}, raw=True, display_id=True)
