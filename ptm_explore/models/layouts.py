"""What Hugging Face checkpoints look like: names of settings, weights and classes, one layout a
`model_type`."""

import re
from dataclasses import dataclass, field
from typing import Any

from ptm_explore.models.keymaps import (
    COLUMN,
    FLAT,
    HEADS_FIRST,
    STACKED,
    STACKED_HEADS,
    TRANSPOSED,
    Packing,
    Rule,
)

ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}


@dataclass(frozen=True)
class Layout:
    family: str
    fields: dict[str, str]  # our config field -> theirs
    rules: tuple[Rule, ...]  # our weight -> theirs; {i} layer, {g} group, {k} block in a group
    prefix: str  # what their base model is called inside one with heads
    architectures: dict[frozenset[str], str]  # heads -> their class
    shows: dict[str, str] = field(default_factory=dict)  # head -> the weights that show it is there
    task_layers: dict[str, str] = field(default_factory=lambda: {"span": "qa_outputs"})  # or "classifier"
    default: tuple[str, ...] = ()  # the heads of a checkpoint that shows none
    tied: dict[str, str] = field(default_factory=dict)  # weights that we hold once: name -> what it repeats
    ignored: str = "(?!)"  # pattern of keys that are no weights
    activations: dict[str, str] = field(default_factory=lambda: ACTIVATIONS)  # theirs -> ours
    fixed: dict[str, object] = field(default_factory=dict)  # our config fields that this layout implies
    extra: dict[str, str] = field(default_factory=dict)  # more of their fields, set from ours when writing
    only: dict[str, tuple] = field(default_factory=dict)  # their fields that may have these values only


def _pairs(table: str) -> dict[str, str]:
    """ours -> theirs, from a table of `ours=theirs`; a name by itself is the same in both."""
    pairs = (entry.partition("=") for entry in table.split())
    return {ours: theirs or ours for ours, _, theirs in pairs}


_BERT_FIELDS = _pairs("""
    vocab_size  d_model=hidden_size  n_layers=num_hidden_layers  n_heads=num_attention_heads
    d_ff=intermediate_size  max_len=max_position_embeddings  dropout=hidden_dropout_prob
    attention_dropout=attention_probs_dropout_prob  n_segments=type_vocab_size  norm_eps=layer_norm_eps
    init_std=initializer_range  activation=hidden_act
""")
_GPT_FIELDS = _pairs("""
    vocab_size  d_model=n_embd  n_layers=n_layer  n_heads=n_head  max_len=n_positions  dropout=resid_pdrop
    attention_dropout=attn_pdrop  norm_eps=layer_norm_epsilon  init_std=initializer_range
""")
# max_len and clamp_len are ours: transformers keeps both and takes no notice
_XLNET_FIELDS = _pairs("""
    vocab_size  d_model  n_layers=n_layer  n_heads=n_head  d_ff=d_inner  max_len  attention_dropout  dropout
    clamp_len  norm_eps=layer_norm_eps  init_std=initializer_range  activation=ff_activation
""")


def _rules(table: str, ours: str = "", theirs: str = "", packing: Packing = STACKED) -> tuple[Rule, ...]:
    """Rules from a table, names below prefixes: `ours=theirs` is a weight and a bias, `ours:theirs` one
    tensor. Commas stand between several of theirs that make one of ours."""
    return tuple(
        Rule(f"{ours}{a}{part}", tuple(f"{theirs}{name}{part}" for name in b.split(",")), packing)
        for a, sign, b in re.findall(r"(\S+)([=:])(\S+)", table)
        for part in ((".weight", ".bias") if sign == "=" else ("",))
    )


def _classes(family: str, table: str) -> dict[frozenset[str], str]:
    """heads -> the class in transformers; the tasks' and the base model's have the same names everywhere."""
    everywhere = """=Model pooler=Model sequence=ForSequenceClassification token=ForTokenClassification
                    span=ForQuestionAnswering"""
    names = _pairs(f"{everywhere} {table}")
    return {frozenset(filter(None, heads.split("+"))): family + name for heads, name in names.items()}


_EMBEDDINGS = """
    tokens.weight:word_embeddings.weight  positions.weight:position_embeddings.weight
    segments.weight:token_type_embeddings.weight  norm=LayerNorm
"""
_BERT_BLOCK = """
    attention.qkv=attention.self.query,attention.self.key,attention.self.value
    attention.out=attention.output.dense  attention_norm=attention.output.LayerNorm
    ffn.up=intermediate.dense  ffn.down=output.dense  ffn_norm=output.LayerNorm
"""
_HIDDEN_CLASSIFIER = "task_head=classifier task_head.dense=classifier.dense task_head.out=classifier.out_proj"


