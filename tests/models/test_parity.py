"""Equal to `transformers`: hidden states of every layer, attentions, logits, losses and gradients.

On tiny random configs of odd sizes, every parameter moved off its initial value (zero biases and unit norms
hide mistakes), with padding and segments; in float64 to 1e-10 and in float32 to 1.3e-6 + 1e-5.
"""

import re
from copy import deepcopy

import pytest
import torch
import transformers

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
GPT = {"vocab_size": 61, "n_embd": 30, "n_layer": 3, "n_head": 5, "n_inner": 37, "n_positions": 19}

CASES = {
    "bert-pretraining-erf": (transformers.BertForPreTraining, transformers.BertConfig(**BERT)),
    "bert-pretraining-tanh": (
        transformers.BertForPreTraining,
        transformers.BertConfig(**BERT, hidden_act="gelu_new"),
    ),
    "bert-mlm": (transformers.BertForMaskedLM, transformers.BertConfig(**BERT)),
    "bert-base": (transformers.BertModel, transformers.BertConfig(**BERT)),
    "bert-nsp": (transformers.BertForNextSentencePrediction, transformers.BertConfig(**BERT)),
    "bert-sequence": (
        transformers.BertForSequenceClassification,
        transformers.BertConfig(**BERT, num_labels=4),
    ),
    "bert-token": (transformers.BertForTokenClassification, transformers.BertConfig(**BERT, num_labels=4)),
    "bert-span": (transformers.BertForQuestionAnswering, transformers.BertConfig(**BERT)),
    "gpt2-lm": (transformers.GPT2LMHeadModel, transformers.GPT2Config(**GPT)),
    "gpt2-base": (transformers.GPT2Model, transformers.GPT2Config(**GPT)),
    "gpt2-sequence": (
        transformers.GPT2ForSequenceClassification,
        transformers.GPT2Config(**GPT, num_labels=4, pad_token_id=60),
    ),
    "gpt2-token": (transformers.GPT2ForTokenClassification, transformers.GPT2Config(**GPT, num_labels=4)),
    "gpt2-span": (transformers.GPT2ForQuestionAnswering, transformers.GPT2Config(**GPT)),
}


