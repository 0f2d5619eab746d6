"""Every checker accepts the right answer and names each mistake it knows."""

import math

import pytest
import torch

from ptm_explore import exercises
from ptm_explore.errors import PtmError
from tests.exercises import ch00b, ch01, ch05, ch06, ch07, ch08, ch09, ch10, ch11, ch12


def softmax(x, dim=-1):
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


def attention(q, k, v):
    return softmax(q @ k.transpose(-1, -2) / math.sqrt(q.size(-1))) @ v


def unigram(counts):
    p = counts / counts.sum()
    return p.max().item(), -torch.xlogy(p, p).sum()


def mask_8010(ids, special, rate, mask_id, vocab_size, generator, split=lambda u, _: (u < 0.8, u >= 0.9)):
    """`split(u, draw)` says which chosen tokens are masked and which kept; the others become random."""
    draw = lambda: torch.rand(ids.shape, generator=generator)  # noqa: E731
    chosen = (draw() < rate) & ~special
    masked, kept = split(draw(), draw)
    random = torch.randint(vocab_size, ids.shape, generator=generator)
    shown = torch.where(masked, mask_id, torch.where(kept, ids, random))
    return torch.where(chosen, shown, ids), torch.where(chosen, ids, -100)


def changed(change):
    """A checker's answer that calls the right one and spoils arguments or result."""
    return lambda *a: change(*mask_8010(*a), *a)


def in_place(ids, *rest):
    inputs, targets = mask_8010(ids, *rest)
    ids.copy_(inputs)
    return ids, targets


RIGHT = {
    "00.mask": "The cat [MASK] on the mat.",
    "00.unigram": unigram,
    "02.softmax": softmax,
    "02.attention": attention,
    "02.causal": lambda T: torch.ones(T, T).tril().bool(),
    "03.shift": lambda ids: (ids[:, :-1], ids[:, 1:]),
    "03.perplexity": math.exp,
    "03.temperature": lambda logits, t: (logits / t).softmax(-1),
    "04.mask_8010": mask_8010,
    "04.parameters": 109_482_240,
}
LATER = (ch00b, ch01, ch05, ch06, ch07, ch08, ch09, ch10, ch11, ch12)
for chapter in LATER:
    RIGHT |= chapter.RIGHT
ALSO_RIGHT = [right for chapter in LATER for right in getattr(chapter, "ALSO_RIGHT", [])]


def test_all_exercises_are_here():
    assert exercises.names() == sorted(RIGHT)
    assert all(exercises.hint(name) for name in RIGHT)


