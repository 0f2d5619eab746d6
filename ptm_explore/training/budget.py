"""How long to train: seconds, steps, tokens or floating-point operations."""

import os
import re
from dataclasses import dataclass

from ptm_explore.errors import PtmError

UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("seconds", 1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), ("seconds", 60)),
    **dict.fromkeys(("h", "hour", "hours"), ("seconds", 3600)),
    **dict.fromkeys(("step", "steps"), ("steps", 1)),
    **dict.fromkeys(("token", "tokens"), ("tokens", 1)),
    **dict.fromkeys(("flop", "flops"), ("flops", 1)),
}
SCALES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Budget:
    amount: float
    unit: str  # seconds, steps, tokens, flops: a key of the progress that `share` is given

    @classmethod
    def parse(cls, text: "str | Budget") -> "Budget":
        """`60s`, `10min`, `2h`, `60steps`, `2Mtokens`, `1e13flops`; PtmError for anything else."""
        if isinstance(text, Budget):
            return text
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:[eE]\+?\d+)?)\s*([kMGBT]?)\s*([a-z]+)\s*", str(text))
        if not found or found[3] not in UNITS or float(found[1]) <= 0:
            known = "60s, 10min, 2Mtokens, 500steps or 1e13flops"
            raise PtmError(f"{text!r} is not a budget; give a positive quantity with a unit, such as {known}")
        unit, size = UNITS[found[3]]
        return cls(float(found[1]) * SCALES[found[2]] * size, unit)

    def scaled(self) -> "Budget":
        """The budget times $PTM_BUDGET_SCALE, by which tests make chapters quick."""
        return Budget(self.amount * float(os.environ.get("PTM_BUDGET_SCALE", 1)), self.unit)

    def share(self, progress: dict[str, float]) -> float:
        """How much of the budget is spent, from 0 to 1, given the progress so far in every unit."""
        return min(progress[self.unit] / self.amount, 1.0)

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit}"
