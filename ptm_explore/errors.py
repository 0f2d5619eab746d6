"""Errors that say what was given, what is allowed, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class PtmError(Exception):
    """Base of every error this package raises on purpose."""


class TrainingError(PtmError):
    """Training stopped because it could not go on; `model` holds the last good weights."""

    def __init__(self, message: str, model=None):
        super().__init__(message)
        self.model = model


def unknown(kind: str, given: object, allowed: Iterable[str], hint: str = "") -> PtmError:
    """The error for a name that does not exist: the nearest names first, then all of them.

    >>> unknown("recipe", "bert-mni", ["bert-mini", "gpt-mini"])
    PtmError("unknown recipe 'bert-mni'. Did you mean 'bert-mini'? Known: bert-mini, gpt-mini.")
    """
    names = sorted(map(str, allowed))
    near = get_close_matches(str(given), names, n=3, cutoff=0.5)
    guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return PtmError(
        f"unknown {kind} {given!r}.{guess} Known: {', '.join(names)}.{' ' + hint if hint else ''}"
    )
