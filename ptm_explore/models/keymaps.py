"""Names of weights in Hugging Face checkpoints, and what has to be done to the tensors on the way.

One line is one rule: our name, their name or names, and how to pack theirs into ours. `{i}` is a layer.
Published checkpoints vary: base models have no prefix, old ones call LayerNorm's weights gamma and beta,
and some carry buffers (masks, position ids) that are no weights at all.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Packing:
    """How the tensors of a checkpoint become one of ours, and back."""

    pack: Callable[[list[Tensor]], Tensor]
    unpack: Callable[[Tensor], list[Tensor]]


SAME = Packing(lambda theirs: theirs[0], lambda ours: [ours])
STACKED = Packing(lambda theirs: torch.cat(theirs), lambda ours: list(ours.chunk(3)))
TRANSPOSED = Packing(lambda theirs: theirs[0].T.contiguous(), lambda ours: [ours.T.contiguous()])


@dataclass(frozen=True)
class Keymap:
    """`rules`: (our name, their names, packing). `prefix`: what their base model is called inside one
    with heads. `tied`: their names for tensors that we hold once: name -> the name it repeats."""

    prefix: str
    rules: tuple[tuple[str, tuple[str, ...], Packing], ...]
    tied: Mapping[str, str]
    ignored: str  # pattern of keys that are no weights

    def lines(self, n_layers: int):
        for ours, theirs, packing in self.rules:
            for i in range(n_layers) if "{i}" in ours else (0,):
                yield ours.format(i=i), [name.format(i=i) for name in theirs], packing


def _both(ours: str, theirs: str, packing: Packing = SAME):
    """A rule for the weight and one for the bias."""
    return tuple((f"{ours}.{part}", (f"{theirs}.{part}",), packing) for part in ("weight", "bias"))


_LAYER = "bert.encoder.layer.{i}."
_QKV = [_LAYER + f"attention.self.{name}" for name in ("query", "key", "value")]

BERT = Keymap(
    prefix="bert.",
    rules=(
        ("body.embeddings.tokens.weight", ("bert.embeddings.word_embeddings.weight",), SAME),
        ("body.embeddings.positions.weight", ("bert.embeddings.position_embeddings.weight",), SAME),
        ("body.embeddings.segments.weight", ("bert.embeddings.token_type_embeddings.weight",), SAME),
        *_both("body.embeddings.norm", "bert.embeddings.LayerNorm"),
        ("body.layers.{i}.attention.qkv.weight", tuple(f"{name}.weight" for name in _QKV), STACKED),
        ("body.layers.{i}.attention.qkv.bias", tuple(f"{name}.bias" for name in _QKV), STACKED),
        *_both("body.layers.{i}.attention.out", _LAYER + "attention.output.dense"),
        *_both("body.layers.{i}.attention_norm", _LAYER + "attention.output.LayerNorm"),
        *_both("body.layers.{i}.ffn.up", _LAYER + "intermediate.dense"),
        *_both("body.layers.{i}.ffn.down", _LAYER + "output.dense"),
        *_both("body.layers.{i}.ffn_norm", _LAYER + "output.LayerNorm"),
        *_both("pooler.dense", "bert.pooler.dense"),
        *_both("head.dense", "cls.predictions.transform.dense"),
        *_both("head.norm", "cls.predictions.transform.LayerNorm"),
        ("head.bias", ("cls.predictions.bias",), SAME),
        *_both("pair_head", "cls.seq_relationship"),
        *_both("task_head", "classifier"),
    ),
    tied={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    ignored=r"(.*\.)?embeddings\.(position_ids|token_type_ids)",
)

_BLOCK = "transformer.h.{i}."

GPT = Keymap(
    prefix="transformer.",
    rules=(
        ("body.embeddings.tokens.weight", ("transformer.wte.weight",), SAME),
        ("body.embeddings.positions.weight", ("transformer.wpe.weight",), SAME),
        ("body.layers.{i}.attention.qkv.weight", (_BLOCK + "attn.c_attn.weight",), TRANSPOSED),
        ("body.layers.{i}.attention.qkv.bias", (_BLOCK + "attn.c_attn.bias",), SAME),
        ("body.layers.{i}.attention.out.weight", (_BLOCK + "attn.c_proj.weight",), TRANSPOSED),
        ("body.layers.{i}.attention.out.bias", (_BLOCK + "attn.c_proj.bias",), SAME),
        ("body.layers.{i}.ffn.up.weight", (_BLOCK + "mlp.c_fc.weight",), TRANSPOSED),
        ("body.layers.{i}.ffn.up.bias", (_BLOCK + "mlp.c_fc.bias",), SAME),
        ("body.layers.{i}.ffn.down.weight", (_BLOCK + "mlp.c_proj.weight",), TRANSPOSED),
        ("body.layers.{i}.ffn.down.bias", (_BLOCK + "mlp.c_proj.bias",), SAME),
        *_both("body.layers.{i}.attention_norm", _BLOCK + "ln_1"),
        *_both("body.layers.{i}.ffn_norm", _BLOCK + "ln_2"),
        *_both("body.norm", "transformer.ln_f"),
        *_both("task_head", "classifier"),
    ),
    tied={"lm_head.weight": "transformer.wte.weight"},
    ignored=r"(.*\.)?attn\.(bias|masked_bias)",
)

KEYMAPS = {"bert": BERT, "gpt": GPT}

# what the reference calls a task's layer, where that is not "classifier"
TASK_LAYERS: dict[tuple[str, str | None], str] = {
    ("bert", "span"): "qa_outputs",
    ("gpt", "span"): "qa_outputs",
    ("gpt", "sequence"): "score",
}


def to_hugging_face(tensors: Mapping[str, Tensor], family: str, n_layers: int, task: str | None) -> Tensors:
    """Our tensors (weights or gradients) under their names. Tied ones are written once, as they do."""
    out: Tensors = {}
    for ours, theirs, packing in KEYMAPS[family].lines(n_layers):
        if ours in tensors:
            out |= zip(_task_names(theirs, family, task), packing.unpack(tensors[ours]), strict=True)
    return out


def from_hugging_face(
    tensors: Tensors, family: str, n_layers: int, task: str | None, wanted: set[str]
) -> tuple[Tensors, list[str], list[str]]:
    """Their tensors under our names; then the names that are missing and the ones that are left over."""
    tensors, found, missing = dict(tensors), {}, []
    for ours, theirs, packing in KEYMAPS[family].lines(n_layers):
        if ours not in wanted:
            continue
        theirs = _task_names(theirs, family, task)
        absent = [name for name in theirs if name not in tensors]
        missing += absent
        if not absent:
            found[ours] = packing.pack([tensors.pop(name) for name in theirs])
    return found, missing, sorted(tensors)


def canonical(tensors: Tensors, family: str) -> Tensors:
    """Tensors under the names of a current model with heads: prefix added to those of a base model, gamma
    and beta renamed, buffers and repetitions of tied weights dropped."""
    keymap = KEYMAPS[family]
    firsts = {name.split(".")[0] for _, theirs, _ in keymap.rules for name in theirs}
    firsts |= {layer for (of, _), layer in TASK_LAYERS.items() if of == family}
    out = {}
    for name, tensor in tensors.items():
        if re.fullmatch(keymap.ignored, name):
            continue
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        if name.split(".")[0] not in {*firsts, "lm_head"}:
            name = keymap.prefix + name
        out[name] = tensor
    return {name: t for name, t in out.items() if keymap.tied.get(name) not in out}


def _task_names(names: list[str], family: str, task: str | None) -> list[str]:
    layer = TASK_LAYERS.get((family, task), "classifier")
    return [re.sub(r"^classifier\.", f"{layer}.", name) for name in names]
