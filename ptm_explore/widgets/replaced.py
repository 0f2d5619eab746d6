"""A game: which tokens did the generator replace? Against its own discriminator."""

import html

import torch
import traitlets

from ..errors import PtmError
from ..objectives.rtd import Rtd
from .base import PtmWidget

DRAWS = 50  # attempts at a text before it is given up: a good generator may restore every token


class ReplacedWidget(PtmWidget):
    """One text a round. The generator of `model`, an ELECTRA, redraws `rate` of its tokens; the player marks
    as many as were replaced, and so does the discriminator: those that it suspects most. What was replaced
    reaches the page with "Check", not before."""

    module = "replaced.js"
    tokens: traitlets.List = traitlets.List(help="the text with its replacements").tag(sync=True)
    special: traitlets.List = traitlets.List(help="positions that are never replaced").tag(sync=True)
    wanted = traitlets.Int(help="how many were replaced").tag(sync=True)
    round = traitlets.Int(help="which text; the page counts it up for the next").tag(sync=True)
    marks: traitlets.List = traitlets.List(help="positions that the player marked").tag(sync=True)
    # {"originals": {position: token}, "suspicion": [T], "suspects": [positions]}; empty before
    verdict = traitlets.Dict().tag(sync=True)
    # {"you": found so far, "discriminator": ..., "chance": ..., "of": replaced so far}
    score = traitlets.Dict().tag(sync=True)

    def __init__(self, model, texts, rate: float = 0.15, seed: int = 0):
        if not {"rtd", "generator"} <= set(getattr(getattr(model, "net", None), "heads", ())):
            found = getattr(model, "family", type(model).__name__)
            raise PtmError(f"give an ELECTRA with its generator, as ptm.load('electra-mini'), not {found}")
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts:
            raise PtmError("give at least one text to play with")
        self._model, self._texts, self._seed = model, texts, seed
        self._goal = Rtd(rate=rate)
        super().__init__(label="Which tokens were replaced?")
        self.score = {"you": 0, "discriminator": 0, "chance": 0.0, "of": 0}
        self._deal()
        self.observe(lambda _change: self._deal(), "round")
        self.observe(lambda _change: self._check(), "marks")

    def _deal(self) -> None:
        with self.reporting():
            self.marks, self.verdict, self.tokens, self.special, self.wanted = [], {}, [], [], 0
            tokenizer, number = self._model.tokenizer, self.round
            encoded = self._model.encode(self._texts[number % len(self._texts)])
            ids = encoded.ids[0].tolist()
            seeds = range(self._seed + number * DRAWS, self._seed + (number + 1) * DRAWS)
            draws = (self._goal.describe(ids, tokenizer, seed, self._model.net) for seed in seeds)
            self._drawn = next((drawn for drawn in draws if (drawn.seen != drawn.original).any()), None)
            if self._drawn is None:
                raise PtmError(f"the generator restored this text {DRAWS} times; give a longer one")
            self.tokens = tokenizer.tokens(self._drawn.seen.tolist())
            self.special = encoded.special[0].nonzero().flatten().tolist()
            self.wanted = int((self._drawn.seen != self._drawn.original).sum())

    @torch.inference_mode()
    def _check(self) -> None:
        """Judges the marks once a round: what is known cannot be guessed again."""
        if self.verdict or not self.marks or not self.wanted:
            return
        with self.reporting():
            seen, original = self._drawn.seen, self._drawn.original
            replaced = set((seen != original).nonzero().flatten().tolist())
            marks = {int(place) for place in self.marks} - set(self.special)
            if len(marks) != self.wanted:
                raise PtmError(f"{len(marks)} tokens are marked; {self.wanted} were replaced: mark so many")
            suspicion = self._model(seen[None]).replaced_logits[0].float().sigmoid().cpu()
            ordinary = torch.tensor([i for i in range(len(seen)) if i not in self.special])
            suspects = set(ordinary[suspicion[ordinary].topk(self.wanted).indices].tolist())
            names = self._model.tokenizer.tokens(original.tolist())
            originals = {str(place): names[place] for place in sorted(replaced)}
            judged = suspicion.tolist()
            self.verdict = {"originals": originals, "suspicion": judged, "suspects": sorted(suspects)}
            found: dict = {"you": len(marks & replaced), "discriminator": len(suspects & replaced)}
            found |= {"chance": self.wanted**2 / len(ordinary), "of": self.wanted}
            self.score = {who: self.score[who] + n for who, n in found.items()}

    def _html(self) -> str:
        text = f"<p>Which {self.wanted} of these tokens were replaced?</p>"
        return text + f"<p><q><bdi>{html.escape(' '.join(self.tokens))}</bdi></q></p>"
