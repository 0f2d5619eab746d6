"""Exercises of the chapters: `check("02.softmax", my_softmax)` asks about the likely mistakes."""

from . import ch00, ch02, ch03, ch04  # noqa: F401  (importing a chapter registers its exercises)
from .base import Feedback, check, hint, names

__all__ = ["Feedback", "check", "hint", "names"]
