"""`python -m benchmarks minis DATA`: train the minis that come with the package, and put them there.

DATA is a folder that holds `wikipedia_en/` and `storybooks/`. One mini after the other; each takes about
forty minutes on one core, five on a GPU. A run that was killed goes on; one that is done stays."""

import argparse
import shutil
import sys
from pathlib import Path

import torch

import ptm_explore as ptm
from ptm_explore.figures import text_curve
from ptm_explore.models.pretrained import SHIPPED

RUNS = Path("runs/minis")
FILES = ("wikipedia_en/wiki_share.jsonl.xz", "storybooks/stories_en.jsonl.xz")
# as much as a core reads in well over half an hour
BUDGETS = {
    "bert-mini": "40Mtokens",
    "gpt-mini": "24Mtokens",
    "roberta-mini": "40Mtokens",
    "albert-mini": "40Mtokens",
    "electra-mini": "28Mtokens",
    "xlnet-mini": "24Mtokens",
}
SETTINGS = {"length": 128, "batch": 16}
TEXTS = (
    "4,304 articles of the English Wikipedia (early 2015), 707 children's stories in English and two "
    "million words of the generated world"
)
LICENCE = (
    "The texts: Wikipedia contributors, CC BY-SA 3.0 and GFDL (github.com/jason-feng/wikiVisual, 1c0fac9); "
    "African Storybook Project and Pratham Books, CC BY (github.com/global-asp: asp-source 99e0223, "
    "pb-source e530dfb). The weights: as the package."
)
CARD = """\
# {name}

{parameters:,} parameters, made to be looked at: the chapters open it with `ptm.load("{name}")`.

Trained with

    {command}

on {data}.

{licence}

| | |
|---|---|
| device | {device} |
| tokens read | {tokens:,} in {steps:,} steps, {minutes:.0f} minutes |
| floating-point operations | {flops:.1e} |
| held-out loss | {heldout_loss:.2f} nats a predicted token; guessing by frequency: {unigram_loss:.2f} |
| held-out accuracy | {heldout_accuracy:.1%}; guessing the most frequent: {unigram_accuracy:.1%} |
{more}
Held-out loss over the training: `{curve}`

It knows what English looks like and little about the world. Weights are stored in half precision.
"""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks minis", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", default=list(BUDGETS))
    options = parser.parse_args(arguments)
    for name in options.names:
        run = RUNS / name
        if not (run / "config.json").is_file():
            torch.set_num_threads(1)  # as many cores as you like train as many minis, side by side
            ptm.pretrain(name, corpus(options.data), BUDGETS[name], out=run, resume=True, **SETTINGS)
        ship(name, run)
        print(f"{name}: shipped", file=sys.stderr)


def corpus(data: Path | str) -> str:
    """The real text of a folder, and the generated world."""
    return " + ".join([*(f"{data}/{file}" for file in FILES), "world:2M"])


def ship(name: str, run: Path) -> None:
    """The model of a run into the package, with a card that says where it comes from."""
    m = ptm.load(run)
    settings = " ".join(f"--{key} {value}" for key, value in SETTINGS.items())
    m.card.pop("corpus")  # where the files lay on that machine
    command = f'ptm-explore pretrain {name} --corpus "{corpus("DATA")}" --budget {BUDGETS[name]} {settings}'
    m.card |= {"data": TEXTS, "command": command, "licence": LICENCE}
    m.card |= {key: value for key, value in m.history[-1].items() if key.startswith(("heldout", "unigram"))}
    m.history = [row for row in m.history if "heldout_loss" in row]
    folder = SHIPPED / name
    shutil.rmtree(folder, ignore_errors=True)
    m.save(folder, half=True)
    rtd = (
        "| discriminator | area under the ROC curve {heldout_auc:.2f}; {heldout_replaced:.0%} of the tokens "
        "are replaced |\n"
    )
    facts = {
        **m.card,
        "name": name,
        "parameters": m.parameters,
        "minutes": m.card["seconds"] / 60,
        "more": rtd.format(**m.card) if "heldout_auc" in m.card else "",
        "curve": text_curve([row["heldout_loss"] for row in m.history]),
    }
    (folder / "README.md").write_text(CARD.format(**facts), encoding="utf-8")
