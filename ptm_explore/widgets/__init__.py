"""Widgets: Python computes, the page displays. Loaded on first use, because ipywidgets takes a while."""

from importlib import import_module

__all__ = ["ExplorerWidget", "FillWidget", "OrderWidget", "PtmWidget", "ReplacedWidget", "TokensWidget"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "base" if name == "PtmWidget" else name.removesuffix("Widget").lower()
    return getattr(import_module(f".{home}", __name__), name)
