"""The command `ptm-explore`: recipes, pretrain, finetune, fill, trace, world, doctor."""

import argparse
import sys
from pathlib import Path

from ptm_explore.errors import PtmError


def main(arguments: list[str] | None = None) -> None:
    """Run one command; an error of ours is one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except PtmError as error:
        sys.exit(_fail(error))


def _fail(error: PtmError) -> int:
    print(f"ptm-explore: {error}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "ptm-explore", description="Train, open and look into pre-trained models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("recipes", help="table of what can be trained")
    command.set_defaults(run=_recipes)

    command = commands.add_parser("pretrain", help="train a recipe on a corpus")
    command.add_argument("recipe", help="for example bert-mini; see ptm-explore recipes")
    command.add_argument(
        "--corpus", default="world", help="world, pydocs, a file, folder or glob, or hf:<dataset>[:config]"
    )
    command.add_argument("--text-field", help="column or key that holds the text (guessed if not given)")
    command.add_argument("--budget", default="60s", help="60s, 10min, 2Mtokens, 500steps, 1e13flops")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--start", choices=["warm", "cold"], help="from counts, or as in the papers")
    command.add_argument("--out", type=Path, help="folder for model, checkpoints, metrics, curve")
    command.add_argument("--save-every", type=int, metavar="STEPS", help="a checkpoint every so many steps")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    command.add_argument("--batch", type=int, help="rows in a step, of each process")
    command.add_argument("--length", type=int, help="tokens in a row")
    command.add_argument("--lr", type=float, help="peak learning rate")
    command.add_argument("--dropout", type=float)
    command.add_argument("--accumulate", type=int, default=1, help="batches in a step")
    command.add_argument("--precision", choices=["no", "bf16", "fp16"], help="chosen by device if not given")
    command.add_argument("--cpu", action="store_true", help="stay on the CPU")
    command.set_defaults(run=_pretrain)

    command = commands.add_parser("finetune", help="train a model for a task, and judge it")
    command.add_argument("model", help="a shipped mini, a folder or a hub id in the Hugging Face layout")
    command.add_argument("task", help="a file or folder with labelled rows, or hf:<dataset>[:config]")
    for column in ("text", "pair", "label"):
        command.add_argument(f"--{column}", help="the column that holds it (guessed if not given)")
    command.add_argument("--budget", default="3epochs", help="3epochs, 60s, 500steps")
    command.add_argument(
        "--train", default="all", choices=["all", "head"], help="head: the body stays as it is"
    )
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--out", type=Path, help="folder for the classifier, checkpoints, metrics")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    command.add_argument("--batch", type=int, help="rows in a step")
    command.add_argument("--length", type=int, help="tokens in a row")
    command.add_argument("--lr", type=float, help="peak learning rate")
    command.add_argument("--dropout", type=float)
    command.add_argument("--cpu", action="store_true", help="stay on the CPU")
    command.set_defaults(run=_finetune)

    command = commands.add_parser("fill", help="fill the masks of a text, continue it, or judge it")
    command.add_argument("model", help="a folder or hub id in the Hugging Face layout")
    command.add_argument("text")
    command.add_argument("--top-k", type=int, default=5)
    command.set_defaults(run=_fill)

    command = commands.add_parser("trace", help="draw a model's attention on a text as one HTML file")
    command.add_argument("model")
    command.add_argument("text")
    command.add_argument("--out", type=Path, default=Path("trace.html"))
    command.add_argument("--layer", type=int, help="one layer only")
    command.set_defaults(run=_trace)

    command = commands.add_parser(
        "world", help="the generated world: some of its documents, or its data card"
    )
    command.add_argument("what", choices=["read", "card"])
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--documents", type=int, default=5, metavar="N")
    command.add_argument("--genre", default="", help="of all genres if not given")
    command.add_argument("--out", type=Path, help="file for the card (else it is printed)")
    command.set_defaults(run=_world)

    command = commands.add_parser("doctor", help="what is installed, and whether the chapters will run")
    command.set_defaults(run=_doctor)
    return parser


def _recipes(options) -> None:
    from ptm_explore.environment import recipes

    formats = dict.fromkeys(("parameters", "vocabulary"), "{:,}".format)
    formats |= dict.fromkeys(("FLOPs/token", "training FLOPs/token", "training GB"), "{:.2g}".format)
    print(recipes().to_string(formatters=formats))


def _pretrain(options) -> None:
    from ptm_explore.figures.curves import learning_curve, text_curve
    from ptm_explore.figures.style import to_html
    from ptm_explore.objectives import objective
    from ptm_explore.training.devices import processes
    from ptm_explore.training.pretrain import pretrain

    settings = {name: getattr(options, name) for name in ("batch", "length", "lr", "dropout")}
    changes = {name: value for name, value in settings.items() if value is not None}
    if options.dropout is not None:
        changes["attention_dropout"] = options.dropout
    model = pretrain(
        options.recipe,
        options.corpus,
        options.budget,
        seed=options.seed,
        start=options.start,
        out=options.out,
        resume=options.resume,
        save_every=options.save_every,
        text_field=options.text_field,
        accumulate=options.accumulate,
        precision=options.precision,
        cpu=options.cpu,
        **changes,
    )
    if not processes(options.cpu).is_main_process:
        return
    print(model)
    print(text_curve([row["loss"] for row in model.history if "loss" in row]))
    last = next(row for row in reversed(model.history) if "heldout_loss" in row)
    spent = f"{last['step']:,} steps, {last['tokens']:,} tokens, {last['seconds']:.0f} s"
    print(f"unseen text after {spent}: {objective(model.recipe.objectives).headline(last)}")
    if "unigram_loss" in last:
        print(
            f"accuracy {last['heldout_accuracy']:.1%} (unigram guess {last['unigram_accuracy']:.1%}), "
            f"loss {last['heldout_loss']:.2f} nats (unigram {last['unigram_loss']:.2f})"
        )
    for key, value in last.items():
        if key.startswith("heldout_accuracy_"):
            print(f"{key.removeprefix('heldout_accuracy_')}: accuracy {value:.1%}")
    if options.out is not None:
        to_html(
            learning_curve(model.history, title=f"{options.recipe} on {options.corpus}"),
            options.out / "curve.html",
        )
        print(f"saved: {options.out} (model, metrics.jsonl, curve.html); try: ptm-explore fill {options.out}")


def _finetune(options) -> None:
    from ptm_explore.model import load
    from ptm_explore.text.tasks import task
    from ptm_explore.training.devices import processes
    from ptm_explore.transfer.finetune import finetune

    data = task(options.task, options.text, options.pair, options.label)
    settings = {name: getattr(options, name) for name in ("batch", "length", "lr", "dropout")}
    classifier = finetune(
        load(options.model),
        data,
        options.budget,
        seed=options.seed,
        train=options.train,
        out=options.out,
        resume=options.resume,
        cpu=options.cpu,
        **{name: value for name, value in settings.items() if value is not None},
    )
    if processes(options.cpu).is_main_process:
        print(f"{data.judged}: {classifier.evaluate(data.judged)}")
        print(f"the best constant answer: {data.majority}")
        if options.out is not None:
            print(f"saved: {options.out}; try: ptm.load({str(options.out)!r}).predict(...)")


def _fill(options) -> None:
    from ptm_explore.model import load

    model = load(options.model)
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
    from ptm_explore.figures.attention import heads
    from ptm_explore.figures.style import to_html
    from ptm_explore.model import load

    trace = load(options.model).trace(options.text)
    to_html(heads(trace, options.layer), options.out)
    print(f"{len(trace.names())} activations of {len(trace.tokens)} tokens; attention drawn in {options.out}")


def _world(options) -> None:
    from itertools import islice

    from ptm_explore.baselines.world_card import card
    from ptm_explore.text.world import documents

    if options.what == "read":
        for document in islice(documents("train", options.seed, options.genre), options.documents):
            print(f"[{document.genre}] {document.text}\n")
    elif options.out is None:
        print(card())
    else:
        options.out.write_text(card(), encoding="utf-8")


def _doctor(options) -> None:
    from ptm_explore.environment import doctor

    print(doctor())
