"""Checkpoints in the Hugging Face layout, in and out: config.json, weights, tokenizer."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ptm_explore.errors import PtmError, unknown
from ptm_explore.models.keymaps import canonical, from_hugging_face, to_hugging_face
from ptm_explore.models.network import Config, Network
from ptm_explore.models.recipes import FAMILIES, build

# our config field: theirs
_BERT_FIELDS = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "d_ff": "intermediate_size",
    "max_len": "max_position_embeddings",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "n_segments": "type_vocab_size",
    "norm_eps": "layer_norm_eps",
    "init_std": "initializer_range",
    "activation": "hidden_act",
}
_GPT_FIELDS = {
    "vocab_size": "vocab_size",
    "d_model": "n_embd",
    "n_layers": "n_layer",
    "n_heads": "n_head",
    "d_ff": "n_inner",
    "max_len": "n_positions",
    "dropout": "resid_pdrop",
    "attention_dropout": "attn_pdrop",
    "norm_eps": "layer_norm_epsilon",
    "init_std": "initializer_range",
    "activation": "activation_function",
}
FIELDS = {"bert": _BERT_FIELDS, "gpt": _GPT_FIELDS}
MODEL_TYPES = {"bert": "bert", "gpt2": "gpt"}
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}

# the reference's class for a set of our heads, in the order in which they are tried
ARCHITECTURES: dict[str, dict[tuple[str, ...], str]] = {
    "bert": {
        ("pooler", "mlm", "pair"): "BertForPreTraining",
        ("mlm",): "BertForMaskedLM",
        ("pooler", "pair"): "BertForNextSentencePrediction",
        ("pooler", "sequence"): "BertForSequenceClassification",
        ("token",): "BertForTokenClassification",
        ("span",): "BertForQuestionAnswering",
        ("pooler",): "BertModel",
        (): "BertModel",
    },
    "gpt": {
        ("lm",): "GPT2LMHeadModel",
        ("sequence",): "GPT2ForSequenceClassification",
        ("token",): "GPT2ForTokenClassification",
        ("span",): "GPT2ForQuestionAnswering",
    },
}
SINGLE = {"model.safetensors": False, "pytorch_model.bin": True}  # name -> is the legacy pickle format


def read(source: str | Path, revision: str | None = None) -> tuple[Network, dict, Path]:
    """(network, config.json as it stands, folder) from a folder, or a hub id looked up in the local cache
    and then on the network."""
    folder = _find(source, revision)
    hf = _read_json(folder / "config.json")
    family = MODEL_TYPES.get(hf.get("model_type", ""))
    if family is None:
        raise unknown("model_type in config.json:", hf.get("model_type"), MODEL_TYPES)
    config = from_hf_config(hf, family)
    tensors = canonical(_tensors(folder), family)
    heads = _heads(tensors, hf, family)
    labels = len(hf.get("id2label") or {}) or 2
    net = build(family, config, heads, labels)
    _fill(net, tensors, family, folder)
    return net.eval(), hf, folder


def from_hf_config(hf: dict, family: str) -> Config:
    """Our config from the contents of a config.json; what it leaves out has the reference's default."""
    cls = FAMILIES[family].config_class
    values = {ours: hf[theirs] for ours, theirs in FIELDS[family].items() if hf.get(theirs) is not None}
    given = values.get("activation")
    if given is not None and given not in ACTIVATIONS:
        raise unknown("activation in config.json:", given, ACTIVATIONS)
    values |= {"activation": ACTIVATIONS[given]} if given else {}
    if family == "gpt" and "d_ff" not in values:
        values["d_ff"] = 4 * values.get("d_model", cls.d_model)
    unsupported: dict[str, tuple] = {
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "scale_attn_by_inverse_layer_idx": (False,),
    }
    for name, fine in unsupported.items():
        if hf.get(name, fine[0]) not in fine:
            raise PtmError(f"config.json asks for {name}={hf[name]!r}; only {fine[0]!r} is built here")
    return cls(**values)


def hf_config(net: Network, family: str, extra: dict | None = None) -> dict:
    """The contents of config.json for a network, with `extra` (labels, special ids) on top."""
    back = {ours: theirs for theirs, ours in ACTIVATIONS.items() if theirs != "gelu_pytorch_tanh"}
    values = {theirs: getattr(net.config, ours) for ours, theirs in FIELDS[family].items()}
    values[FIELDS[family]["activation"]] = back[net.config.activation]
    if family == "gpt":
        values["embd_pdrop"] = net.config.dropout
    model_type = next(theirs for theirs, ours in MODEL_TYPES.items() if ours == family)
    return (
        {"architectures": [_architecture(net, family)], "model_type": model_type, "dtype": "float32"}
        | values
        | (extra or {})
    )