@pytest.mark.parametrize(("name", "answer"), [*RIGHT.items(), *ALSO_RIGHT])
def test_right_answer(name, answer):
    feedback = exercises.check(name, answer)
    assert feedback.ok, feedback
    assert repr(feedback).startswith("✓")


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [
        ("00.mask", 5, "quotes"),
        ("00.mask", "The cat sat.", "where is the blank"),
        ("00.mask", "The cat <mask> there.", "exactly [MASK]"),
        ("00.mask", "The [MASK] sat on the [MASK].", "2 masks"),
        ("00.mask", " [MASK] .", "words around"),
        ("00.unigram", lambda c: c.max() / c.sum(), "return two things"),
        ("00.unigram", lambda c: (100 * unigram(c)[0], unigram(c)[1]), "50 %"),
        ("00.unigram", lambda c: (1 / len(c), unigram(c)[1]), "1/V"),
        ("00.unigram", lambda c: (((c / c.sum()) ** 2).sum(), unigram(c)[1]), "at random, with p"),
        ("00.unigram", lambda c: (unigram(c)[0], unigram(c)[1] / math.log(2)), "in bits"),
        ("00.unigram", lambda c: (unigram(c)[0], -unigram(c)[1]), "minus sign"),
        ("00.unigram", lambda c: (unigram(c)[0], -math.log(unigram(c)[0])), "alone"),
        ("00.unigram", lambda c: (unigram(c)[0], -(c / c.sum()).log().mean()), "weigh"),
        ("00.unigram", lambda c: (unigram(c)[0], math.log(len(c))), "log V"),
        ("00.unigram", lambda c: (unigram(c)[0], -(c / c.sum() * (c / c.sum()).log()).sum()), "never occurs"),
        ("02.softmax", lambda x: x.exp(), "normalise"),
        ("02.softmax", lambda x: softmax(x, 1), "not -2"),
        ("02.softmax", lambda x: softmax(x, 0), "not 0"),
        ("02.softmax", lambda x: x.exp() / x.exp().sum(), "whole tensor"),
        ("02.softmax", lambda x: x / x.sum(-1, keepdim=True), "without exponentiating"),
        ("02.softmax", lambda x: x.exp() / x.exp().sum(-1, keepdim=True), "subtract the maximum"),
        ("02.softmax", lambda x: (e := (x - x.max()).exp()) / e.sum(-1, keepdim=True), "own maximum"),
        ("02.softmax", lambda x: None, "return"),
        ("02.softmax", lambda x: "weights", "should be numbers"),
        ("02.softmax", softmax(torch.zeros(2)), "give a function"),
        ("02.softmax", lambda x: x.softmax(-1)[0], "shape"),
        ("02.softmax", lambda x: x.softmax(-1) * 1.1, "furthest off"),
        ("02.softmax", lambda x: x.nonsense(), "AttributeError"),
        ("02.attention", lambda q, k, v: softmax(q @ k.mT) @ v, "forget to scale by the square root"),
        ("02.attention", lambda q, k, v: softmax(q @ k.mT / q.size(-1)) @ v, "divide by K"),
        ("02.attention", lambda q, k, v: softmax(q @ k.mT * q.size(-1) ** 0.5) @ v, "multiply"),
        ("02.attention", lambda q, k, v: softmax(q @ k.mT / q.size(-2) ** 0.5) @ v, "root of T"),
        ("02.attention", lambda q, k, v: softmax(q @ k.mT / 2, -2) @ v, "which dimension is the softmax"),
        ("02.attention", lambda q, k, v: attention(k, q, v), "swap q and k"),
        ("02.attention", lambda q, k, v: softmax(q @ k.mT / 2), "forget v"),
        ("02.attention", lambda q, k, v: q @ k.mT / 2 @ v, "forget the softmax"),
        ("02.causal", lambda T: torch.ones(T, T).triu(1).bool(), "inverted"),
        ("02.causal", lambda T: torch.ones(T, T).triu().bool(), "upper triangle"),
        ("02.causal", lambda T: torch.ones(T, T).tril(-1).bool(), "diagonal"),
        ("02.causal", lambda T: torch.ones(T, T).bool(), "Nothing is masked"),
        ("02.causal", lambda T: torch.ones(T, T).tril(), "boolean"),
        ("03.shift", lambda ids: (ids, ids), "shift the targets"),
        ("03.shift", lambda ids: (ids[:, :-1], ids[:, :-1]), "shift the targets"),
        ("03.shift", lambda ids: (ids[:, 1:], ids[:, :-1]), "wrong way"),
        ("03.shift", lambda ids: (ids, ids[:, 1:]), "lengths fit? The last"),
        ("03.shift", lambda ids: (ids[:, :-1], ids), "lengths fit? The first"),
        ("03.shift", lambda ids: (ids, ids.roll(-1, 1)), "roll"),
        ("03.shift", lambda ids: (ids[:-1], ids[1:]), "along the batch"),
        ("03.shift", lambda ids: ids[:, 1:], "return two things"),
        ("03.shift", lambda ids: (None, ids), "return"),
        ("03.perplexity", lambda loss: 2**loss, "in bits"),
        ("03.perplexity", lambda loss: 10**loss, "10 the base"),
        ("03.perplexity", lambda loss: math.exp(-loss), "sign"),
        ("03.perplexity", math.log, "logarithm once more"),
        ("03.perplexity", lambda loss: loss, "still the loss"),
        ("03.temperature", lambda x, t: (x * t).softmax(-1), "multiply by the temperature"),
        ("03.temperature", lambda x, t: x.softmax(-1) / t, "after the softmax"),
        ("03.temperature", lambda x, t: x.softmax(-1) * t, "multiply after the softmax"),
        ("03.temperature", lambda x, t: x.softmax(-1), "use the temperature"),
        ("03.temperature", lambda x, t: x / t, "forget the softmax"),
        ("03.temperature", lambda x, t: (x / t).softmax(0), "which dimension"),
        ("04.parameters", "110M", "whole number"),
        ("04.parameters", True, "whole number"),
        ("04.parameters", 109.5, "whole number"),
        ("04.parameters", math.inf, "OverflowError"),
        ("04.parameters", 110_000_000, "rounded"),
        ("04.parameters", 109_482_240 - 512 * 768, "the position table"),
        ("04.parameters", 109_482_240 - 590_592, "the pooler"),
        ("04.parameters", 109_482_240 - 1536, "token types (segments) or the LayerNorm of the embeddings"),
        ("04.parameters", 109_482_240 - 36_864, "the LayerNorms of the layers"),
        ("04.parameters", 109_482_240 - 82_944, "biases of attention and the biases of the feed-forward"),
        ("04.parameters", 109_482_240 + 12_345, "too many"),
        ("04.parameters", 109_482_240 + 768 * 768 + 3 * 768 + 30522, "head counted"),
        ("04.parameters", 12_345, "too few"),
        *(wrong for chapter in LATER for wrong in chapter.WRONG),
    ],
)
def test_mistakes_are_named(name, answer, says):
    feedback = exercises.check(name, answer)
    assert not feedback.ok
    assert not feedback
    assert says in feedback.message
    assert repr(feedback).startswith("✗")
    assert feedback.message in feedback._repr_markdown_()


