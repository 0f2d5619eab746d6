"""What Hugging Face checkpoints look like: names of settings, weights and classes, one layout a
`model_type`."""

from dataclasses import dataclass, field

from ptm_explore.models.keymaps import (
    COLUMN,
    FLAT,
    HEADS_FIRST,
    SAME,
    STACKED,
    STACKED_HEADS,
    TRANSPOSED,
    Rule,
    both,
)

ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}


@dataclass(frozen=True)
class Layout:
    family: str
    fields: dict[str, str]  # our config field -> theirs
    rules: tuple[Rule, ...]  # our weight -> theirs; {i} layer, {g} group, {k} block in a group
    prefix: str  # what their base model is called inside one with heads
    architectures: dict[tuple[str, ...], str]  # heads -> their class
    shows: dict[str, str] = field(default_factory=dict)  # head -> the weights that show it is there
    task_layers: dict[str, str] = field(default_factory=dict)  # task -> its layer, if not "classifier"
    default: tuple[str, ...] = ()  # the heads of a checkpoint that shows none
    tied: dict[str, str] = field(default_factory=dict)  # weights that we hold once: name -> what it repeats
    ignored: str = "(?!)"  # pattern of keys that are no weights
    activations: dict[str, str] = field(default_factory=lambda: ACTIVATIONS)  # theirs -> ours
    fixed: dict[str, object] = field(default_factory=dict)  # our config fields that this layout implies
    extra: dict[str, str] = field(default_factory=dict)  # more of their fields, set from ours when writing
    only: dict[str, tuple] = field(default_factory=dict)  # their fields that may have these values only


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
    "max_len": "n_positions",
    "dropout": "resid_pdrop",
    "attention_dropout": "attn_pdrop",
    "norm_eps": "layer_norm_epsilon",
    "init_std": "initializer_range",
}
_XLNET_FIELDS = {
    "vocab_size": "vocab_size",
    "d_model": "d_model",
    "n_layers": "n_layer",
    "n_heads": "n_head",
    "d_ff": "d_inner",
    "max_len": "max_len",  # ours, as the next: transformers keeps both and takes no notice
    "attention_dropout": "attention_dropout",
    "dropout": "dropout",
    "clamp_len": "clamp_len",
    "norm_eps": "layer_norm_eps",
    "init_std": "initializer_range",
    "activation": "ff_activation",
}
_ENCODER_ONLY = {
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}


def _encoder(base: str) -> tuple[Rule, ...]:
    """The weights that BERT, RoBERTa and ELECTRA call alike, but for the name of the base model."""
    layer = f"{base}.encoder.layer.{{i}}."
    qkv = [layer + f"attention.self.{name}" for name in ("query", "key", "value")]
    return (
        *_embeddings(base),
        Rule("body.layers.{i}.attention.qkv.weight", tuple(f"{name}.weight" for name in qkv), STACKED),
        Rule("body.layers.{i}.attention.qkv.bias", tuple(f"{name}.bias" for name in qkv), STACKED),
        *both("body.layers.{i}.attention.out", layer + "attention.output.dense"),
        *both("body.layers.{i}.attention_norm", layer + "attention.output.LayerNorm"),
        *both("body.layers.{i}.ffn.up", layer + "intermediate.dense"),
        *both("body.layers.{i}.ffn.down", layer + "output.dense"),
        *both("body.layers.{i}.ffn_norm", layer + "output.LayerNorm"),
    )


def _embeddings(base: str) -> tuple[Rule, ...]:
    tables = {"tokens": "word", "positions": "position", "segments": "token_type"}
    return (
        *(
            Rule(f"body.embeddings.{ours}.weight", (f"{base}.embeddings.{theirs}_embeddings.weight",), SAME)
            for ours, theirs in tables.items()
        ),
        *both("body.embeddings.norm", f"{base}.embeddings.LayerNorm"),
    )


_SEQUENCE = "ForSequenceClassification"


def _classes(family: str, *heads: dict[tuple[str, ...], str]) -> dict[tuple[str, ...], str]:
    """heads -> the class in transformers; the tasks' and the base model's have the same names everywhere."""
    names = {(): "Model", ("pooler",): "Model", ("sequence",): _SEQUENCE}
    names |= {("token",): "ForTokenClassification", ("span",): "ForQuestionAnswering"}
    for more in heads:
        names |= more
    return {found: family + name for found, name in names.items()}


_HIDDEN_CLASSIFIER = (
    *both("task_head.dense", "classifier.dense"),
    *both("task_head.out", "classifier.out_proj"),
    *both("task_head", "classifier"),
)
_BUFFERS = r"(.*\.)?embeddings\.(position_ids|token_type_ids)"

