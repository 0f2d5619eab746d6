"""`make bench` or `python -m benchmarks [step] [length] [size]`: ours against `transformers`, alternately in
one process, so that whatever else the machine does hits both. Ratios of medians; above 1 ours is faster.

`python -m benchmarks minute` compares warm and cold starts, `findings` tests findings of the papers, `views`
sets the attention explorer beside bertviz, `attributions` times the methods, `minis DATA` trains the models
that come with the package; `card` measures the generated world; `tasks DATA`, `finetune`, `few` judge on
labelled data. Each knows `--help`."""

import sys

from benchmarks import findings, minis, minute, speed, tasks, views, world_card

PARTS = {"step": speed.steps, "length": speed.lengths, "size": speed.sizes}
COMMANDS = {
    "card": world_card.main,
    "findings": findings.main,
    "minis": minis.main,
    "minute": minute.main,
    "tasks": tasks.real,
    "finetune": tasks.finetune,
    "few": tasks.few,
    "views": views.main,
    "attributions": views.attributions,
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:] or [""]
    if name in COMMANDS:
        COMMANDS[name](arguments)
    else:
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
