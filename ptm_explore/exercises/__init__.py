"""Exercises of the chapters: `check("02.softmax", my_softmax)` asks about the likely mistakes."""

from importlib import import_module
from pkgutil import iter_modules

from .base import Feedback, check, hint, names

__all__ = ["Feedback", "check", "hint", "names"]

for _chapter in iter_modules(__path__):
    if _chapter.name.startswith("ch"):
        import_module(f".{_chapter.name}", __name__)  # which registers its exercises
