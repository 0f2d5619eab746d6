"""What a training says while it runs: a bar in the terminal or notebook, lines in a file."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path


class Progress:
    """A bar that fills with the budget, and the metrics as JSON lines and TensorBoard events in `folder`."""

    def __init__(self, title: str, folder: Path | None = None, show: bool = True, past: Iterable[dict] = ()):
        from tqdm import tqdm

        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"
        self._bar = tqdm(
            total=1.0, desc=title, bar_format=layout, disable=not show, file=sys.stderr, dynamic_ncols=True
        )
        self._file = self._board = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "metrics.jsonl").open("w", encoding="utf-8")
            self._board = _tensorboard(folder)
            for row in past:  # of the run that this one resumes: what came after its checkpoint is forgotten
                self._file.write(json.dumps(row) + "\n")

    def update(self, share: float, loss: float, speed: float, more: str = "") -> None:
        """The bar at `share` of the budget."""
        self._bar.n = round(share, 4)
        self._bar.set_postfix_str(f"loss {loss:.2f}, {speed:,.0f} tokens/s{more}", refresh=True)

    def record(self, row: dict) -> None:
        """One row of metrics to the files."""
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, row["step"])

    def close(self) -> None:
        self._bar.close()
        for sink in (self._file, self._board):
            if sink is not None:
                sink.close()


def _tensorboard(folder: Path):
    """A writer, where the extra is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