def write(
    net: Network,
    family: str,
    folder: str | Path,
    extra: dict | None = None,
    more: Callable[[Path], None] = lambda _: None,
) -> None:
    """config.json and model.safetensors into `folder`, and whatever `more(folder)` writes.

    Everything is written beside the folder first and moved in file by file, so that a full disk or a kill
    leaves what was there before. Raises PtmError where it cannot be written."""
    from safetensors.torch import save_file

    config = hf_config(net, family, extra)
    tensors = to_hugging_face(net.state_dict(), family, net.config.n_layers, net.task)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_folder(folder) as fresh:
        save_file(tensors, fresh / "model.safetensors", metadata={"format": "pt"})
        (fresh / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        more(fresh)


class atomic_folder:
    """A fresh folder to write into; on leaving it whole, its files replace those of `target`."""

    def __init__(self, target: str | Path):
        self.target = Path(target)

    def __enter__(self) -> Path:
        try:
            self.target.mkdir(parents=True, exist_ok=True)
            self._temporary = tempfile.TemporaryDirectory(prefix=".writing-", dir=self.target)
        except OSError as error:
            raise PtmError(f"cannot write to {self.target}: {error.strerror or error}") from error
        return Path(self._temporary.name)

    def __exit__(self, kind, error, traceback) -> None:
        fresh = Path(self._temporary.name)
        try:
            if error is None:
                for file in sorted(fresh.iterdir()):
                    os.replace(file, self.target / file.name)
        finally:
            self._temporary.cleanup()
        if isinstance(error, OSError) or "SafetensorError" in type(error).__name__:
            raise PtmError(
                f"could not write {self.target} ({error}); what was there before is untouched. "
                "Free some space, or save to another folder."
            ) from error


def _find(source: str | Path, revision: str | None) -> Path:
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise PtmError(
                f"the folder {folder} holds no config.json, so it is no checkpoint in the Hugging Face "
                "layout; give the folder that holds config.json and the weights"
            )
        return folder
    if folder.exists() or str(source).count("/") > 1 or str(source).startswith((".", "/", "~")):
        raise PtmError(f"no folder {source!s}; give a folder with config.json, or a hub id such as gpt2")
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        return Path(
            snapshot_download(str(source), revision=revision, allow_patterns=wanted, local_files_only=True)
        )
    except Exception:  # not in the cache, for one of many reasons
        pass
    try:
        path = Path(snapshot_download(str(source), revision=revision, allow_patterns=wanted))
        if not list(path.glob("*.safetensors")):
            path = Path(snapshot_download(str(source), revision=revision, allow_patterns=[*wanted, "*.bin"]))
        return path
    except Exception as error:
        raise PtmError(
            f"{source!r} is neither a folder, nor a shipped model, nor a model of the hub that can be "
            f"reached or is in the local cache ({type(error).__name__}). Recipes to train: ptm.recipes()"
        ) from error


def _tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder: safetensors before the legacy pickle, which is read with weights only."""
    for name, legacy in SINGLE.items():
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return _read_tensors(folder / name, legacy)
        if index.is_file():
            shards = sorted(set(_read_json(index)["weight_map"].values()))
            absent = [shard for shard in shards if not (folder / shard).is_file()]
            if absent:
                raise PtmError(f"{index} names shards that are not there: {', '.join(absent)}")
            return {k: v for shard in shards for k, v in _read_tensors(folder / shard, legacy).items()}
    raise PtmError(
        f"no weights in {folder}: expected one of {', '.join(SINGLE)}, or an .index.json of shards"
    )


def _read_tensors(path: Path, legacy: bool) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return torch.load(path, map_location="cpu", weights_only=True) if legacy else load_file(path)
    except Exception as error:
        raise PtmError(f"{path} cannot be read as tensors ({error}); is the file complete?") from error


def _heads(tensors: dict[str, Tensor], hf: dict, family: str) -> tuple[str, ...]:
    """The heads that the weights are there for."""
    has = lambda part: any(name.startswith(part) for name in tensors)  # noqa: E731
    task = "span" if has("qa_outputs") else "sequence" if has("score") else None
    if has("classifier"):
        token = "ForTokenClassification" in "".join(hf.get("architectures") or [])
        task = "sequence" if has("bert.pooler") and not token else "token"
    if family == "gpt":
        return (task,) if task else ("lm",)  # GPT's language-model head is its embedding matrix
    heads = {"pooler": "bert.pooler", "mlm": "cls.predictions", "pair": "cls.seq_relationship"}
    return tuple(head for head, part in heads.items() if has(part)) + ((task,) if task else ())


def _fill(net: Network, tensors: dict[str, Tensor], family: str, folder: Path) -> None:
    """Weights into a network; every missing, extra or misshapen one is named, all at once."""
    own = net.state_dict()
    ours, missing, extra = from_hugging_face(tensors, family, net.config.n_layers, net.task, set(own))
    misshapen = [
        f"{name} is {tuple(tensor.shape)}, config.json asks for {tuple(own[name].shape)}"
        for name, tensor in ours.items()
        if tensor.shape != own[name].shape
    ]
    if missing or extra or misshapen:
        lines = [f"the weights in {folder} do not fit its config.json:"]
        for kind, names in (("missing", missing), ("not expected", extra), ("misshapen", misshapen)):
            lines += [f"  {kind}: {', '.join(names)}"] if names else []
        raise PtmError("\n".join(lines))
    net.load_state_dict(ours)


def _architecture(net: Network, family: str) -> str:
    known, heads = ARCHITECTURES[family], set(net.heads)
    wanted = heads | ({"pooler"} if heads & {"pair", "sequence"} else set())
    return next((name for parts, name in known.items() if set(parts) == wanted), next(iter(known.values())))


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PtmError(f"{path} cannot be read as JSON: {error}") from error
