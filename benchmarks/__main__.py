"""`make bench` or `python -m benchmarks [step] [length] [size]`: ours against `transformers`, alternately in
one process, so that whatever else the machine does hits both. Ratios of medians; above 1 ours is faster."""

import sys

from benchmarks import speed

PARTS = {"step": speed.steps, "length": speed.lengths, "size": speed.sizes}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
