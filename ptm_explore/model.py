"""The `Model` that users hold: a network, its tokenizer and the recipe it came from.

B batch, T tokens, D d_model, V vocabulary, L layers, H heads
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ptm_explore.errors import PtmError
from ptm_explore.layers.taps import Taps
from ptm_explore.models import pretrained
from ptm_explore.models.heads import Output
from ptm_explore.models.network import Network
from ptm_explore.models.recipes import FAMILIES, RECIPES, Recipe, count_parameters
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
        self.net, self.recipe = net.eval(), recipe
        self.history, self.card = history or [], card or {}
        self.family = next(name for name, cls in FAMILIES.items() if isinstance(net, cls))
        self._tokenizer = tokenizer

    @property
    def body(self) -> nn.Module:
        return self.net.body

    @property
    def config(self):
        return self.net.config

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
            raise PtmError(
                "this checkpoint came without a tokenizer, so text cannot be encoded; call the model on ids, "
                "or set m.tokenizer = Tokenizer.load(folder) from ptm_explore.text.tokenizers"
            )
        return self._tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Tokenizer) -> None:
        if tokenizer.vocab_size > self.config.vocab_size:
            raise PtmError(
                f"a tokenizer of {tokenizer.vocab_size} tokens does not fit an embedding table "
                f"of {self.config.vocab_size} rows"
            )
        self._tokenizer = tokenizer

    def __repr__(self) -> str:
        c, name = self.config, self.recipe.name if self.recipe else self.family
        return (
            f"<{name}: {c.n_layers} layers x {c.d_model}, {c.n_heads} heads, vocabulary {c.vocab_size:,}, "
            f"{self.parameters:,} parameters, heads: {', '.join(self.net.heads) or 'none'}>"
        )

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        at: Tensor | None = None,
        taps: Taps | None = None,
    ) -> Output:
        """Scores for ids (B, T). `attention_mask` (B, T) is true at real tokens; with `at`, flat positions
        (N,), logits come for those only. Gradients are kept if torch is set to keep them."""
        self._check(input_ids, attention_mask, segment_ids)
        mask = None if attention_mask is None else attention_mask.bool().to(self.device)
        segments = None if segment_ids is None else segment_ids.to(self.device)
        return self.net(input_ids.to(self.device), mask, segments, at=at, taps=taps)

    def encode(self, text: str | list[str], pair: str | list[str] | None = None) -> Tokens:
        """One text or several, each with an optional second segment, as ids (B, T) with masks, words and
        character offsets. Longer than the model can read: cut, with a warning."""
        return self.tokenizer.encode(text, pair, max_len=self.config.max_len)

    @torch.inference_mode()
    def fill(self, text: str, top_k: int = 5) -> list[list[tuple[str, float]]]:
        """The best `top_k` (token, probability) for each [MASK] in the text, one list a mask; for a
        left-to-right model the best next tokens, in one list."""
        tokens = self.encode(text)
        top_k = min(top_k, self.config.vocab_size)
        if self.net.causal:
            at = torch.tensor([tokens.ids.size(1) - 1])
        else:
            self._needs("mlm", "fill masks")
            at = tokens.ids[0].eq(self.tokenizer.mask_id or -1).nonzero().squeeze(1)
            if not len(at):
                raise PtmError(
                    f"no {self.tokenizer.mask_token} in {text!r}; write one where a word is to be guessed"
                )
        logits = self._logits(tokens, at)
        probabilities, ids = logits.softmax(-1).topk(top_k)
        name = (lambda i: self.tokenizer.decode([i])) if self.net.causal else self.tokenizer.token
        return [
            [(name(i), p) for i, p in zip(row, ps, strict=True)]
            for row, ps in zip(ids.tolist(), probabilities.tolist(), strict=True)
        ]

    @torch.inference_mode()
    def generate(
        self, text: str, tokens: int = 30, temperature: float = 0.8, top_k: int = 40, seed: int = 0
    ) -> str:
        """The text, continued by up to `tokens` tokens drawn from the `top_k` likeliest at `temperature`
        (0: always the likeliest). Stops at the end-of-text token."""
        if not self.net.causal:
            raise PtmError("only a left-to-right model (gpt) generates; this one fills masks: m.fill(text)")
        if temperature < 0 or top_k < 1 or tokens < 1:
            raise PtmError(
                f"generate got tokens={tokens}, temperature={temperature}, top_k={top_k}: "
                "tokens and top_k are at least 1, the temperature is 0 or more"
            )
        ids = self.encode(text).ids.to(self.device)
        start, draw = ids.size(1), torch.Generator().manual_seed(seed)
        for _ in range(tokens):
            seen = ids[:, -self.config.max_len :]
            last = torch.tensor([seen.size(1) - 1], device=self.device)
            logits = self.net(seen, at=last).logits[0].float().cpu()
            if temperature:
                best, candidates = logits.topk(min(top_k, len(logits)))
                choice = candidates[torch.multinomial((best / temperature).softmax(-1), 1, generator=draw)]
            else:
                choice = logits.argmax()[None]
            if choice == self.tokenizer.eos_id:
                break
            ids = torch.cat([ids, choice[None].to(self.device)], dim=1)
        return text + self.tokenizer.decode(ids[0, start:].tolist())

    @torch.inference_mode()
    def score(self, texts: str | list[str]) -> list[float]:
        """Log-likelihood of each text in nats. A left-to-right model's is exact, its first token apart, which
        it has nothing to predict from. An encoder has a pseudo-log-likelihood only (Salazar et al. 2020):
        each token is predicted with itself and the rest of its word hidden (Kauf and Ivanova 2023)."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        return [self._score_causal(t) if self.net.causal else self._score_masked(t) for t in texts]

    def trace(self, text: str, pair: str | None = None) -> Trace:
        """Every activation of one text by name: t.attention (L, H, T, T), t.hidden (L+1, T, D), t["..."]."""
        from ptm_explore.interpret.trace import trace

        return trace(self, text, pair)

    def save(self, folder: str | Path) -> Path:
        """A folder that `transformers` and `ptm.load` open. A full disk leaves what was there before."""
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
        pretrained.write(self.net, self.family, folder, ids | self.card.get("hf", {}), more)
        return folder

    def _logits(self, tokens: Tokens, at: Tensor) -> Tensor:
        out = self(tokens.ids, tokens.mask, tokens.segments, at=at.to(self.device))
        return out.logits.float().cpu()

    def _score_causal(self, text: str) -> float:
        tokens = self.encode(text)
        at = torch.arange(tokens.ids.size(1) - 1)
        logprobs = self._logits(tokens, at).log_softmax(-1)
        return float(logprobs[at, tokens.ids[0, 1:]].sum())

    def _score_masked(self, text: str, batch: int = 64) -> float:
        self._needs("mlm", "score text")
        tokens = self.encode(text)
        ids, words = tokens.ids[0], tokens.words[0]
        wanted = [t for t, word in enumerate(words) if word is not None]
        rows = ids.repeat(len(wanted), 1)
        for row, t in zip(rows, wanted, strict=True):
            for later in range(t, len(words)):
                if words[later] == words[t]:
                    row[later] = self.tokenizer.mask_id
        total = 0.0
        for start in range(0, len(wanted), batch):
            some, at = rows[start : start + batch], torch.tensor(wanted[start : start + batch])
            flat = torch.arange(len(some)) * ids.numel() + at
            logits = self(some, None, tokens.segments.expand(len(some), -1), at=flat.to(self.device)).logits
            logprobs = logits.float().cpu().log_softmax(-1)
            total += float(logprobs[torch.arange(len(some)), ids[at]].sum())
        return total

    def _needs(self, head: str, purpose: str) -> None:
        if head not in self.net.heads:
            raise PtmError(
                f"to {purpose} a model needs the head {head!r}; this one has "
                f"{', '.join(self.net.heads) or 'none (a base model)'}"
            )

    def _check(self, ids: Tensor, mask: Tensor | None, segments: Tensor | None) -> None:
        if ids.dim() != 2 or ids.dtype not in (torch.int32, torch.int64):
            raise PtmError(
                f"input_ids are {ids.dtype} of shape {tuple(ids.shape)}; give integers of shape (B, T)"
            )
        if not 0 < ids.size(1) <= self.config.max_len:
            raise PtmError(
                f"{ids.size(1)} tokens in a row; this model reads 1 to {self.config.max_len}. "
                "Cut the rows, or let m.encode(text) do it"
            )
        for name, other in (("attention_mask", mask), ("segment_ids", segments)):
            if other is not None and other.shape != ids.shape:
                raise PtmError(
                    f"{name} is {tuple(other.shape)}, input_ids are {tuple(ids.shape)}; one value a token"
                )
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.config.vocab_size:
            raise PtmError(
                f"input_ids reach from {int(ids.min())} to {int(ids.max())}; "
                f"the vocabulary has 0 to {self.config.vocab_size - 1}"
            )


def load(source: str | Path, device: str | torch.device | None = None, revision: str | None = None) -> Model:
    """A model from a folder or a hub id in the Hugging Face layout. Raises PtmError naming what is wrong."""
    net, hf, folder = pretrained.read(source, revision)
    tokenizer = Tokenizer.find(folder)
    ours = folder / "ptm.json"
    extra = json.loads(ours.read_text(encoding="utf-8")) if ours.is_file() else {}
    labels = {name: hf[name] for name in ("id2label", "label2id", "problem_type") if hf.get(name)}
    card = {**extra.get("card", {}), **({"hf": labels} if labels else {})}
    model = Model(
        net.to(device or "cpu"), None, RECIPES.get(extra.get("recipe", "")), extra.get("history"), card
    )
    if tokenizer is not None:
        model.tokenizer = tokenizer
    return model
