"""The `Model` that users hold: a network, its tokenizer and the recipe it came from.

B batch, T tokens, D d_model, V vocabulary, L layers, H heads
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ptm_explore.errors import PtmError
from ptm_explore.layers.attention import Cache
from ptm_explore.layers.taps import Taps
from ptm_explore.models import pretrained
from ptm_explore.models.heads import Output
from ptm_explore.models.network import Network
from ptm_explore.models.recipes import FAMILIES, RECIPES, Recipe, count_parameters
from ptm_explore.models.sampling import candidates
from ptm_explore.text.tokenizers import Tokenizer, Tokens

if TYPE_CHECKING:
    from ptm_explore.interpret.trace import Trace


class Model:
    """A pre-trained model: call it on ids, or let it `encode`, `fill`, `generate`, `score` and `trace` text.

    `net` is the PyTorch module; `history` the training's curve as a list of dicts, empty if it was loaded
    without one."""

    def __init__(
        self,
        net: Network,
        tokenizer: Tokenizer | None = None,
        recipe: Recipe | None = None,
        history: list[dict] | None = None,
        card: dict | None = None,
    ):
        self.net, self.body, self.config, self.recipe = net.eval(), net.body, net.config, recipe
        self.history, self.card = history or [], card or {}
        self.family = next(name for name, cls in FAMILIES.items() if type(net) is cls)
        self._tokenizer = tokenizer

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    @property
    def parameters(self) -> int:
        """How many parameters, tied ones counted once."""
        return count_parameters(self.net)

    @property
    def tokenizer(self) -> Tokenizer:
        if self._tokenizer is None:
            advice = "set m.tokenizer = Tokenizer.load(folder) from ptm_explore.text.tokenizers"
            raise PtmError(f"this checkpoint came without a tokenizer; call the model on ids, or {advice}")
        return self._tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Tokenizer) -> None:
        given, rows = tokenizer.vocab_size, self.config.vocab_size
        if given > rows:
            raise PtmError(f"a tokenizer of {given} tokens does not fit an embedding table of {rows} rows")
        self._tokenizer = tokenizer

    def __repr__(self) -> str:
        c, name = self.config, self.recipe.name if self.recipe else self.family
        body = f"{c.n_layers} layers x {c.d_model}, {c.n_heads} heads, vocabulary {c.vocab_size:,}"
        heads = ", ".join(self.net.heads) or "none"
        return f"<{name}: {body}, {self.parameters:,} parameters, heads: {heads}>"

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        at: Tensor | None = None,
        taps: Taps | None = None,
        **more: Any,
    ) -> Output:
        """Scores for ids (B, T). `attention_mask` (B, T) is true at real tokens; with `at`, flat positions
        (N,), logits come for those only; `more` is what only this family's network takes (see the `forward`
        of m.net). Gradients are kept if torch is set to keep them."""
        self._check(input_ids, attention_mask, segment_ids)
        mask = None if attention_mask is None else attention_mask.bool().to(self.device)
        segments = None if segment_ids is None else segment_ids.to(self.device)
        return self.net(input_ids.to(self.device), mask, segments, at=at, taps=taps, **more)

    def encode(self, text: str | list[str], pair: str | list[str] | None = None) -> Tokens:
        """One text or several, each with an optional second segment, as ids (B, T) with masks, words and
        character offsets; "[MASK]" is the mask of every family that has one. Longer than the model can read
        (a classifier: than its rows were in training): cut, with a warning."""
        text, pair = self._masked(text), self._masked(pair)
        return self.tokenizer.encode(text, pair, max_len=getattr(self, "length", self.config.max_len))

    def _masked(self, text: Any) -> Any:
        if self.tokenizer.mask_id is None or not isinstance(text, str):
            return [self._masked(one) for one in text] if isinstance(text, list) else text
        return text.replace("[MASK]", self.tokenizer.token(self.tokenizer.mask_id))

    @torch.inference_mode()
    def fill(self, text: str, top_k: int = 5) -> list[list[tuple[str, float]]]:
        """The best `top_k` (token, probability) for each mask in the text, one list a mask; "[MASK]" marks
        one for every family. XLNet guesses by its query stream, ELECTRA by its generator. Of a left-to-right
        model the best next tokens, in one list."""
        if not (isinstance(top_k, int) and top_k >= 1):
            raise PtmError(f"top_k={top_k!r}: give how many tokens to show, a whole number of at least 1")
        if self.net.causal:
            ids = self.encode(_one(text)).ids
            logits = self._logits(ids, torch.tensor([ids.size(1) - 1]), "continue text")
        else:
            mask_id = self._mask_id("fill masks")
            tokens = self.encode(_one(text))
            hidden = tokens.ids.eq(mask_id)
            if not hidden.any():
                mask = self.tokenizer.mask_token
                raise PtmError(f"no {mask} in {text!r}; write one where a word is to be guessed")
            at = hidden.flatten().nonzero().squeeze(1)
            logits = self._predict(tokens.ids, hidden, at, tokens.segments, "fill masks")
        probabilities, ids = logits.softmax(-1).topk(min(top_k, self.config.vocab_size))
        rows = zip(ids.tolist(), probabilities.tolist(), strict=True)
        return [list(zip(map(self._name, row), ps, strict=True)) for row, ps in rows]

    @torch.inference_mode()
    def generate(
        self,
        text: str,
        tokens: int = 30,
        temperature: float = 0.8,
        top_k: int | None = 40,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """The text, continued by up to `tokens` tokens; it stops at the end-of-text token. Each is drawn at
        `temperature` (0: always the likeliest) from the `top_k` likeliest, and of these from the nucleus
        `top_p` (models/sampling.py). What was read stays in a cache; when the window of max_len tokens is
        full, the last half of it is read anew, and what came before is forgotten."""
        if not self.net.causal:
            raise PtmError("only a left-to-right model (gpt) generates; this one fills masks: m.fill(text)")
        if not (isinstance(tokens, int) and tokens >= 1):
            raise PtmError(f"tokens={tokens!r}: give how many to add, a whole number of at least 1")
        # not cut as `encode` would: of a long text it is the end that goes on
        ids = self.tokenizer.encode(_one(text)).ids.to(self.device)  # (1, T)
        start, draw, window = ids.size(1), torch.Generator().manual_seed(seed), self.config.max_len
        new, cache = ids, Cache()
        for _ in range(tokens):
            if len(cache) + new.size(1) > window:
                new, cache = ids[:, -max(window // 2, 1) :], Cache()
            logits = self._logits(new, torch.tensor([new.size(1) - 1]), "generate", cache)[0]
            options, probabilities = candidates(logits, temperature, top_k, top_p)
            choice = options[torch.multinomial(probabilities, 1, generator=draw)]
            if choice == self.tokenizer.eos_id:
                break
            new = choice[None].to(self.device)
            ids = torch.cat([ids, new], dim=1)
        return text + self.tokenizer.decode(ids[0, start:].tolist())

    @torch.inference_mode()
    def score(self, texts: str | list[str]) -> list[float]:
        """Log-likelihood of each text in nats. A left-to-right model's is exact, its first token apart, which
        it has nothing to predict from. Others have a pseudo-log-likelihood only (Salazar et al. 2020): each
        token is predicted with itself and the rest of its word hidden (Kauf and Ivanova 2023)."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        return [self._score_causal(t) if self.net.causal else self._score_masked(t) for t in texts]

    @torch.inference_mode()
    def replaced(self, text: str) -> list[tuple[str, float]]:
        """Each token, as m.encode(text) has them, with the probability that it was replaced: what an ELECTRA
        discriminator makes of the text."""
        if "rtd" not in self.net.heads:
            raise self._lacks("an ELECTRA discriminator's head 'rtd'", "tell which tokens were replaced")
        tokens = self.encode(_one(text))
        out = self(tokens.ids, None, tokens.segments)
        assert out.replaced_logits is not None  # the head is there
        return list(zip(tokens.tokens[0], out.replaced_logits[0].float().sigmoid().tolist(), strict=True))

    def trace(self, text: str, pair: str | None = None) -> Trace:
        """Every activation of one text by name: t.attention (L, H, T, T), t.hidden (L+1, T, D), t["..."]."""
        from ptm_explore.interpret.trace import trace

        return trace(self, text, pair)

    def save(self, folder: str | Path, half: bool = False) -> Path:
        """A folder that `transformers` and `ptm.load` open; with `half` its weights take two bytes each, not
        four. A full disk leaves what was there before."""
        folder, tokenizer = Path(folder).expanduser(), self._tokenizer
        if folder.is_file():
            raise PtmError(f"{folder} is a file; give a folder to save into")

        def more(fresh: Path) -> None:
            if tokenizer is not None:
                tokenizer.save(fresh)
            ours = {"recipe": self.recipe and self.recipe.name, "card": self.card, "history": self.history}
            (fresh / "ptm.json").write_text(json.dumps(ours) + "\n", encoding="utf-8")

        special = ("pad", "bos", "eos") if tokenizer is not None else ()
        ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_id") for name in special}
        dtype = torch.float16 if half else torch.float32
        pretrained.write(self.net, folder, ids | self.card.get("hf", {}), more, dtype)
        return folder

    def _logits(self, ids: Tensor, at: Tensor, purpose: str, cache: Cache | None = None) -> Tensor:
        """(N, V) of a left-to-right model, on the CPU in float32."""
        out = self.net(ids.to(self.device), at=at.to(self.device), cache=cache)
        return self._language(out.logits, purpose)

    def _predict(self, ids: Tensor, hidden: Tensor, at: Tensor, segments: Tensor, purpose: str) -> Tensor:
        """(N, V) for what stands at flat positions `at`, the `hidden` (B, T) tokens not seen; on the CPU."""
        ids, hidden, at, segments = (x.to(self.device) for x in (ids, hidden, at, segments))
        mask_id = self._mask_id(purpose)
        return self._language(self.net.predict(ids, hidden, at, mask_id, segment_ids=segments), purpose)

    def _language(self, logits: Tensor | None, purpose: str) -> Tensor:
        if logits is None:
            raise self._lacks("a language-model head ('mlm' or 'lm')", purpose)
        return logits.float().cpu()

    def _mask_id(self, purpose: str) -> int:
        if self.tokenizer.mask_id is None:
            raise PtmError(f"to {purpose} the tokenizer needs a mask token; this one has none")
        return self.tokenizer.mask_id

    def _name(self, id: int) -> str:
        """A token to show. Bytes of a byte-level vocabulary are no letters, and decoders read on."""
        if self.net.causal or self.tokenizer.byte_level:
            return self.tokenizer.decode([id], skip_special=False)
        return self.tokenizer.token(id)

    def _score_causal(self, text: str) -> float:
        ids = self.encode(text).ids
        at = torch.arange(ids.size(1) - 1)
        logprobs = self._logits(ids, at, "score text").log_softmax(-1)
        return float(logprobs[at, ids[0, 1:]].sum())

    def _score_masked(self, text: str, batch: int = 64) -> float:
        tokens = self.encode(text)
        ids, T = tokens.ids[0], tokens.ids.size(1)
        words = torch.tensor([-1 if word is None else word for word in tokens.words[0]])  # (T,)
        wanted = (words >= 0).nonzero().squeeze(1)
        total = 0.0
        for at in wanted.split(batch):  # a row each
            hidden = words.eq(words[at, None]) & (torch.arange(T) >= at[:, None])  # (rows, T)
            rows, segments = (x.expand(len(at), -1) for x in (tokens.ids, tokens.segments))
            flat = torch.arange(len(at)) * T + at
            logprobs = self._predict(rows, hidden, flat, segments, "score text").log_softmax(-1)
            total += float(logprobs[torch.arange(len(at)), ids[at]].sum())
        return total

    def _lacks(self, what: str, purpose: str) -> PtmError:
        has = ", ".join(self.net.heads) or "none (a base model)"
        return PtmError(f"to {purpose} a model needs {what}; the heads of this one: {has}")

    def _check(self, ids: Tensor, mask: Tensor | None, segments: Tensor | None) -> None:
        shape = tuple(ids.shape)
        if ids.dim() != 2 or ids.dtype not in (torch.int32, torch.int64):
            raise PtmError(f"input_ids are {ids.dtype} of shape {shape}; give integers of shape (B, T)")
        if not 0 < ids.size(1) <= self.config.max_len:
            reads = f"this model reads 1 to {self.config.max_len}; cut them, or let m.encode(text) do it"
            raise PtmError(f"{ids.size(1)} tokens in a row; {reads}")
        for name, other in (("attention_mask", mask), ("segment_ids", segments)):
            if other is not None and other.shape != ids.shape:
                raise PtmError(f"{name} is {tuple(other.shape)}, input_ids are {shape}; one value a token")
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.config.vocab_size:
            reach = f"input_ids reach from {int(ids.min())} to {int(ids.max())}"
            raise PtmError(f"{reach}; the vocabulary has 0 to {self.config.vocab_size - 1}")


def _one(text: str) -> str:
    if not isinstance(text, str):
        raise PtmError(f"this takes one text, a string, not {type(text).__name__}; give texts one at a time")
    return text


def load(source: str | Path, device: str | torch.device | None = None, revision: str | None = None) -> Model:
    """A model that comes with the package ("bert-mini"), or one from a folder or a hub id in the Hugging
    Face layout. Raises PtmError naming what is wrong."""
    net, hf, folder = pretrained.read(source, revision)
    tokenizer = Tokenizer.find(folder)
    ours = folder / "ptm.json"
    extra = json.loads(ours.read_text(encoding="utf-8")) if ours.is_file() else {}
    labels = {name: hf[name] for name in ("id2label", "label2id", "problem_type") if hf.get(name)}
    card = extra.get("card", {}) | ({"hf": labels} if labels else {})
    from ptm_explore.classifier import Classifier  # which is a Model

    kind = Classifier if net.task else Model
    recipe = RECIPES.get(extra.get("recipe", ""))
    model = kind(net.to(device or "cpu"), None, recipe, extra.get("history"), card)
    if tokenizer is not None:
        model.tokenizer = tokenizer
    return model
