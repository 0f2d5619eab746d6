"""`python -m benchmarks minute`: what a minute of training buys each mini, from the warm start and from the
papers' cold one, on unseen text of the same corpus."""

import argparse

import ptm_explore as ptm

NAMES = [f"{family}-mini" for family in ("bert", "gpt", "roberta", "albert", "xlnet", "electra")]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("minute", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--corpus", default="world")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print(f"{options.corpus}, {options.budget}: accuracy in times the unigram guess's; nats below its loss")
    print("| recipe | warm | cold | auc warm | auc cold | steps |", "|---" * 6 + "|", sep="\n")
    for name in options.names:
        runs = {
            start: ptm.pretrain(
                name, options.corpus, options.budget, options.seed, start=start, show=False
            ).history[-1]
            for start in ("warm", "cold")
        }
        scores = [_score(last) for last in runs.values()]
        areas = [f"{last['heldout_auc']:.3f}" if "heldout_auc" in last else "" for last in runs.values()]
        steps = ", ".join(str(last["step"]) for last in runs.values())
        print(f"| `{name}` | {' | '.join(scores + areas)} | {steps} |", flush=True)


def _score(last: dict) -> str:
    """Of ELECTRA's generator where the token was hidden from it: of what was left in place anybody knows."""
    right = last.get("heldout_guessed", last["heldout_accuracy"])
    times, below = right / last["unigram_accuracy"], last["unigram_loss"] - last["heldout_loss"]
    return f"{times:.1f}, {below:.1f}"