@pytest.fixture(params=CASES, scope="module")
def reference(request, tmp_path_factory):
    """A reference model with every parameter moved, saved to a folder."""
    cls, config = CASES[request.param]
    config._attn_implementation = "eager"
    torch.manual_seed(7)
    model = cls(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return model, folder


def inputs(model, family):
    # from 1: the reference's BERT gives token 0, its padding_idx, no gradient through the input
    ids = torch.randint(1, 60, (3, 11), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[1, 7:] = mask[2, 1:] = 0
    ids = ids.masked_fill(mask == 0, 60)
    given = {"input_ids": ids, "attention_mask": mask}
    if family == "bert":
        given["token_type_ids"] = (
            torch.randint(0, 3, ids.shape, generator=torch.Generator().manual_seed(4)) * mask
        )
    return given, mask.bool()


def ours_of(folder, given, dtype):
    net, hf, _ = pretrained.read(folder)
    net = net.to(dtype)
    taps = Taps(read=["*"])
    out = net(given["input_ids"], given["attention_mask"].bool(), given.get("token_type_ids"), taps=taps)
    return net, out, taps.values, pretrained.MODEL_TYPES[hf["model_type"]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_forward_equals_reference(reference, dtype):
    model, folder = reference
    model = deepcopy(model).to(dtype)
    given, real = inputs(model, model.config.model_type)
    with torch.no_grad():
        theirs = model(**given, output_hidden_states=True, output_attentions=True)
        _, out, values, family = ours_of(folder, given, dtype)
    close = {"rtol": 0, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1.3e-6, "atol": 1e-5}

    hidden = [values["embeddings.out"], *(values[f"layers.{i}.out"] for i in range(3))]
    if family == "gpt":
        hidden[-1] = values["hidden"]  # theirs comes after the last norm
    for i, (mine, other) in enumerate(zip(hidden, theirs.hidden_states, strict=True)):
        torch.testing.assert_close(
            mine[real], other[real], **close, msg=lambda m, i=i: f"hidden state {i}: {m}"
        )
    for i, other in enumerate(theirs.attentions):
        mine = values[f"layers.{i}.attention.probs"]
        rows = real[:, None, :, None].expand_as(mine)
        torch.testing.assert_close(mine[rows], other[rows], **close, msg=lambda m, i=i: f"attention {i}: {m}")

    if hasattr(theirs, "start_logits"):
        expected = torch.stack([theirs.start_logits, theirs.end_logits], dim=-1)
        torch.testing.assert_close(out.task_logits[real], expected[real], **close)
    elif hasattr(theirs, "prediction_logits"):
        torch.testing.assert_close(out.logits[real], theirs.prediction_logits[real], **close)
        torch.testing.assert_close(out.pair_logits, theirs.seq_relationship_logits, **close)
    elif hasattr(theirs, "logits"):
        mine = next(x for x in (out.logits, out.pair_logits, out.task_logits) if x is not None)
        some = real if mine.dim() == 3 else ...
        torch.testing.assert_close(mine[some], theirs.logits[some], **close)
    elif family == "bert":
        torch.testing.assert_close(values["pooled"], theirs.pooler_output, **close)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    "reference", ["bert-pretraining-erf", "bert-pretraining-tanh", "bert-mlm", "gpt2-lm"], indirect=True
)
def test_losses_and_gradients_equal_reference(reference, dtype):
    """The pre-training losses, as our objectives compute them, and the gradient of every parameter."""
    model, folder = reference
    pairs = isinstance(model, transformers.BertForPreTraining)
    model = deepcopy(model).to(dtype)
    given, real = inputs(model, model.config.model_type)
    net, _, _, family = ours_of(folder, given, dtype)
    ids, mask = given["input_ids"], given["attention_mask"].bool()
    pair_labels = torch.tensor([0, 1, 1])
    if family == "bert":
        chosen = real & (torch.rand(ids.shape, generator=torch.Generator().manual_seed(5)) < 0.4)
        labels = ids.masked_fill(~chosen, -100)
        at, targets = chosen.flatten().nonzero().squeeze(1), ids[chosen]
    else:
        labels = ids.masked_fill(~real, -100)
        wanted = real.clone()
        wanted[:, 0] = False
        at, targets = wanted.flatten().nonzero().squeeze(1) - 1, ids[wanted]
    more = {"next_sentence_label": pair_labels} if pairs else {}
    model.zero_grad()
    result = model(**given, labels=labels, **more)
    theirs = result.loss
    if family == "gpt":  # the reference's own loss drops to float32
        torch.testing.assert_close(
            theirs.double(), _causal_loss(result.logits, labels).double(), rtol=1e-6, atol=0
        )
        theirs = _causal_loss(result.logits, labels)
    theirs.backward()

    out = net(ids, mask, given.get("token_type_ids"), at=at)
    loss = torch.nn.functional.cross_entropy(out.logits, targets)
    if pairs:
        loss = loss + torch.nn.functional.cross_entropy(out.pair_logits, pair_labels)
    loss.backward()
    close = {"rtol": 0, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1.3e-6, "atol": 1e-5}
    torch.testing.assert_close(loss, theirs, **close)
    mine = to_hugging_face({n: p.grad for n, p in net.named_parameters()}, family, 3, None)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            mine[name], parameter.grad, **close, msg=lambda m, n=name: f"gradient of {n}: {m}"
        )


def _causal_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def test_saved_folder_reopens_in_the_reference(reference, tmp_path):
    model, folder = reference
    net, hf, _ = pretrained.read(folder)
    family = pretrained.MODEL_TYPES[hf["model_type"]]
    labels = {"id2label": hf["id2label"]} if "id2label" in hf else {}
    pretrained.write(net, family, tmp_path, labels | ({"pad_token_id": 60} if family == "gpt" else {}))
    again, info = type(model).from_pretrained(tmp_path, output_loading_info=True, attn_implementation="eager")
    assert not any(re.search(r"position_ids", name) is None for name in info["missing_keys"]), info
    assert not info["unexpected_keys"]
    given, real = inputs(model, family)
    with torch.no_grad():
        before, after = model(**given), again.eval()(**given)
    for a, b in zip(before.to_tuple(), after.to_tuple(), strict=False):
        if isinstance(a, torch.Tensor):
            some = real if a.dim() == 3 and a.shape[:2] == real.shape else ...
            torch.testing.assert_close(a[some], b[some])
