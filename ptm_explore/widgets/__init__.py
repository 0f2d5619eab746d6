"""Widgets: Python computes, the page displays. Loaded on first use, because ipywidgets takes a while."""

from importlib import import_module

_HOMES = {
    "ExplorerWidget": "explorer",
    "FillWidget": "fill",
    "OrderWidget": "order",
    "PtmWidget": "base",
    "ReplacedWidget": "replaced",
    "TokensWidget": "tokens",
}
__all__ = ["ExplorerWidget", "FillWidget", "OrderWidget", "PtmWidget", "ReplacedWidget", "TokensWidget"]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
