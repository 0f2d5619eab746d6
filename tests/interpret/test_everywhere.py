"""Every way of looking inside, on every kind of model: shipped minis, random checkpoints of transformers in
all six families, and published weights."""

import numpy as np
import pytest
import transformers as hf

import ptm_explore as ptm
from ptm_explore.interpret import concepts, heads
from ptm_explore.interpret.lens import lens
from ptm_explore.interpret.patching import ablate_heads, patch
from ptm_explore.interpret.probing import probe
from ptm_explore.text.trees import trees

TINY = {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 80}
SMALL = TINY | {"hidden_size": 16, "intermediate_size": 24}
CHECKPOINTS = {
    "bert": (hf.BertForMaskedLM, hf.BertConfig, SMALL),
    "gpt": (hf.GPT2LMHeadModel, hf.GPT2Config, {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 80}),
    "roberta": (hf.RobertaForMaskedLM, hf.RobertaConfig, SMALL),
    "albert": (hf.AlbertForMaskedLM, hf.AlbertConfig, SMALL | {"embedding_size": 8}),
    "electra": (hf.ElectraForPreTraining, hf.ElectraConfig, SMALL | {"embedding_size": 8}),
    "xlnet": (hf.XLNetLMHeadModel, hf.XLNetConfig, {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24}),
}
MINIS = [f"{family}-mini" for family in CHECKPOINTS]


@pytest.fixture(scope="module", params=[*MINIS, *CHECKPOINTS, "minilm"])
def model(request, tmp_path_factory):
    """A shipped mini; a random checkpoint that transformers wrote, with the mini's tokenizer; or the weights
    of all-MiniLM-L6-v2, which has no head."""
    if request.param in MINIS:
        return ptm.load(request.param)
    if request.param == "minilm":
        return ptm.load(request.getfixturevalue("minilm"))
    network, config, sizes = CHECKPOINTS[request.param]
    tokenizer = ptm.load(f"{request.param}-mini").tokenizer
    special = {"pad_token_id": tokenizer.pad_id if tokenizer.pad_id is not None else 0}
    folder = tmp_path_factory.mktemp(request.param)
    network(config(vocab_size=tokenizer.vocab_size, **sizes, **special)).save_pretrained(folder)
    tokenizer.save(folder)
    return ptm.load(folder)


def has_head(model):
    return bool({"mlm", "lm", "rtd"} & set(model.net.heads))


def text_of(model, name="Anna"):
    if model.family in ("gpt", "electra"):
        return f"{name} went home and slept in the"
    mask = model.tokenizer.token(model.tokenizer.mask_id)
    return f"{name} went home and {mask} slept."


def test_what_needs_no_head(model):
    text, L, H = "Anna went home.", model.config.n_layers, model.config.n_heads
    sentences = trees("world", 20)
    written = [tree.text for tree in sentences]
    assert heads.statistics(model, written[:3]).shape == (L * H, 8)
    assert np.isfinite(heads.likeness(model, written[:2]).values).all()
    assert "score" in heads.relations(model, sentences, least=6)
    assert probe(model, sentences, "tags").scores.values.shape == (L + 1, 3, 3)
    assert np.isfinite(concepts.compare_layers(model, model, written[:6]).values).all()
    widget = ptm.explore(model, text)
    assert widget.frame["layers"] == L
    assert len(widget.maps[0]) == H * len(widget.frame["tokens"]) ** 2 * widget.frame["bytes"]
    widget.asked = [0, 0, 1, 1]
    assert widget.error == ""
    assert widget.answer["products"]


def test_what_needs_a_head(model):
    text, L = text_of(model), model.config.n_layers
    if not has_head(model):
        for call in (ptm.attribute, lens, patch):
            with pytest.raises(ptm.PtmError, match="no head"):
                call(model, text)
        return
    found = ptm.attribute(model, text, method="input_x_gradient")
    assert np.isfinite(found.scores).all()
    assert np.isfinite(found.comprehensiveness)
    assert lens(model, text).values.shape[0] == L + 1
    assert patch(model, text, part="attention.out").values.shape[0] == L
    assert ablate_heads(model, [text]).values.shape == (L, model.config.n_heads, 3)
    trusted = ptm.faithfulness(model, [text], ["saliency", "random"])
    assert np.isfinite(trusted.values).all()
