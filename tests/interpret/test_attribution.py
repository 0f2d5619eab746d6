"""Attributions: closed-form answers on a linear model, captum called directly, and what they promise."""

import pytest
import torch
from captum.attr import LayerIntegratedGradients

import ptm_explore as ptm
from ptm_explore.interpret.attribution import COMPLETE, METHODS, PERTURBATION
from ptm_explore.interpret.goal import Goal
from ptm_explore.layers.taps import tap
from ptm_explore.models.heads import Output

CLOZE = {
    "bert-mini": ("The dog sat in the [MASK].", None),
    "roberta-mini": ("The dog sat in the <mask>.", None),
    "albert-mini": ("The dog sat in the [MASK].", None),
    "xlnet-mini": ("The dog sat in the <mask>.", None),
    "gpt-mini": ("The dog sat in the", None),
    "electra-mini": ("The dog sat in the old garden.", 3),
}


@pytest.fixture(scope="module")
def bert():
    return ptm.load("bert-mini")


class Linear:
    """A regression whose prediction is a sum over tokens, of one number for each: every answer is known."""

    def __init__(self, like):
        self.tokenizer, self.config, self.family, self.kind = (
            like.tokenizer,
            like.config,
            "bert",
            "regression",
        )
        self.net, self.device, self.encode = like.net, torch.device("cpu"), like.encode
        self.table = torch.randn(like.config.vocab_size, 3, generator=torch.Generator().manual_seed(0))

    def __call__(self, ids, mask=None, segments=None, taps=None):
        embedded = tap(taps, "embeddings.tokens", self.table[ids])
        return Output(embedded, task_logits=embedded.sum((1, 2))[:, None])


@pytest.mark.parametrize(
    "method", ["integrated_gradients", "gradient_shap", "feature_ablation", "shapley_sampling", "kernel_shap"]
)
def test_a_linear_model_has_one_answer(bert, method):
    linear = Linear(bert)
    found = ptm.attribute(linear, "The old dog sleeps.", method=method)
    weights = linear.table.sum(1)
    ids = bert.encode("The old dog sleeps.").ids[0]
    expected = weights[ids] - weights[bert.tokenizer.pad_id]
    expected[[0, -1]] = 0  # special tokens stay
    torch.testing.assert_close(found.scores, expected, atol=0.02 if method == "kernel_shap" else 1e-4, rtol=0)
    assert found.score - found.baseline == pytest.approx(float(expected.sum()), abs=1e-4)


def test_gradients_of_a_linear_model(bert):
    linear = Linear(bert)
    ids = bert.encode("The old dog.").ids[0]
    times = ptm.attribute(linear, "The old dog.", method="input_x_gradient")
    torch.testing.assert_close(times.scores, linear.table[ids].sum(1))
    plain = ptm.attribute(linear, "The old dog.", method="saliency")
    torch.testing.assert_close(plain.scores, torch.full((len(ids),), 3**0.5))


def test_equals_captum_called_directly(bert):
    text, steps = "The dog sat in the [MASK].", 30
    found = ptm.attribute(bert, text, steps=steps)
    tokens = bert.encode(text)
    at = int(tokens.ids[0].eq(bert.tokenizer.mask_id).nonzero())
    best = int(bert(tokens.ids).logits[0, at].argmax())
    fixed = tokens.special | tokens.ids.eq(bert.tokenizer.mask_id)
    nothing = torch.where(fixed, tokens.ids, bert.tokenizer.pad_id)
    run = LayerIntegratedGradients(lambda ids: bert(ids).logits[:, at, best], bert.body.embeddings.tokens)
    direct = run.attribute(tokens.ids, nothing, n_steps=steps)[0].sum(-1).float()
    torch.testing.assert_close(found.scores, direct, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CLOZE)
def test_integrated_gradients_are_complete_in_every_family(name):
    text, target = CLOZE[name]
    found = ptm.attribute(ptm.load(name), text, target=target, steps=100)
    assert abs(found.delta) < 0.01 * abs(found.score - found.baseline) + 1e-3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["bert-mini", "gpt-mini", "xlnet-mini"])
def test_every_method_scores_every_token(name, method):
    m, (text, target) = ptm.load(name), CLOZE[name]
    found = ptm.attribute(m, text, target=target, method=method, steps=5)
    assert len(found.scores) == len(found.tokens) == len(m.encode(text).tokens[0])
    assert torch.isfinite(found.scores).all()
    assert (found.delta is None) == (method not in COMPLETE)
    for group, word in zip(found.groups, found.word_scores, strict=True):
        assert float(word) == pytest.approx(float(found.scores[group].sum()), abs=1e-5)
    if method in PERTURBATION:
        assert all(score == 0 for score, fixed in zip(found.scores, found.special, strict=True) if fixed)
    again = ptm.attribute(m, text, target=target, method=method, steps=5)
    torch.testing.assert_close(found.scores, again.scores)


def test_at_a_layer(bert):
    text, _ = CLOZE["bert-mini"]
    found = ptm.attribute(bert, text, at="layers.0.out", steps=100)
    assert abs(found.delta) < 0.01 * abs(found.score - found.baseline) + 1e-3
    with pytest.raises(ptm.PtmError, match=r"no activation 'layers\.9\.out'"):
        ptm.attribute(bert, text, at="layers.9.out")


