"""Taps: every activation has a name, and whoever listens may read it, edit it, or ask for its gradient.

A model hands `taps` down its modules, narrowing the name at each step: the body calls
`layer(x, taps=at(taps, "layers.3"))`, the layer calls `at(taps, "attention")`, and attention reports
`tap(taps, "probs", probs)`, which is known outside as `layers.3.attention.probs`. When nobody listens
`taps` is None all the way down and costs nothing; nothing is ever stored on a module.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from torch import Tensor

Edit = Callable[[Tensor], Tensor]


class Taps:
    """Listeners by name. Patterns may hold `*`: `layers.*.attention.probs`.

    read:      names to keep in `values`.
    edit:      name -> function of the activation; what it returns is used from there on (patching).
    gradients: keep the gradient of what is read as well; after a backward pass see `gradients()`.
    """

    def __init__(
        self, read: Iterable[str] = (), edit: Mapping[str, Edit] | None = None, gradients: bool = False
    ):
        self.read, self.edit, self.keep_gradients = tuple(read), dict(edit or {}), gradients
        self.values: dict[str, Tensor] = {}
        self.scope = ""

    def at(self, scope: str) -> "Taps":
        """The same listeners, seen from inside `scope`."""
        inner = Taps.__new__(Taps)
        inner.__dict__.update(self.__dict__, scope=f"{self.scope}{scope}.")
        return inner

    def listens(self, *names: str) -> bool:
        """Whether anybody reads or edits one of these names (relative to the scope)."""
        patterns = (*self.read, *self.edit)
        return any(fnmatchcase(self.scope + name, pattern) for name in names for pattern in patterns)

    def __call__(self, name: str, value: Tensor) -> Tensor:
        """Report an activation; returns it, edited where somebody edits it."""
        name = self.scope + name
        for pattern, change in self.edit.items():
            if fnmatchcase(name, pattern):
                value = change(value)
        if any(fnmatchcase(name, pattern) for pattern in self.read):
            self.values[name] = value
            if self.keep_gradients and value.requires_grad:
                value.retain_grad()
        return value

    def gradients(self) -> dict[str, Tensor]:
        """name -> gradient of what was read, after `backward`; names that got none are left out."""
        return {name: value.grad for name, value in self.values.items() if value.grad is not None}


def at(taps: Taps | None, scope: str) -> Taps | None:
    return None if taps is None else taps.at(scope)


def tap(taps: Taps | None, name: str, value: Tensor) -> Tensor:
    return value if taps is None else taps(name, value)