BERT = Layout(
    "bert",
    _BERT_FIELDS,
    (
        *_encoder("bert"),
        *both("pooler.dense", "bert.pooler.dense"),
        *both("head.dense", "cls.predictions.transform.dense"),
        *both("head.norm", "cls.predictions.transform.LayerNorm"),
        Rule("head.bias", ("cls.predictions.bias",), SAME),
        *both("pair_head", "cls.seq_relationship"),
        *both("task_head", "classifier"),
    ),
    "bert.",
    _classes(
        "Bert",
        {("pooler", "mlm", "pair"): "ForPreTraining", ("mlm",): "ForMaskedLM"},
        {("pooler", "pair"): "ForNextSentencePrediction", ("pooler", "sequence"): _SEQUENCE},
    ),
    shows={"pooler": "bert.pooler", "mlm": "cls.predictions", "pair": "cls.seq_relationship"},
    task_layers={"span": "qa_outputs"},
    tied={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    ignored=_BUFFERS,
    only=_ENCODER_ONLY,
)

ROBERTA = Layout(
    "roberta",
    _BERT_FIELDS | {"pad_id": "pad_token_id"},
    (
        *_encoder("roberta"),
        *both("pooler.dense", "roberta.pooler.dense"),
        *both("head.dense", "lm_head.dense"),
        *both("head.norm", "lm_head.layer_norm"),
        Rule("head.bias", ("lm_head.bias",), SAME),
        *_HIDDEN_CLASSIFIER,
    ),
    "roberta.",
    _classes("Roberta", {("mlm",): "ForMaskedLM"}),
    shows={"pooler": "roberta.pooler", "mlm": "lm_head", "sequence": "classifier.out_proj"},
    task_layers={"span": "qa_outputs"},
    tied={
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    },
    ignored=_BUFFERS,
    only=_ENCODER_ONLY,
)

_ALBERT_BLOCK = "albert.encoder.albert_layer_groups.{g}.albert_layers.{k}."
_ALBERT_QKV = [_ALBERT_BLOCK + f"attention.{name}" for name in ("query", "key", "value")]

ALBERT = Layout(
    "albert",
    _BERT_FIELDS
    | {
        "d_embedding": "embedding_size",
        "n_groups": "num_hidden_groups",
        "n_inner": "inner_group_num",
        "classifier_dropout": "classifier_dropout_prob",
        "share": "share",  # ours: transformers keeps it and takes no notice
    },
    (
        *_embeddings("albert"),
        *both("body.project", "albert.encoder.embedding_hidden_mapping_in"),
        Rule("body.groups.{g}.{k}.attention.qkv.weight", tuple(f"{n}.weight" for n in _ALBERT_QKV), STACKED),
        Rule("body.groups.{g}.{k}.attention.qkv.bias", tuple(f"{n}.bias" for n in _ALBERT_QKV), STACKED),
        *both("body.groups.{g}.{k}.attention.out", _ALBERT_BLOCK + "attention.dense"),
        *both("body.groups.{g}.{k}.attention_norm", _ALBERT_BLOCK + "attention.LayerNorm"),
        *both("body.groups.{g}.{k}.ffn.up", _ALBERT_BLOCK + "ffn"),
        *both("body.groups.{g}.{k}.ffn.down", _ALBERT_BLOCK + "ffn_output"),
        *both("body.groups.{g}.{k}.ffn_norm", _ALBERT_BLOCK + "full_layer_layer_norm"),
        *both("pooler.dense", "albert.pooler"),
        *both("head.dense", "predictions.dense"),
        *both("head.norm", "predictions.LayerNorm"),
        Rule("head.bias", ("predictions.bias",), SAME),
        *both("pair_head.1", "sop_classifier.classifier"),
        *both("task_head", "classifier"),
    ),
    "albert.",
    _classes(
        "Albert",
        {("pooler", "mlm", "pair"): "ForPreTraining", ("mlm",): "ForMaskedLM"},
        {("pooler", "sequence"): _SEQUENCE},
    ),
    shows={"pooler": "albert.pooler", "mlm": "predictions", "pair": "sop_classifier"},
    task_layers={"span": "qa_outputs"},
    tied={
        "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    ignored=_BUFFERS,
    extra={"num_hidden_groups": "n_sets"},
    only=_ENCODER_ONLY,
)

ELECTRA = Layout(
    "electra",
    _BERT_FIELDS | {"d_embedding": "embedding_size"},
    (
        *_encoder("electra"),
        *both("body.project", "electra.embeddings_project"),
        *both("rtd_head.dense", "discriminator_predictions.dense"),
        *both("rtd_head.out", "discriminator_predictions.dense_prediction"),
        *both("head.dense", "generator_predictions.dense"),
        *both("head.norm", "generator_predictions.LayerNorm"),
        Rule("head.bias", ("generator_lm_head.bias",), SAME),
        *_HIDDEN_CLASSIFIER,
    ),
    "electra.",
    _classes(
        "Electra",
        {("rtd",): "ForPreTraining", ("rtd", "generator"): "ForPreTraining", ("mlm",): "ForMaskedLM"},
    ),
    shows={
        "rtd": "discriminator_predictions",
        "mlm": "generator_predictions",
        "sequence": "classifier.out_proj",
    },
    task_layers={"span": "qa_outputs"},
    tied={"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"},
    ignored=_BUFFERS,
    only=_ENCODER_ONLY,
)

_XLNET_LAYER = "transformer.layer.{i}."
_XLNET_QKV = tuple(f"{_XLNET_LAYER}rel_attn.{name}" for name in "qkv")

XLNET = Layout(
    "xlnet",
    _XLNET_FIELDS,
    (
        Rule("body.tokens.weight", ("transformer.word_embedding.weight",), SAME),
        Rule("body.query", ("transformer.mask_emb",), FLAT),
        Rule("body.layers.{i}.attention.qkv.weight", _XLNET_QKV, STACKED_HEADS),
        Rule("body.layers.{i}.attention.relative.weight", (_XLNET_LAYER + "rel_attn.r",), STACKED_HEADS),
        Rule("body.layers.{i}.attention.out.weight", (_XLNET_LAYER + "rel_attn.o",), HEADS_FIRST),
        Rule("body.layers.{i}.attention.content_bias", (_XLNET_LAYER + "rel_attn.r_w_bias",), COLUMN),
        Rule("body.layers.{i}.attention.position_bias", (_XLNET_LAYER + "rel_attn.r_r_bias",), COLUMN),
        Rule("body.layers.{i}.attention.segment_bias", (_XLNET_LAYER + "rel_attn.r_s_bias",), COLUMN),
        Rule("body.layers.{i}.attention.segments", (_XLNET_LAYER + "rel_attn.seg_embed",), SAME),
        *both("body.layers.{i}.attention_norm", _XLNET_LAYER + "rel_attn.layer_norm"),
        *both("body.layers.{i}.ffn.up", _XLNET_LAYER + "ff.layer_1"),
        *both("body.layers.{i}.ffn.down", _XLNET_LAYER + "ff.layer_2"),
        *both("body.layers.{i}.ffn_norm", _XLNET_LAYER + "ff.layer_norm"),
        Rule("lm_bias", ("lm_loss.bias",), SAME),
        *both("task_head.dense", "sequence_summary.summary"),
        *both("task_head.out", "logits_proj"),
        *both("task_head", "classifier"),
    ),
    "transformer.",
    _classes("XLNet", {("lm",): "LMHeadModel"}, {("span",): "ForQuestionAnsweringSimple"}),
    shows={"lm": "lm_loss", "sequence": "logits_proj"},
    task_layers={"span": "qa_outputs"},
    tied={"lm_loss.weight": "transformer.word_embedding.weight"},
    extra={"summary_last_dropout": "dropout"},
    only={"attn_type": ("bi",), "untie_r": (True,), "same_length": (False,)},
)


def _gpt(tokens: str, positions: str) -> tuple[Rule, ...]:
    block = "transformer.h.{i}."
    linear = {"attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj"}
    linear |= {"ffn.up": "mlp.c_fc", "ffn.down": "mlp.c_proj"}
    layer = "body.layers.{i}."
    return (
        Rule("body.embeddings.tokens.weight", (f"transformer.{tokens}.weight",), SAME),
        Rule("body.embeddings.positions.weight", (f"transformer.{positions}.weight",), SAME),
        *(Rule(f"{layer}{a}.weight", (f"{block}{b}.weight",), TRANSPOSED) for a, b in linear.items()),
        *(Rule(f"{layer}{a}.bias", (f"{block}{b}.bias",), SAME) for a, b in linear.items()),
        *both(layer + "attention_norm", block + "ln_1"),
        *both(layer + "ffn_norm", block + "ln_2"),
        *both("body.norm", "transformer.ln_f"),
        *both("task_head", "classifier"),
    )


GPT2 = Layout(
    "gpt",
    _GPT_FIELDS | {"d_ff": "n_inner", "activation": "activation_function"},
    _gpt("wte", "wpe"),
    "transformer.",
    _classes("GPT2", {("lm",): "LMHeadModel"}),
    task_layers={"span": "qa_outputs", "sequence": "score"},
    default=("lm",),
    tied={"lm_head.weight": "transformer.wte.weight"},
    ignored=r"(.*\.)?attn\.(bias|masked_bias)",
    fixed={"pre_norm": True},
    extra={"embd_pdrop": "dropout"},
    only={"scale_attn_by_inverse_layer_idx": (False,), "add_cross_attention": (False,)},
)

GPT1 = Layout(
    "gpt",
    _GPT_FIELDS | {"activation": "afn"},
    _gpt("tokens_embed", "positions_embed"),
    "transformer.",
    _classes("OpenAIGPT", {("lm",): "LMHeadModel"}),
    task_layers={"sequence": "score"},
    default=("lm",),
    tied={"lm_head.weight": "transformer.tokens_embed.weight"},
    ignored=r"(.*\.)?attn\.(bias|masked_bias)|.*position_ids",
    activations=ACTIVATIONS | {"gelu": "gelu_tanh"},  # what it calls gelu is the approximation
    fixed={"pre_norm": False},
    extra={"embd_pdrop": "dropout"},
)

LAYOUTS: dict[str, Layout] = {  # by model_type
    "bert": BERT,
    "roberta": ROBERTA,
    "albert": ALBERT,
    "electra": ELECTRA,
    "xlnet": XLNET,
    "gpt2": GPT2,
    "openai-gpt": GPT1,
}
