"""ptm_explore: train pre-trained language models, look inside them, compare them. See README.md.

Names are looked up when they are first used, so that importing the package costs milliseconds, not torch.
"""

from importlib import import_module

__version__ = "0.1.0"

# public name -> where it lives
_HOME = {
    "setup": "environment",
    "recipes": "environment",
    "doctor": "environment",
    "load": "model",
    "Model": "model",
    "pretrain": "training.pretrain",
    "finetune": "transfer.finetune",
    "Classifier": "classifier",
    "recipe": "models.recipes",
    "corpus": "text.corpora",
    "task": "text.tasks",
    "show": "figures.source",
    "trace": "interpret.trace",
    "attribute": "interpret.attribution",
    "faithfulness": "interpret.faithfulness",
    "explore": "widgets.explorer",
    "FillWidget": "widgets",
    "PtmError": "errors",
    "TrainingError": "errors",
}
_MODULES = ("exercises", "figures", "interpret", "widgets")

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"ptm_explore has no {name!r}; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