def test_what_decides_a_prediction_is_found(bert):
    """Without "fish" the mask is hardly predicted as it was: ablation says so, and Shapley agrees."""
    text = "He took the boat to the [MASK] to catch fish."
    ablated = ptm.attribute(bert, text, target="river", method="feature_ablation")
    ids = bert.encode(text).ids
    for place in (3, 4):
        changed = ids.clone()
        changed[0, place] = bert.tokenizer.pad_id
        at = int(ids[0].eq(bert.tokenizer.mask_id).nonzero())
        river = bert.tokenizer.id("river")
        with torch.no_grad():
            drop = bert(ids).logits[0, at, river] - bert(changed).logits[0, at, river]
        assert float(ablated.scores[place]) == pytest.approx(float(drop), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sentiment", "similarity", "entities", "question"])
def test_every_kind_of_classifier(name):
    task = ptm.task(f"world:{name}")
    clf = ptm.finetune(ptm.load("bert-mini"), task, budget="1steps")
    text, pair = task.test[0].text, task.test[0].pair
    for method in ("integrated_gradients", "attention_x_gradient", "feature_ablation"):
        found = ptm.attribute(clf, text, pair, method=method)
        assert found.target
        assert len(found.scores) == len(clf.encode(text, pair).tokens[0])
        if found.delta is not None:
            assert abs(found.delta) < 0.01 * abs(found.score - found.baseline) + 1e-2
    if clf.kind == "classification":
        own = ptm.attribute(clf, text, pair, target=clf.labels[1], method="feature_ablation")
        ids = clf.encode(text, pair)
        assert own.score == pytest.approx(float(clf(ids.ids).task_logits[0, 1]), abs=1e-4)
        with pytest.raises(ptm.PtmError, match="unknown label 'neutral'"):
            ptm.attribute(clf, text, pair, target="neutral")
    if clf.kind == "tagging":
        tag = ptm.attribute(clf, text, target=(2, clf.labels[0]), method="saliency")
        assert repr(clf.labels[0]) in tag.target
        with pytest.raises(ptm.PtmError, match="no word 999; words are counted from 0 to"):
            ptm.attribute(clf, text, target=(999, clf.labels[0]))


def test_a_mask_is_a_mask_in_every_family():
    for name in ("roberta-mini", "xlnet-mini", "albert-mini"):
        m = ptm.load(name)
        own = CLOZE["bert-mini"][0].replace("[MASK]", m.tokenizer.mask_token)
        assert m.encode(CLOZE["bert-mini"][0]).ids.tolist() == m.encode(own).ids.tolist()
        assert "position" in ptm.attribute(m, CLOZE["bert-mini"][0], method="saliency").target


def test_a_classifier_is_explained_on_what_it_reads():
    """GPT parts two texts by its end of text, here as in training; long texts are cut as in training."""
    task = ptm.task("world:choice", show=False)
    clf = ptm.finetune(ptm.load("gpt-mini"), task, budget="2steps", length=64, show=False)
    for example in task.test[:3]:
        goal = Goal(clf, example.text, example.pair)
        said = clf.predict([example])[0]
        assert float(goal.chance()) == pytest.approx(said.probability, abs=1e-4)
    with pytest.warns(UserWarning, match="cut to fit max_len=64"):
        assert clf.encode("dog " * 200).ids.shape == (1, 64)


def test_a_part_of_a_trace_is_not_taken_for_another(bert):
    part = ptm.trace(bert, "A dog.", read=["layers.1.*"])
    with pytest.raises(ptm.PtmError, match=r"this trace holds .*; all are needed"):
        ptm.figures.heatmap(part, layer=0, head=0)
    with pytest.raises(ptm.PtmError, match="holds none"):
        _ = ptm.trace(bert, "A dog.", read=["hidden"]).attention


def test_bad_input(bert):
    text, _ = CLOZE["bert-mini"]
    for wrong, message in (
        ({"method": "integrated"}, "unknown attribution method 'integrated'"),
        ({"baseline": "zero"}, "unknown baseline 'zero'"),
        ({"target": (99, "dog")}, "position 99 does not exist: this text has tokens 0 to"),
        ({"target": "no such token"}, "not one token of this vocabulary"),
        ({"target": [6, "park"]}, "not one token of this vocabulary"),
        ({"target": (1, 2, 3)}, "not one token of this vocabulary"),
        ({"target": (True, "dog")}, "position True does not exist"),
        ({"steps": 0}, "steps=0: give a whole number"),
        ({"at": "layers.0.attention.probs"}, "a state for each token"),
    ):
        with pytest.raises(ptm.PtmError, match=message):
            ptm.attribute(bert, text, **wrong)
    with pytest.raises(ptm.PtmError, match=r"write \[MASK\]"):
        ptm.attribute(bert, "No mask here.")
    with pytest.raises(ptm.PtmError, match="its own baseline"):
        ptm.attribute(bert, "[MASK]")
