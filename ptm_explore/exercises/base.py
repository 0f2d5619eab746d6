"""The registry of exercises, and the few words a checker is written in.

A checker calls the answer on small inputs of its own and compares it with what the likely mistakes would
give, so that the feedback can ask about that mistake ("did you forget to scale?") instead of saying "wrong".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import unknown


@dataclass(frozen=True)
class Feedback:
    """What `check` returns: `ok`, and a message that praises or asks about the likely mistake."""

    ok: bool
    message: str

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.message}"

    def _repr_markdown_(self) -> str:
        return f"**{'✓ Right.' if self.ok else '✗ Not yet.'}** {self.message}"


class Hint(Exception):
    """Raised inside a checker: what to tell the learner. Never leaves `check`."""


_ALL: dict[str, tuple[Callable[[object], None], str, str]] = {}


def exercise(name: str, hint: str, done: str, function: bool = True):
    """Registers a checker: `hint` is the nudge before an attempt, `done` what to say when it is right.

    With `function`, answers that cannot be called never reach the checker.
    """

    def register(checker):
        def run(answer):
            kind = type(answer).__name__
            require(
                not function or callable(answer), f"give a function, not a {kind}: pass its name, without ()"
            )
            checker(answer)

        _ALL[name] = run, hint, done
        return checker

    return register


def names() -> list[str]:
    """The names of all exercises, in the order of the chapters."""
    return sorted(_ALL)


def hint(name: str) -> str:
    """A nudge towards the answer of an exercise. Raises `PtmError` for a name that does not exist."""
    return _find(name)[1]


def check(name: str, answer: object) -> Feedback:
    """Tries an answer (a function, or a value where the exercise says so) and says what to look at.

    A wrong or crashing answer is not an error but feedback. Raises `PtmError` for a name that does not exist.
    """
    run, _, done = _find(name)
    try:
        run(answer)
    except Hint as said:
        return Feedback(False, str(said))
    except Exception as problem:
        crash = f"{type(problem).__name__}: {problem}".replace("`", "'")[:500]
        return Feedback(False, f"your answer stopped with `{crash}`. Does it run on an example of your own?")
    return Feedback(True, done)


def require(condition: object, message: str) -> None:
    """Ends the check with `message` unless `condition` holds."""
    if not condition:
        raise Hint(message)


def pair(got: object, what: str) -> tuple:
    """The two things an answer had to return."""
    two = isinstance(got, (tuple, list)) and len(got) == 2
    require(two, f"return two things, {what}; what came back is a {type(got).__name__}")
    return tuple(got)  # type: ignore[arg-type]


def tensor(got: object, what: str) -> Tensor:
    """`got` as a tensor (numbers, lists and arrays are taken as they are meant)."""
    require(got is not None, "your function returned None. Is a `return` missing?")
    try:
        return got.detach().cpu() if isinstance(got, Tensor) else torch.as_tensor(got)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"{what} should be numbers, not a {type(got).__name__}") from None


def match(got: object, right: Tensor, mistakes: dict[str, Tensor], what: str = "the result") -> None:
    """Passes when `got` is `right`; otherwise asks the question of the mistake that gives `got`."""
    found = tensor(got, what)
    if _same(found, right):
        return
    for question, wrong in mistakes.items():
        require(not _same(found, wrong), question)
    shapes = f"{what} should have the shape {tuple(right.shape)}, not {tuple(found.shape)}"
    require(found.shape == right.shape, shapes)
    off = (found.double() - right.double()).abs().flatten().nan_to_num(torch.inf).argmax()
    here, there = found.flatten()[off].item(), right.flatten()[off].item()
    raise Hint(f"{what} is not right yet; the value furthest off is {here:.6g}, expected was {there:.6g}")


def same(got: object, right: object, mistakes: Mapping[str, object], what: str) -> None:
    """As `match`, for anything but numbers."""
    require(got is not None, "your function returned None. Is a `return` missing?")
    for question, wrong in mistakes.items():
        require(got != wrong, question)
    require(got == right, f"{what} is {str(got)[:80]}, but {right} was expected")


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-3, atol=1e-5, equal_nan=True)


def _find(name: str) -> tuple[Callable[[object], None], str, str]:
    if name not in _ALL:
        raise unknown("exercise", name, _ALL)
    return _ALL[name]
