"""The registry of exercises, and how an answer is judged.

An exercise is a generator function. It gets what the answer returned for a case, and the case; first it
yields the right result, then what the likely mistakes would give, each with the question that tutors ("did
you forget to scale?"). So the feedback can ask about a mistake instead of saying "wrong", and a chapter need
not say more than its questions. The docstring holds the hint and, in a paragraph of its own, the praise.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

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
    """Raised while an answer is judged: what to tell the learner. Never leaves `check`."""


_ALL: dict[str, tuple[Callable[[Any], None], str, str]] = {}  # judge, hint, praise


def exercise(name: str, *what: str, cases: Iterable[tuple] = (), value=False, unchanged=False, rtol=1e-3):
    """Registers a generator function `questions(got, *case)` as the exercise `name`.

    Its first yield is the right result: numbers within `rtol`, a pair of results where `what` has two names,
    or anything comparable. Each further yield is a question and its symptoms: what a mistake gives, or a
    bool, true of that mistake. `...` stands for anything. No symptom is looked at when the result is right.

    `what` names the results in messages; "{0}" in it is the first argument of the case. Without `what` no
    right result is yielded: the symptoms decide, which are then all true or false. Without `cases`, `got` is
    the answer itself: a function or, with `value`, a value. `unchanged` forbids to change arguments.
    """

    def register(questions: Callable[..., Iterator]):
        def judge(answer) -> None:
            kind = type(answer).__name__
            require(value or callable(answer), f"give a function, not a {kind}: pass its name, without ()")
            if not cases:
                _judge(answer, questions(answer), what, rtol)
            for case in cases:
                given = deepcopy(case)
                got = answer(*given)
                in_place = "did you change an argument in place? Work on a copy: torch.where or x.clone()"
                require(not unchanged or _same(given, case, rtol), in_place)
                _judge(got, questions(got, *case), [name.format(*case) for name in what], rtol)

        hint, _, praise = cleandoc(questions.__doc__ or "").partition("\n\n")
        _ALL[name] = judge, hint, praise
        return questions

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
    judge, _, praise = _find(name)
    try:
        judge(answer)
    except Hint as said:
        return Feedback(False, str(said))
    except Exception as problem:
        crash = f"{type(problem).__name__}: {problem}".replace("`", "'")[:500]
        return Feedback(False, f"your answer stopped with `{crash}`. Does it run on an example of your own?")
    return Feedback(True, praise)


def require(condition: object, message: str) -> None:
    """Ends the check with `message` unless `condition` holds."""
    if not condition:
        raise Hint(message)


def _judge(got, questions: Iterator, what, rtol: float) -> None:
    right = next(questions) if what else ...
    if right is not ...:
        got = meant(got, right, what)
        if _same(got, right, rtol):
            return
    for question, *symptoms in questions:
        for symptom in symptoms:
            known = symptom if right is ... or isinstance(symptom, bool) else _same(got, symptom, rtol)
            require(not known, question)
    if right is not ...:
        parts = zip(got, right, what, strict=True) if len(what) > 1 else [(got, right, what[0])]
        _differ(*next(part for part in parts if not _same(*part[:2], rtol)))


def meant(got, right, what):
    """`got` in the form of `right`: a tuple of as many things as `what` names, numbers as a tensor."""
    if len(what) > 1:
        two = isinstance(got, (tuple, list)) and len(got) == len(what)
        require(two, f"return two things, {' and '.join(what)}; what came back is a {type(got).__name__}")
        return tuple(meant(*part) for part in zip(got, right, ([name] for name in what), strict=True))
    require(got is not None, "your function returned None. Is a `return` missing?")
    if not isinstance(right, (Tensor, float, int)):
        return got
    try:
        got = got.detach().cpu() if isinstance(got, Tensor) else torch.as_tensor(got)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"{what[0]} should be numbers, not a {type(got).__name__}") from None
    boolean = got.dtype == torch.bool or not (isinstance(right, Tensor) and right.dtype == torch.bool)
    require(boolean, f"{what[0]} should be boolean, True or False; what came back is {got.dtype}")
    return got


def _same(a, b, rtol: float) -> bool:
    if isinstance(b, tuple):
        return isinstance(a, tuple) and len(a) == len(b) and all(map(_same, a, b, [rtol] * len(b)))
    if b is ... or not isinstance(a, Tensor):
        return b is ... or a == b
    a, b = a.double(), torch.as_tensor(b).double()
    return a.shape == b.shape and torch.allclose(a, b, rtol=rtol, atol=1e-5, equal_nan=True)


def _differ(got, right, what: str) -> None:
    """Says how a result that no question knows differs from the right one."""
    require(isinstance(got, Tensor), f"{what} is {str(got)[:80]}, but {right} was expected")
    right = torch.as_tensor(right)
    shapes = f"{what} should have the shape {tuple(right.shape)}, not {tuple(got.shape)}"
    require(got.shape == right.shape, shapes)
    off = (got.double() - right.double()).abs().flatten().nan_to_num(torch.inf).argmax()
    here, there = got.flatten()[off].item(), right.flatten()[off].item()
    raise Hint(f"{what} is not right yet; the value furthest off is {here:.6g}, expected was {there:.6g}")


def _find(name: str) -> tuple[Callable[[Any], None], str, str]:
    if name not in _ALL:
        raise unknown("exercise", name, _ALL)
    return _ALL[name]
