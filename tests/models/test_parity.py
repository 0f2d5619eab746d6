"""Equal to `transformers`: hidden states of every layer, attentions, logits, losses and gradients.

On tiny random configs of odd sizes, every parameter moved off its initial value (zero biases and unit norms
hide mistakes), with padding and segments; in float64 to 1e-10 and in float32 to 1.3e-6 + 1e-5. Failures name
the first layer that differs.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field

import pytest
import torch
import transformers as hf
from torch.nn.functional import cross_entropy

from ptm_explore.layers.taps import Taps
from ptm_explore.models import pretrained
from ptm_explore.models.keymaps import to_hugging_face

BERT = {
    "vocab_size": 61,
    "hidden_size": 30,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "intermediate_size": 37,
    "max_position_embeddings": 19,
    "type_vocab_size": 3,
}
ROBERTA = BERT | {"pad_token_id": 1, "max_position_embeddings": 21, "type_vocab_size": 1}
ALBERT = BERT | {"embedding_size": 14, "num_hidden_layers": 4, "classifier_dropout_prob": 0.0}
ELECTRA = BERT | {"embedding_size": 14}
GPT = {"vocab_size": 61, "n_embd": 30, "n_layer": 3, "n_head": 5, "n_positions": 19}
XLNET = {"vocab_size": 61, "d_model": 30, "n_layer": 3, "n_head": 5, "d_inner": 37}


@dataclass
class Case:
    model: type
    config: object
    way: str = "plain"  # how inputs are given: see `inputs`
    loss: bool = False  # has a pre-training loss


CASES = {
    "bert-pretraining-erf": Case(hf.BertForPreTraining, hf.BertConfig(**BERT), loss=True),
    "bert-pretraining-tanh": Case(
        hf.BertForPreTraining, hf.BertConfig(**BERT, hidden_act="gelu_new"), loss=True
    ),
    "bert-mlm": Case(hf.BertForMaskedLM, hf.BertConfig(**BERT), loss=True),
    "bert-base": Case(hf.BertModel, hf.BertConfig(**BERT)),
    "bert-nsp": Case(hf.BertForNextSentencePrediction, hf.BertConfig(**BERT)),
    "bert-sequence": Case(hf.BertForSequenceClassification, hf.BertConfig(**BERT, num_labels=4)),
    "bert-token": Case(hf.BertForTokenClassification, hf.BertConfig(**BERT, num_labels=4)),
    "bert-span": Case(hf.BertForQuestionAnswering, hf.BertConfig(**BERT)),
    "roberta-mlm": Case(hf.RobertaForMaskedLM, hf.RobertaConfig(**ROBERTA), loss=True),
    "roberta-base": Case(hf.RobertaModel, hf.RobertaConfig(**ROBERTA)),
    "roberta-sequence": Case(hf.RobertaForSequenceClassification, hf.RobertaConfig(**ROBERTA, num_labels=4)),
    "roberta-token": Case(hf.RobertaForTokenClassification, hf.RobertaConfig(**ROBERTA, num_labels=4)),
    "roberta-span": Case(hf.RobertaForQuestionAnswering, hf.RobertaConfig(**ROBERTA)),
    "albert-pretraining": Case(hf.AlbertForPreTraining, hf.AlbertConfig(**ALBERT), loss=True),
    "albert-groups": Case(
        hf.AlbertForPreTraining, hf.AlbertConfig(**ALBERT, num_hidden_groups=3, inner_group_num=2), loss=True
    ),
    "albert-relu": Case(hf.AlbertForMaskedLM, hf.AlbertConfig(**ALBERT, hidden_act="relu"), loss=True),
    "albert-base": Case(hf.AlbertModel, hf.AlbertConfig(**ALBERT)),
    "albert-sequence": Case(hf.AlbertForSequenceClassification, hf.AlbertConfig(**ALBERT, num_labels=4)),
    "albert-token": Case(hf.AlbertForTokenClassification, hf.AlbertConfig(**ALBERT, num_labels=4)),
    "albert-span": Case(hf.AlbertForQuestionAnswering, hf.AlbertConfig(**ALBERT)),
    "electra-discriminator": Case(hf.ElectraForPreTraining, hf.ElectraConfig(**ELECTRA), loss=True),
    "electra-wide": Case(
        hf.ElectraForPreTraining, hf.ElectraConfig(**ELECTRA | {"embedding_size": 30}), loss=True
    ),
    "electra-generator": Case(hf.ElectraForMaskedLM, hf.ElectraConfig(**ELECTRA), loss=True),
    "electra-base": Case(hf.ElectraModel, hf.ElectraConfig(**ELECTRA)),
    "electra-sequence": Case(hf.ElectraForSequenceClassification, hf.ElectraConfig(**ELECTRA, num_labels=4)),
    "electra-token": Case(hf.ElectraForTokenClassification, hf.ElectraConfig(**ELECTRA, num_labels=4)),
    "electra-span": Case(hf.ElectraForQuestionAnswering, hf.ElectraConfig(**ELECTRA)),
    "xlnet-lm": Case(hf.XLNetLMHeadModel, hf.XLNetConfig(**XLNET)),
    "xlnet-tanh": Case(hf.XLNetLMHeadModel, hf.XLNetConfig(**XLNET, ff_activation="gelu_new")),
    "xlnet-clamped": Case(hf.XLNetLMHeadModel, hf.XLNetConfig(**XLNET, clamp_len=4)),
    "xlnet-permuted": Case(hf.XLNetLMHeadModel, hf.XLNetConfig(**XLNET), "permuted", loss=True),
    "xlnet-memory": Case(hf.XLNetLMHeadModel, hf.XLNetConfig(**XLNET, mem_len=7), "memory", loss=True),
    "xlnet-backward": Case(
        hf.XLNetLMHeadModel, hf.XLNetConfig(**XLNET, mem_len=7, bi_data=True), "memory", loss=True
    ),
    "xlnet-base": Case(hf.XLNetModel, hf.XLNetConfig(**XLNET)),
    "xlnet-sequence": Case(hf.XLNetForSequenceClassification, hf.XLNetConfig(**XLNET, num_labels=4), "left"),
    "xlnet-token": Case(hf.XLNetForTokenClassification, hf.XLNetConfig(**XLNET, num_labels=4)),
    "xlnet-span": Case(hf.XLNetForQuestionAnsweringSimple, hf.XLNetConfig(**XLNET)),
    "gpt1-lm": Case(hf.OpenAIGPTLMHeadModel, hf.OpenAIGPTConfig(**GPT), loss=True),
    "gpt2-lm": Case(hf.GPT2LMHeadModel, hf.GPT2Config(**GPT, n_inner=37), loss=True),
    "gpt2-base": Case(hf.GPT2Model, hf.GPT2Config(**GPT)),
    "gpt2-sequence": Case(
        hf.GPT2ForSequenceClassification, hf.GPT2Config(**GPT, num_labels=4, pad_token_id=60)
    ),
    "gpt2-token": Case(hf.GPT2ForTokenClassification, hf.GPT2Config(**GPT, num_labels=4)),
    "gpt2-span": Case(hf.GPT2ForQuestionAnswering, hf.GPT2Config(**GPT)),
}


@dataclass
class Reference:
    case: Case
    model: torch.nn.Module
    folder: object

    def at(self, dtype):
        """The model in another precision; where it forgets to convert its distances, they are."""
        model = deepcopy(self.model).to(dtype)
        if self.family == "xlnet":
            body = getattr(model, "transformer", model)
            encode = body.relative_positional_encoding
            body.relative_positional_encoding = lambda *args, **more: encode(*args, **more).to(dtype)
        return model

    @property
    def family(self):
        return pretrained.LAYOUTS[self.model.config.model_type].family


def make(name, folder):
    """The reference model with every parameter moved, saved to a folder."""
    case = CASES[name]
    case.config._attn_implementation = "eager"
    torch.manual_seed(7)
    model = case.model(case.config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return Reference(case, model, folder)


@pytest.fixture(params=CASES, scope="module")
def reference(request, tmp_path_factory):
    return make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(params=[name for name, case in CASES.items() if case.loss], scope="module")
def learner(request, tmp_path_factory):
    return make(request.param, tmp_path_factory.mktemp(request.param))


@dataclass
class Inputs:
    theirs: dict
    ours: dict
    real: torch.Tensor  # (B, T) bool
    targets: torch.Tensor | None = None  # (B, N) places that the query stream predicts
    more: dict = field(default_factory=dict)


def inputs(reference, dtype) -> Inputs:
    draw = torch.Generator().manual_seed(3)
    # from 2: the references give their padding_idx (0 or 1) no gradient through the input
    ids = torch.randint(2, 60, (4, 11), generator=draw)
    mask = torch.ones(ids.shape, dtype=torch.bool)
    config, way = reference.model.config, reference.case.way
    mask[1, 7:] = False
    if way in ("plain", "left"):
        mask[2, 1:] = False
    if way == "left":
        mask = mask.flip(1)
    pad = 1 if reference.family == "roberta" else 60
    ids = ids.masked_fill(~mask, pad)
    theirs = {"input_ids": ids, "attention_mask": mask.long()}
    ours = {"input_ids": ids, "attention_mask": mask}
    if reference.family != "gpt":
        kinds = getattr(config, "type_vocab_size", 3)
        segments = torch.randint(0, kinds, ids.shape, generator=draw) * mask
        theirs["token_type_ids"] = ours["segment_ids"] = segments
    given = Inputs(theirs, ours, mask)
    if way in ("permuted", "memory"):
        B, T, N = *ids.shape, 4
        rank = torch.stack([torch.randperm(T, generator=draw) for _ in range(B)]) + 100 * ~mask
        visible = rank[:, :, None] > rank[:, None, :]  # each sees what comes before it in the order
        given.targets = torch.where(mask, rank, -1).argsort(1)[:, -N:].sort(1).values  # the last real ones
        theirs["perm_mask"] = (~visible).to(dtype)
        theirs["target_mapping"] = torch.nn.functional.one_hot(given.targets, T).to(dtype)
        ours["visible"] = visible
        ours["queries"] = (torch.arange(B)[:, None] * T + given.targets).flatten()
    if way == "memory":
        mems = [torch.randn(4, 5, 30, generator=draw, dtype=dtype) for _ in range(3)]
        theirs |= {"mems": [m.transpose(0, 1) for m in mems], "use_mems": True}
        ours |= {"memory": mems, "keep": 7}
        if config.bi_data:
            ours["backward"] = torch.tensor([False, False, True, True])
    return given


def ours_of(reference, dtype):
    net, _, _ = pretrained.read(reference.folder)
    return net.to(dtype)


def close(dtype):
    return {"rtol": 0, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1.3e-6, "atol": 1e-5}


def same(mine, other, where, what, dtype):
    torch.testing.assert_close(mine[where], other[where], **close(dtype), msg=lambda m: f"{what}: {m}")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_forward_equals_reference(reference, dtype):
    model, given = reference.at(dtype), inputs(reference, dtype)
    net, real = ours_of(reference, dtype), given.real
    taps = Taps(read=["*"])
    with torch.no_grad():
        theirs = model(**given.theirs, output_hidden_states=True, output_attentions=True)
        out = net(**given.ours, taps=taps)
    values = taps.values
    states, attentions = theirs.hidden_states, theirs.attentions
    inner = getattr(net.config, "n_inner", 1)
    start = "embeddings.projected" if "embeddings.projected" in values else "embeddings.out"
    names = [start, *(f"layers.{i}.out" for i in range(net.config.n_layers * inner))]
    if reference.family in ("gpt", "xlnet"):
        names[-1] = "hidden"  # theirs comes after the last norm or dropout
    if given.targets is not None:  # two streams: states one after the other, attentions side by side
        for name, other in zip(names, states[1::2], strict=True):
            name = re.sub(r"(\w+)$", r"query.\1", name)
            same(values[name], other, ..., name, dtype)
        states = states[::2]
    for name, other in zip(names, states, strict=True):
        same(values[name], other, real, name, dtype)
    for i, other in enumerate(attentions):
        pair = other if given.targets is not None else (other, None)
        layer = f"layers.{i}.attention"
        mine = values[f"{layer}.probs"]
        rows = real[:, None, :, None].expand_as(mine)
        same(mine, pair[0], rows, f"{layer}.probs", dtype)
        if given.targets is not None:
            mine = values[f"{layer}.query.probs"]
            places = given.targets[:, None, :, None].expand_as(mine)
            same(mine, pair[1].gather(2, places), ..., f"{layer}.query.probs", dtype)
    if "memory" in given.ours:
        for i, (mine, other) in enumerate(zip(out.memory, theirs.mems, strict=True)):
            same(mine, other.transpose(0, 1), ..., f"memory {i}", dtype)

    if hasattr(theirs, "start_logits"):
        expected = torch.stack([theirs.start_logits, theirs.end_logits], dim=-1)
        same(out.task_logits, expected, real, "span", dtype)
    elif hasattr(theirs, "prediction_logits"):
        same(out.logits, theirs.prediction_logits, real, "logits", dtype)
        pair = getattr(theirs, "seq_relationship_logits", getattr(theirs, "sop_logits", None))
        same(out.pair_logits, pair, ..., "pair logits", dtype)
    elif hasattr(theirs, "logits"):
        mine = next(x for x in (out.logits, out.pair_logits, out.task_logits) if x is not None)
        if given.targets is not None:
            same(mine, theirs.logits.flatten(0, 1), ..., "logits", dtype)
        else:
            per_token = theirs.logits.shape[:2] == real.shape
            same(mine, theirs.logits, real if per_token else ..., "logits", dtype)
    elif getattr(theirs, "pooler_output", None) is not None:
        same(values["pooled"], theirs.pooler_output, ..., "pooled", dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_losses_and_gradients_equal_reference(learner, dtype):
    """The pre-training losses, as our objectives compute them, and the gradient of every parameter."""
    model, given = learner.at(dtype), inputs(learner, dtype)
    net, real, ids = ours_of(learner, dtype), given.real, given.ours["input_ids"]
    model.zero_grad()
    theirs = their_loss(learner, model, given)
    theirs.backward()
    mine = our_loss(learner, net, given)
    mine.backward()
    torch.testing.assert_close(mine, theirs, **close(dtype))
    grads = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    translated = to_hugging_face(grads, net, pretrained.layout_of(net)[1])
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and name in translated:
            same(translated[name], parameter.grad, ..., f"gradient of {name}", dtype)
    needed = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert needed <= set(translated)
    assert real.any()
    assert ids.shape == real.shape


def chosen(given):
    """(B, T) bool: positions that carry a masked-LM loss."""
    return given.real & (torch.rand(given.real.shape, generator=torch.Generator().manual_seed(5)) < 0.4)


PAIR_LABELS = torch.tensor([0, 1, 1, 0])


def their_loss(reference, model, given):
    """The reference's own loss, but where it drops to float32."""
    ids, real = given.theirs["input_ids"], given.real
    labels = ids.masked_fill(~chosen(given), -100)
    if reference.family == "gpt":
        logits = model(**given.theirs).logits
        labels = ids.masked_fill(~real, -100)
        return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    if reference.family == "xlnet":
        logits = model(**given.theirs).logits
        return cross_entropy(logits.flatten(0, 1), ids.gather(1, given.targets).flatten())
    more = {}
    if reference.case.model is hf.BertForPreTraining:
        more = {"next_sentence_label": PAIR_LABELS}
    if reference.case.model is hf.AlbertForPreTraining:
        more = {"sentence_order_label": PAIR_LABELS}
    if reference.case.model is hf.ElectraForPreTraining:
        logits, labels = model(**given.theirs).logits, chosen(given).to(next(model.parameters()).dtype)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits[real], labels[real])
    return model(**given.theirs, labels=labels, **more).loss


