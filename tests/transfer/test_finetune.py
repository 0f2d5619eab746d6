"""Fine-tuning learns, reproduces itself and resumes; a saved classifier says what it said before."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

import ptm_explore as ptm
from ptm_explore.classifier import Classifier
from ptm_explore.errors import PtmError
from ptm_explore.model import Model
from ptm_explore.models.recipes import build
from ptm_explore.text.tasks import Example, task
from ptm_explore.transfer import finetune as finetuning
from ptm_explore.transfer.finetune import finetune
from tests import tiny

FAMILIES = {
    "bert": ("bert", "wordpiece", 120),
    "roberta": ("roberta", "bpe", 300),
    "albert": ("albert", "unigram", 120),
    "electra": ("bert", "wordpiece", 120),
    "xlnet": ("xlnet", "unigram", 120),
    "gpt": ("gpt2", "bpe", 300),
}
HEADS = {
    "bert": ("mlm", "pair"),
    "albert": ("mlm", "pair"),
    "roberta": ("mlm",),
    "electra": ("rtd", "generator"),
}
NOUNS, VERBS = ("cat", "dog", "house", "tree", "boat"), ("runs", "sleeps", "sings", "builds")


def pretrained(family):
    style, kind, size = FAMILIES[family]
    tok = tiny.tokenizer(style, kind, size)
    # no dropout, and weights that are not small: words get through a body that was never trained
    sizes = {"d_model": 32, "n_layers": 1, "n_heads": 2, "d_ff": 64, "max_len": 64, "init_std": 0.15}
    sizes |= {"vocab_size": tok.vocab_size, "dropout": 0.0, "attention_dropout": 0.0}
    config = replace(ptm.recipe(f"{family}-mini").config, **sizes)
    return Model(build(family, config, HEADS.get(family, ("lm",)), seed=0), tok)


def sentence(rng):
    return f"the {rng.choice(['old', 'new', 'red'])} {rng.choice(NOUNS)} {rng.choice(VERBS)}"


def rows(kind, n=240, seed=0):
    """Tasks that a tiny model learns in a few steps: each answer is said by one word."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        text = sentence(rng)
        words = text.split()
        if kind == "classification":
            yield {"text": text, "label": words[3]}
        elif kind == "pairs":
            other = sentence(rng)
            yield {"sentence1": text, "sentence2": other, "label": other.split()[3]}
        elif kind == "regression":
            yield {"text": text, "score": 1.5 if words[1] == "red" else 0.5 if words[1] == "old" else 0.0}
        elif kind == "tagging":
            tags = ["B-THING" if w in NOUNS else "O" for w in words]
            yield {"tokens": words, "tags": tags}
        else:
            where = {"text": [words[2]], "answer_start": [text.index(words[2])]}
            yield {"question": "the house", "context": text, "answers": where}


@pytest.fixture
def data(tmp_path):
    def make(kind):
        file = tmp_path / f"{kind}.jsonl"
        splits = ["train"] * 180 + ["dev"] * 30 + ["test"] * 30
        lines = (json.dumps(row | {"split": split}) for row, split in zip(rows(kind), splits, strict=True))
        file.write_text("\n".join(lines))
        return task(file, show=False)

    return make


def trained(model, data, budget="100steps", **settings):
    return finetune(model, data, budget, show=False, **{"lr": 3e-3, "length": 32, **settings})