ALONE = torch.tensor(True), torch.tensor(False)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda *a: mask_8010(*a, lambda u, _: ALONE), "every chosen token"),
        (lambda *a: mask_8010(*a, lambda u, _: (u < 0.8, u >= 0.8)), "random tokens missing"),
        (lambda *a: mask_8010(*a, lambda u, d: (u < 0.8, d() >= 0.1)), "remaining 20 %"),
        (lambda *a: mask_8010(*a, lambda u, d: ((u > 0.1) & (d() > 0.1), u <= 0.1)), "81/9/10"),
        (lambda *a: mask_8010(*a, lambda u, d: ((u > 0.1) & (w := d() > 0.1), (u > 0.1) & ~w)), "81/9/10"),
        (lambda *a: mask_8010(*a, lambda u, _: (u < 0.5, u >= 0.75)), "came out as"),
        (in_place, "in place"),
        (changed(lambda x, y, ids, *_: (x, ids)), "targets everywhere"),
        (changed(lambda x, y, *_: (x, torch.full_like(y, -100))), "nothing chosen"),
        (changed(lambda x, y, *_: (x, torch.where(y < 0, y, x))), "original tokens"),
        (changed(lambda x, y, *_: (torch.where(y < 0, x + 1, x), y)), "no target"),
        (changed(lambda x, y, *_: (torch.where((y > 0) & (x != 4), 1000, x), y)), "in the vocabulary"),
        (changed(lambda x, y, *_: (x[0], y)), "shape"),
        (lambda ids, special, *a: mask_8010(ids, special & False, *a), "special tokens"),
        (lambda ids, special, rate, *a: mask_8010(ids, special, 0.15, *a), "rate used"),
        (lambda *a: mask_8010(*a[:5], torch.default_generator), "generator"),
    ],
)
def test_mask_8010_mistakes(answer, says):
    feedback = exercises.check("04.mask_8010", answer)
    assert not feedback.ok
    assert says in feedback.message


def test_unknown_exercise_names_the_nearest():
    with pytest.raises(PtmError, match=r"Did you mean '02\.softmax'"):
        exercises.check("02.softmx", softmax)
    with pytest.raises(PtmError, match="unknown exercise"):
        exercises.hint("99")


def test_parameters_of_bert_base_agree_with_a_real_one():
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        model = transformers.BertModel(transformers.BertConfig())
    assert sum(p.numel() for p in model.parameters()) == RIGHT["04.parameters"]