def our_loss(reference, net, given):
    ids, real = given.ours["input_ids"], given.real
    if reference.family == "gpt":
        wanted = real.clone()
        wanted[:, 0] = False
        at, targets = wanted.flatten().nonzero().squeeze(1) - 1, ids[wanted]
        return cross_entropy(net(**given.ours, at=at).logits, targets)
    if reference.family == "xlnet":
        out = net(**given.ours)
        return out.token_loss(ids.gather(1, given.targets).flatten()) / given.targets.numel()
    if "rtd" in net.heads:
        labels = chosen(given).to(next(net.parameters()).dtype)
        logits = net(**given.ours).replaced_logits
        return torch.nn.functional.binary_cross_entropy_with_logits(logits[real], labels[real])
    at = chosen(given).flatten().nonzero().squeeze(1)
    out = net(**given.ours, at=at)
    loss = cross_entropy(out.logits, ids.flatten()[at])
    return loss + cross_entropy(out.pair_logits, PAIR_LABELS) if "pair" in net.heads else loss


def test_saved_folder_reopens_in_the_reference(reference, tmp_path):
    given = inputs(reference, torch.float32)
    net, config, _ = pretrained.read(reference.folder)
    labels = {"id2label": config["id2label"]} if "id2label" in config else {}
    labels |= {"pad_token_id": 60} if reference.family == "gpt" else {}
    pretrained.write(net, tmp_path, labels)
    again, info = type(reference.model).from_pretrained(
        tmp_path, output_loading_info=True, attn_implementation="eager"
    )
    assert not [name for name in info["missing_keys"] if "position_ids" not in name], info
    assert not info["unexpected_keys"]
    if reference.family == "xlnet":  # how the data comes, not what the model is
        getattr(again, "transformer", again).bi_data = reference.model.config.bi_data
    with torch.no_grad():
        before, after = reference.model(**given.theirs), again.eval()(**given.theirs)
    for a, b in zip(before.to_tuple(), after.to_tuple(), strict=False):
        if isinstance(a, torch.Tensor):
            some = given.real if a.dim() == 3 and a.shape[:2] == given.real.shape else ...
            torch.testing.assert_close(a[some], b[some])