def everything(kinds):
    """All families with all kinds of tasks; most of them among the slow tests."""
    for number, family in enumerate(FAMILIES):
        for place, kind in enumerate(kinds):
            quick = family == "bert" or place == number % len(kinds)
            yield pytest.param(family, kind, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(
    ("family", "kind"), everything(["classification", "pairs", "regression", "tagging", "span"])
)
def test_every_family_learns_every_kind_of_task(family, data, kind):
    t = data(kind)
    clf = trained(pretrained(family), t)
    found = clf.evaluate("test")
    assert found.value > max(0.9, t.majority.value + 0.1)
    assert found.low <= found.value <= found.high
    assert clf.history[-1]["heldout_loss"] < clf.history[0]["heldout_loss"]


class TestTwice:
    def test_the_same_seed_gives_the_same_classifier(self, data):
        one, same, other = (
            trained(pretrained("bert"), data("classification"), "8steps", seed=s) for s in (0, 0, 1)
        )
        weights = [clf.net.task_head.weight for clf in (one, same, other)]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])

    def test_the_model_stays_as_it_was(self, data):
        m = pretrained("bert")
        before = {name: tensor.clone() for name, tensor in m.net.state_dict().items()}
        trained(m, data("classification"), "8steps")
        assert all(torch.equal(before[name], tensor) for name, tensor in m.net.state_dict().items())
        assert m.net.task is None

    def test_it_starts_from_the_body_and_a_frozen_one_stays(self, data):
        m = pretrained("bert")
        clf = trained(m, data("classification"), "8steps", train="head")
        body, head = m.body.state_dict(), clf.net.task_head.weight
        assert all(torch.equal(body[name], tensor) for name, tensor in clf.body.state_dict().items())
        moved = trained(m, data("classification"), "8steps")
        assert any(not torch.equal(body[name], tensor) for name, tensor in moved.body.state_dict().items())
        assert not torch.equal(head, moved.net.task_head.weight)
        assert all(parameter.requires_grad for parameter in clf.net.parameters())

    def test_a_killed_run_goes_on_where_it_was(self, data, tmp_path, monkeypatch):
        t, take = data("tagging"), finetuning.Examples.take
        whole = trained(pretrained("bert"), t, "12steps")

        def killed(examples, n):
            if examples.position["seen"] >= 7 * n:
                raise RuntimeError("killed")
            return take(examples, n)

        monkeypatch.setattr(finetuning.Examples, "take", killed)
        with pytest.raises(RuntimeError, match="killed"):
            trained(pretrained("bert"), t, "12steps", out=tmp_path, save_every=3)
        monkeypatch.undo()
        resumed = trained(pretrained("bert"), t, "12steps", out=tmp_path, resume=True)
        assert torch.equal(whole.net.task_head.weight, resumed.net.task_head.weight)
        with pytest.raises(PtmError, match="was trained with seed 0, this run has 1"):
            trained(pretrained("bert"), t, "12steps", out=tmp_path, resume=True, seed=1)


class TestSaved:
    @pytest.mark.parametrize(
        ("family", "kind"), everything(["classification", "regression", "tagging", "span"])
    )
    def test_a_loaded_classifier_says_the_same(self, family, data, kind, tmp_path):
        t = data(kind)
        clf = trained(pretrained(family), t, "10steps")
        clf.save(tmp_path / "clf")
        again = ptm.load(tmp_path / "clf")
        assert isinstance(again, Classifier)
        assert (again.kind, again.labels, again.length) == (clf.kind, clf.labels, clf.length)
        for one, other in zip(clf.predict(t.test), again.predict(t.test), strict=True):
            assert (
                one.label == pytest.approx(other.label) if kind == "regression" else one.label == other.label
            )
        assert again.evaluate(t.test) == clf.evaluate("test")
        with pytest.raises(PtmError, match="a loaded classifier knows no task"):
            again.evaluate("test")

    def test_transformers_opens_it_with_the_names_of_the_labels(self, data, tmp_path):
        clf = trained(pretrained("bert"), data("classification"), "10steps")
        clf.save(tmp_path / "clf")
        theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "clf")
        assert (
            tuple(theirs.config.id2label[i] for i in range(4))
            == clf.labels
            == ("builds", "runs", "sings", "sleeps")
        )
        assert theirs.config.problem_type == "single_label_classification"
        ids = clf.encode("the old cat sings").ids
        ours = clf.predict("the old cat sings")[0].probabilities
        expected = theirs(ids).logits.softmax(-1)[0].tolist()
        assert list(ours.values()) == pytest.approx(expected, abs=1e-5)


