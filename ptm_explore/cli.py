"""The command `ptm-explore`: recipes, pretrain, finetune, fill, trace, world, doctor."""

import argparse
import sys
from pathlib import Path

import ptm_explore as ptm


def main(arguments: list[str] | None = None) -> None:
    """Run one command; an error of ours is one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ptm.PtmError as error:
        print(f"ptm-explore: {error}", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    about = "Train, open and look into pre-trained models."
    parser = argparse.ArgumentParser("ptm-explore", description=about)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(run, help: str, parents=()):
        command = commands.add_parser(run.__name__.removeprefix("_"), help=help, parents=parents)
        command.set_defaults(run=run)
        return command

    opened = argparse.ArgumentParser(add_help=False)  # what finetune, fill and trace have in common
    opened.add_argument("model", help="a shipped mini, a folder or a hub id in the Hugging Face layout")
    training = argparse.ArgumentParser(add_help=False)  # what pretrain and finetune have in common
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--out", type=Path, help="folder for what was trained, checkpoints, metrics")
    training.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    training.add_argument("--batch", type=int, help="rows in a step, of each process")
    training.add_argument("--length", type=int, help="tokens in a row")
    training.add_argument("--lr", type=float, help="peak learning rate")
    training.add_argument("--dropout", type=float)
    training.add_argument("--cpu", action="store_true", help="stay on the CPU")

    add(_recipes, "table of what can be trained")

    command = add(_pretrain, "train a recipe on a corpus", [training])
    command.add_argument("name", metavar="recipe", help="for example bert-mini; see ptm-explore recipes")
    corpora = "world, pydocs, a file, folder or glob, or hf:<dataset>[:config]"
    command.add_argument("--corpus", default="world", help=corpora)
    command.add_argument("--text-field", help="column or key that holds the text (guessed if not given)")
    command.add_argument("--budget", default="60s", help="60s, 10min, 2Mtokens, 500steps, 1e13flops")
    command.add_argument("--start", choices=["warm", "cold"], help="from counts, or as in the papers")
    command.add_argument("--save-every", type=int, metavar="STEPS", help="a checkpoint every so many steps")
    command.add_argument("--accumulate", type=int, default=1, help="batches in a step")
    command.add_argument("--precision", choices=["no", "bf16", "fp16"], help="chosen by device if not given")

    command = add(_finetune, "train a model for a task, and judge it", [opened, training])
    command.add_argument("task", help="a file or folder with labelled rows, or hf:<dataset>[:config]")
    for column in ("text", "pair", "label"):
        command.add_argument(f"--{column}", help="the column that holds it (guessed if not given)")
    command.add_argument("--budget", default="3epochs", help="3epochs, 60s, 500steps")
    command.add_argument("--train", default="all", choices=["all", "head"], help="head: the body is frozen")

    command = add(_fill, "fill the masks of a text, continue it, or judge it", [opened])
    command.add_argument("text")
    command.add_argument("--top-k", type=int, default=5)

    command = add(_trace, "draw a model's attention on a text as one HTML file", [opened])
    command.add_argument("text")
    command.add_argument("--out", type=Path, default=Path("trace.html"))
    command.add_argument("--layer", type=int, help="one layer only")

    command = add(_world, "some documents of the generated world")
    command.add_argument("what", choices=["read"])
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--documents", type=int, default=5, metavar="N")
    command.add_argument("--genre", default="", help="of all genres if not given")

    add(_doctor, "what is installed, and whether the chapters will run")
    return parser


def _given(options, *without: str) -> dict:
    """Options that were given or have a default, by name: arguments of the function that a command calls."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    return {name: value for name, value in given.items() if name not in ("run", *without)}


def _recipes(options) -> None:
    formats = dict.fromkeys(("parameters", "vocabulary"), "{:,}".format)
    formats |= dict.fromkeys(("FLOPs/token", "training FLOPs/token", "training GB"), "{:.2g}".format)
    print(ptm.recipes().to_string(formatters=formats))


def _pretrain(options) -> None:
    from ptm_explore.figures import learning_curve, text_curve, to_html
    from ptm_explore.objectives import objective
    from ptm_explore.training.devices import processes

    attention = {} if options.dropout is None else {"attention_dropout": options.dropout}
    model = ptm.pretrain(**_given(options), **attention)
    if not processes(options.cpu).is_main_process:
        return
    print(model)
    print(text_curve([row["loss"] for row in model.history if "loss" in row]))
    last = next(row for row in reversed(model.history) if "heldout_loss" in row)
    spent = f"{last['step']:,} steps, {last['tokens']:,} tokens, {last['seconds']:.0f} s"
    print(f"unseen text after {spent}: {objective(model.recipe.objectives).headline(last)}")
    if "unigram_loss" in last:
        accuracy = "accuracy {heldout_accuracy:.1%} (unigram guess {unigram_accuracy:.1%})".format(**last)
        print(accuracy, "loss {heldout_loss:.2f} nats (unigram {unigram_loss:.2f})".format(**last), sep=", ")
    for key, value in last.items():
        if key.startswith("heldout_accuracy_"):
            print(f"{key.removeprefix('heldout_accuracy_')}: accuracy {value:.1%}")
    if options.out is not None:
        curve = learning_curve(model.history, title=f"{options.name} on {options.corpus}")
        to_html(curve, options.out / "curve.html")
        print(f"saved: {options.out} (model, metrics.jsonl, curve.html); try: ptm-explore fill {options.out}")


def _finetune(options) -> None:
    from ptm_explore.training.devices import processes

    data = ptm.task(options.task, options.text, options.pair, options.label)
    settings = _given(options, "model", "task", "text", "pair", "label")
    classifier = ptm.finetune(ptm.load(options.model), data, **settings)
    if processes(options.cpu).is_main_process:
        print(f"{data.judged}: {classifier.evaluate(data.judged)}")
        print(f"the best constant answer: {data.majority}")
        if options.out is not None:
            print(f"saved: {options.out}; try: ptm.load({str(options.out)!r}).predict(...)")


def _fill(options) -> None:
    model = ptm.load(options.model)
    marks = {"[MASK]", model.tokenizer.mask_token} - {None}
    if "rtd" in model.net.heads and not any(mark in options.text for mark in marks):
        special = model.encode(options.text).special[0]
        judged = zip(model.replaced(options.text), special, strict=True)
        line = ", ".join(f"{token} {p:.1%}" for (token, p), skip in judged if p > 0.5 and not skip)
        print(f"looks replaced: {line or 'nothing'}")
        return
    for number, guesses in enumerate(model.fill(options.text, options.top_k), start=1):
        line = ", ".join(f"{token.strip() or repr(token)} {p:.1%}" for token, p in guesses)
        print(f"{'next' if model.net.causal else f'mask {number}'}: {line}")
    if model.net.causal:
        print(model.generate(options.text))


def _trace(options) -> None:
    from ptm_explore.figures import heads, to_html

    trace = ptm.load(options.model).trace(options.text)
    to_html(heads(trace, options.layer), options.out)
    print(f"{len(trace.names())} activations of {len(trace.tokens)} tokens; attention drawn in {options.out}")


def _world(options) -> None:
    from itertools import islice

    from ptm_explore.text.world import documents

    for document in islice(documents("train", options.seed, options.genre), options.documents):
        print(f"[{document.genre}] {document.text}\n")


def _doctor(options) -> None:
    print(ptm.doctor())