def _encoder(
    name: str,  # with which the names of their classes begin
    heads: str,  # rules of what stands on the body
    shows: str,
    classes: str,
    tied: str,
    fields: str = "",  # beside BERT's
    layers: tuple[str, str] = ("body.layers.{i}.", "encoder.layer.{i}."),
    block: str = _BERT_BLOCK,
    **more: Any,
) -> Layout:
    """BERT and its followers: they call embeddings and settings alike, but for the name of the base model."""
    base, no = f"{name.lower()}.", ("is_decoder", "add_cross_attention")
    embeddings = _rules(_EMBEDDINGS, "body.embeddings.", base + "embeddings.")
    return Layout(
        name.lower(),
        _BERT_FIELDS | _pairs(fields),
        (*embeddings, *_rules(block, layers[0], base + layers[1]), *_rules(heads)),
        base,
        _classes(name, classes),
        shows=_pairs(shows),
        tied=_pairs(tied),
        ignored=r"(.*\.)?embeddings\.(position_ids|token_type_ids)",
        only={"position_embedding_type": ("absolute",)} | dict.fromkeys(no, (False,)),
        **more,
    )


BERT = _encoder(
    "Bert",
    """head.dense=cls.predictions.transform.dense  head.norm=cls.predictions.transform.LayerNorm
       head.bias:cls.predictions.bias  pooler.dense=bert.pooler.dense  pair_head=cls.seq_relationship
       task_head=classifier""",
    shows="pooler=bert.pooler mlm=cls.predictions pair=cls.seq_relationship",
    classes="""pooler+mlm+pair=ForPreTraining  mlm=ForMaskedLM  pooler+pair=ForNextSentencePrediction
               pooler+sequence=ForSequenceClassification""",
    tied="""cls.predictions.decoder.weight=bert.embeddings.word_embeddings.weight
            cls.predictions.decoder.bias=cls.predictions.bias""",
)

ROBERTA = _encoder(
    "Roberta",
    f"""head.dense=lm_head.dense  head.norm=lm_head.layer_norm  head.bias:lm_head.bias
        pooler.dense=roberta.pooler.dense  {_HIDDEN_CLASSIFIER}""",
    shows="pooler=roberta.pooler mlm=lm_head sequence=classifier.out_proj",
    classes="mlm=ForMaskedLM",
    tied="""lm_head.decoder.weight=roberta.embeddings.word_embeddings.weight
            lm_head.decoder.bias=lm_head.bias""",
    fields="pad_id=pad_token_id",
)

ALBERT = _encoder(
    "Albert",
    """body.project=albert.encoder.embedding_hidden_mapping_in
       head.dense=predictions.dense  head.norm=predictions.LayerNorm  head.bias:predictions.bias
       pooler.dense=albert.pooler  pair_head.1=sop_classifier.classifier  task_head=classifier""",
    shows="pooler=albert.pooler mlm=predictions pair=sop_classifier",
    classes="""pooler+mlm+pair=ForPreTraining  mlm=ForMaskedLM
               pooler+sequence=ForSequenceClassification""",
    tied="""predictions.decoder.weight=albert.embeddings.word_embeddings.weight
            predictions.decoder.bias=predictions.bias""",
    # share is ours: transformers keeps it and takes no notice
    fields="""d_embedding=embedding_size  n_groups=num_hidden_groups  n_inner=inner_group_num
              classifier_dropout=classifier_dropout_prob  share""",
    layers=("body.groups.{g}.{k}.", "encoder.albert_layer_groups.{g}.albert_layers.{k}."),
    block="""attention.qkv=attention.query,attention.key,attention.value
             attention.out=attention.dense  attention_norm=attention.LayerNorm
             ffn.up=ffn  ffn.down=ffn_output  ffn_norm=full_layer_layer_norm""",
    extra={"num_hidden_groups": "n_sets"},
)