class TestPredict:
    def test_classes_with_their_probabilities(self, data):
        clf = trained(pretrained("bert"), data("classification"))
        (one, other) = clf.predict(["the old cat sings", "the new boat runs"])
        assert (one.label, other.label) == ("sings", "runs")
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.probability == max(one.probabilities.values())

    def test_tags_of_the_words_of_any_text(self, data):
        clf = trained(pretrained("bert"), data("tagging"))
        (found,) = clf.predict("the red boat, sleeps")
        assert found.label == ("O", "O", "B-THING", "O", "O")
        assert found.words == ((0, 3), (4, 7), (8, 12), (12, 13), (14, 20))
        assert all(0 < chance <= 1 for chance in found.probability)

    def test_an_answer_and_where_it_stands(self, data):
        clf = trained(pretrained("bert"), data("span"))
        text = "the red boat sleeps"
        (found,) = clf.predict("the house", text)
        assert found.label == "boat"
        assert found.words == ((8, 12),)
        assert 0 < found.probability <= 1

    def test_windows_of_a_long_text_are_joined(self, data, monkeypatch):
        """With a network that knows the words of its window, whichever window that is."""
        text = "sings sleeps runs " * 20 + "the red boat sleeps " + "builds runs " * 20
        for kind in ("span", "tagging"):
            clf = trained(pretrained("bert"), data(kind), "1steps", length=16)

            def judged(windows, kind=kind):
                for window in windows:
                    spans = window.spans.tolist()
                    boat = torch.tensor([3.0 if text[a:b] == "boat" else 0.0 for a, b in spans])
                    logits = torch.zeros(len(window.row.ids), 2)
                    inside = slice(window.first, window.first + len(spans))
                    logits[inside, 0] = boat
                    logits[inside, 1] = boat if kind == "span" else 1.0
                    yield logits

            monkeypatch.setattr(clf, "_logits_of", lambda windows: list(judged(windows)))
            if kind == "span":
                (found,) = clf.predict("the house", text)
                assert text[slice(*found.words[0])] == found.label == "boat"
            else:
                (found,) = clf.predict(text)
                words = [text[a:b] for a, b in found.words]
                assert found.label == tuple("B-THING" if word == "boat" else "O" for word in words)

    def test_an_answer_is_never_longer_than_thirty_tokens_nor_turned_round(self, data, monkeypatch):
        clf = trained(pretrained("bert"), data("span"), "1steps", length=64)
        text = " ".join(["the red boat sleeps"] * 12)

        def judged(windows):
            logits = torch.zeros(len(windows[0].row.ids), 2)
            first = windows[0].first
            logits[first + 5, 0], logits[first + 2, 1], logits[first + 36, 1] = 9, 9, 8  # before it, too far
            logits[first + 8, 1] = 2
            return [logits]

        monkeypatch.setattr(clf, "_logits_of", judged)
        assert clf.predict("the house", text)[0].label == "red boat sleeps the"

    def test_batches_do_not_matter(self, data):
        t = data("classification")
        clf = trained(pretrained("bert"), t, "10steps")
        alone = [clf.predict(example.text)[0].probability for example in t.test[:5]]
        assert [found.probability for found in clf.predict(t.test)][:5] == pytest.approx(alone, abs=1e-6)

    @pytest.mark.parametrize(
        ("texts", "pairs", "message"),
        [
            ([], None, "0 texts and 0 pairs"),
            (["a"], ["b", "c"], "1 texts and 2 pairs"),
            (["a", " "], None, "text 1 is ' '"),
            ([3], None, "text 0 is 3"),
        ],
    )
    def test_bad_input(self, data, texts, pairs, message):
        clf = trained(pretrained("bert"), data("classification"), "1steps")
        with pytest.raises(PtmError, match=message):
            clf.predict(texts, pairs)

    def test_a_question_wants_a_text(self, data):
        clf = trained(pretrained("bert"), data("span"), "1steps")
        with pytest.raises(PtmError, match="pair 0 is None"):
            clf.predict("who runs")


class TestBadInput:
    def test_settings(self, data):
        m, t = pretrained("bert"), data("classification")
        with pytest.raises(PtmError, match="unknown part to train, train = 'body'"):
            trained(m, t, train="body")
        with pytest.raises(PtmError, match="unknown setting 'learning_rate'"):
            trained(m, t, learning_rate=3)
        with pytest.raises(PtmError, match="this model reads 1 to 64 tokens"):
            trained(m, t, length=65)
        with pytest.raises(PtmError, match="'5 parsecs' is not a budget"):
            trained(m, t, "5 parsecs")
        with pytest.raises(PtmError, match="'0epochs' is not a budget"):
            trained(m, t, "0epochs")

    def test_what_cannot_be_learnt_from(self, tmp_path):
        (tmp_path / "pairs.jsonl").write_text('{"sentence_good": "a b", "sentence_bad": "b a"}')
        with pytest.raises(PtmError, match="for judging models as they are"):
            trained(pretrained("bert"), task(tmp_path / "pairs.jsonl", show=False))
        (tmp_path / "test.jsonl").write_text('{"text": "a b", "label": "x", "split": "test"}')
        with pytest.raises(PtmError, match="has no split 'train'; it has test"):
            trained(pretrained("bert"), task(tmp_path / "test.jsonl", show=False))


def test_epochs_are_steps(data):
    clf = trained(pretrained("bert"), data("classification"), "2epochs")
    assert clf.history[-1]["step"] == 12  # 2 * 180 / 32, rounded up
    assert clf.evaluate([Example("the old cat sings", label="sings")]).n == 1