ELECTRA = _encoder(
    "Electra",
    f"""body.project=electra.embeddings_project
        rtd_head.dense=discriminator_predictions.dense
        rtd_head.out=discriminator_predictions.dense_prediction
        head.dense=generator_predictions.dense  head.norm=generator_predictions.LayerNorm
        head.bias:generator_lm_head.bias  {_HIDDEN_CLASSIFIER}""",
    shows="rtd=discriminator_predictions mlm=generator_predictions sequence=classifier.out_proj",
    classes="rtd=ForPreTraining rtd+generator=ForPreTraining mlm=ForMaskedLM",
    tied="generator_lm_head.weight=electra.embeddings.word_embeddings.weight",
    fields="d_embedding=embedding_size",
)

_XLNET_LAYER = ("body.layers.{i}.", "transformer.layer.{i}.")
_RELATIVE = ("body.layers.{i}.attention.", "transformer.layer.{i}.rel_attn.")

XLNET = Layout(
    "xlnet",
    _XLNET_FIELDS,
    (
        *_rules("qkv.weight:q,k,v relative.weight:r", *_RELATIVE, STACKED_HEADS),
        *_rules("out.weight:o", *_RELATIVE, HEADS_FIRST),
        *_rules("content_bias:r_w_bias position_bias:r_r_bias segment_bias:r_s_bias", *_RELATIVE, COLUMN),
        *_rules("attention.segments:rel_attn.seg_embed attention_norm=rel_attn.layer_norm", *_XLNET_LAYER),
        *_rules("ffn.up=ff.layer_1 ffn.down=ff.layer_2 ffn_norm=ff.layer_norm", *_XLNET_LAYER),
        *_rules("query:mask_emb", "body.", "transformer.", FLAT),
        *_rules("body.tokens.weight:transformer.word_embedding.weight lm_bias:lm_loss.bias"),
        *_rules("task_head.dense=sequence_summary.summary task_head.out=logits_proj task_head=classifier"),
    ),
    "transformer.",
    _classes("XLNet", "lm=LMHeadModel span=ForQuestionAnsweringSimple"),
    shows={"lm": "lm_loss", "sequence": "logits_proj"},
    tied={"lm_loss.weight": "transformer.word_embedding.weight"},
    extra={"summary_last_dropout": "dropout"},
    only={"attn_type": ("bi",), "untie_r": (True,), "same_length": (False,)},
)


def _gpt(name: str, fields: str, tables: tuple[str, str], ignored: str = "", **more: Any) -> Layout:
    """GPT-1 and GPT-2; `tables` are their names of the embeddings of tokens and of positions."""
    layer = ("body.layers.{i}.", "transformer.h.{i}.")
    linear = "attention.qkv=attn.c_attn attention.out=attn.c_proj ffn.up=mlp.c_fc ffn.down=mlp.c_proj"
    embeddings = "tokens.weight:{}.weight positions.weight:{}.weight".format(*tables)
    return Layout(
        "gpt",
        _GPT_FIELDS | _pairs(fields),
        (
            *_rules(embeddings, "body.embeddings.", "transformer."),
            *_rules(linear, *layer, TRANSPOSED),
            *_rules("attention_norm=ln_1 ffn_norm=ln_2", *layer),
            *_rules("body.norm=transformer.ln_f task_head=classifier"),
        ),
        "transformer.",
        _classes(name, "lm=LMHeadModel"),
        default=("lm",),
        tied={"lm_head.weight": f"transformer.{tables[0]}.weight"},
        ignored=r"(.*\.)?attn\.(bias|masked_bias)" + ignored,
        extra={"embd_pdrop": "dropout"},
        **more,
    )


GPT2 = _gpt(
    "GPT2",
    "d_ff=n_inner activation=activation_function",
    ("wte", "wpe"),
    task_layers={"span": "qa_outputs", "sequence": "score"},
    fixed={"pre_norm": True},
    only={"scale_attn_by_inverse_layer_idx": (False,), "add_cross_attention": (False,)},
)

GPT1 = _gpt(
    "OpenAIGPT",
    "activation=afn",
    ("tokens_embed", "positions_embed"),
    "|.*position_ids",
    task_layers={"sequence": "score"},
    activations=ACTIVATIONS | {"gelu": "gelu_tanh"},  # what it calls gelu is the approximation
    fixed={"pre_norm": False},
)

# by model_type
LAYOUTS = {"bert": BERT, "roberta": ROBERTA, "albert": ALBERT, "electra": ELECTRA, "xlnet": XLNET}
LAYOUTS |= {"gpt2": GPT2, "openai-gpt": GPT1}
