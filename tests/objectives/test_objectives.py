"""What objectives hide and ask for, checked by counting and by brute force."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from ptm_explore.errors import PtmError
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import build
from ptm_explore.objectives import objective
from ptm_explore.objectives.base import uniform
from ptm_explore.objectives.clm import Clm
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.objectives.nsp import Nsp
from ptm_explore.text.batches import Batch, Row, Stream, collate
from tests import tiny


@pytest.fixture(scope="module")
def bert_tokenizer():
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def big(bert_tokenizer):
    """4,000 rows of 40 random tokens with [CLS] and [SEP], some padded."""
    rng = np.random.default_rng(0)
    tok = bert_tokenizer
    plain = [i for i in range(tok.vocab_size) if i not in tok.special_ids]
    rows = [
        Row(np.array([tok.cls_id, *rng.choice(plain, size=int(n)), tok.sep_id]))
        for n in rng.integers(20, 39, size=4000)
    ]
    return collate(rows, tok, range(len(rows)))


def within(k, n, p, sigmas=4.5):
    return abs(k - n * p) < sigmas * (n * p * (1 - p)) ** 0.5


def test_uniform_is_uniform_and_belongs_to_the_example():
    x = uniform(3, np.arange(2000), 50, draw=0)
    assert x.min() >= 0
    assert x.max() < 1
    counts = np.histogram(x, bins=20, range=(0, 1))[0]
    assert all(within(k, x.size, 1 / 20) for k in counts)
    assert abs(np.corrcoef(x[:, 0], x[:, 1])[0, 1]) < 0.1
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 0.1
    np.testing.assert_array_equal(uniform(3, np.array([77]), 50, draw=0)[0], x[77])
    for other in (uniform(4, np.arange(2000), 50, 0), uniform(3, np.arange(2000), 50, 1)):
        assert abs(np.corrcoef(x.ravel(), other.ravel())[0, 1]) < 0.02


def test_mlm_chooses_the_rounded_share_of_each_row_and_never_a_special_token(big, bert_tokenizer):
    out = Mlm().corrupt(big, bert_tokenizer, seed=0)
    chosen = torch.zeros_like(big.special).flatten().index_fill(0, out.at, True).view(big.special.shape)
    assert not (chosen & big.special).any()
    expected = (0.15 * big.attention_mask.sum(1).numpy()).round()
    np.testing.assert_array_equal(chosen.sum(1).numpy(), expected)
    per_position = chosen[:, 1:19].sum(0)  # positions that are real in every row
    shares = (expected / (big.attention_mask.sum(1).numpy() - 2)).mean()
    assert all(within(int(k), len(chosen), shares) for k in per_position)


def test_mlm_masks_80_10_10(big, bert_tokenizer):
    out = Mlm().corrupt(big, bert_tokenizer, seed=1)
    seen = out.input_ids.flatten()[out.at]
    n, V = len(out.at), bert_tokenizer.vocab_size
    masked = (seen == bert_tokenizer.mask_id).sum().item()
    kept = (seen == out.targets).sum().item()
    assert within(masked, n, 0.8 + 0.1 / V)  # a random token may be [MASK] too
    assert within(kept, n, 0.1 + 0.1 / V)
    assert torch.equal(out.targets, big.input_ids.flatten()[out.at])


def test_corrupt_leaves_its_input_and_the_unchosen_tokens_alone(big, bert_tokenizer):
    before = big.input_ids.clone()
    out = Mlm().corrupt(big, bert_tokenizer, seed=0)
    assert torch.equal(big.input_ids, before)
    others = torch.ones(before.numel(), dtype=torch.bool).index_fill(0, out.at, False)
    assert torch.equal(out.input_ids.flatten()[others], before.flatten()[others])


def test_draws_do_not_depend_on_batching(big, bert_tokenizer):
    whole = Mlm().corrupt(big, bert_tokenizer, seed=0).input_ids
    part = replace(
        big,
        input_ids=big.input_ids[100:103],
        special=big.special[100:103],
        examples=big.examples[100:103],
        attention_mask=big.attention_mask[100:103],
    )
    assert torch.equal(Mlm().corrupt(part, bert_tokenizer, seed=0).input_ids, whole[100:103])


def test_static_masks_return_with_the_row_and_dynamic_ones_do_not(big, bert_tokenizer):
    later = replace(big, examples=big.examples + 10_000)
    for static in (True, False):
        goal = Mlm(static=static)
        a, b = (goal.corrupt(x, bert_tokenizer, seed=0).input_ids for x in (big, later))
        assert torch.equal(a, b) == static


def test_whole_words_are_masked_whole(bert_tokenizer):
    """Rows of words in one to five pieces; every word is chosen whole or not at all, within the quota."""
    tok = bert_tokenizer
    begins = [i for i in range(tok.vocab_size) if i not in tok.special_ids and not tok.continues[i]]
    goes_on = [i for i in range(tok.vocab_size) if i not in tok.special_ids and tok.continues[i]]
    rng = np.random.default_rng(1)
    rows, words = [], []
    for _ in range(500):
        ids, word = [tok.cls_id], [-1]
        for w in range(12):
            pieces = [rng.choice(begins), *rng.choice(goes_on, size=int(rng.integers(0, 5)))]
            ids, word = ids + pieces, word + [w] * len(pieces)
        rows.append(Row(np.array([*ids, tok.sep_id])))
        words.append([*word, -1])
    batch = collate(rows, tok, range(len(rows)))
    out = Mlm(units="words").corrupt(batch, tok, seed=0)
    T = batch.input_ids.size(1)
    chosen = (
        torch.zeros(batch.input_ids.numel(), dtype=torch.bool).index_fill(0, out.at, True).view(-1, T).numpy()
    )
    for row, word, picked in zip(rows, words, chosen, strict=True):
        quota, total = max(round(0.15 * len(row.ids)), 1), picked.sum()
        whole = {w for w, p in zip(word, picked, strict=False) if p}
        assert all(picked[t] == (word[t] in whole) for t in range(len(word)))
        assert total > 0
        assert total <= quota or len(whole) == 1


def test_clm_predicts_each_token_from_the_one_before(bert_tokenizer):
    rows = [Row(np.array([5, 6, 7, 8])), Row(np.array([9, 10]))]
    out = Clm().corrupt(collate(rows, bert_tokenizer, [0, 1]), bert_tokenizer, seed=0)
    assert out.at.tolist() == [0, 1, 2, 4]
    assert out.targets.tolist() == [6, 7, 8, 10]
    assert out.input_ids[0].tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize(("family", "name"), [("bert", "mlm"), ("gpt", "clm")])
def test_loss_is_the_mean_surprise(family, name, bert_tokenizer):
    V = bert_tokenizer.vocab_size
    config = (BertConfig if family == "bert" else GptConfig)(V, 16, 1, 2, 16, 32)
    net = build(family, config, ("mlm",) if family == "bert" else ("lm",), seed=0).eval()
    rows = [Row(np.arange(6, 6 + n)) for n in (9, 5)]
    goal = objective({name: {}})
    batch = goal.corrupt(collate(rows, bert_tokenizer, [0, 1]), bert_tokenizer, seed=0)
    with torch.no_grad():
        out = goal.forward(net, batch)
    every = net(batch.input_ids, batch.attention_mask).logits.detach().log_softmax(-1).flatten(0, 1)
    surprise = [-float(every[at, target]) for at, target in zip(batch.at, batch.targets, strict=True)]
    assert float(goal.loss(out, batch)[name]) == pytest.approx(sum(surprise), rel=1e-5)
    assert goal.counts(batch) == {name: len(surprise)}
    right = sum(int(every[at].argmax() == target) for at, target in zip(batch.at, batch.targets, strict=True))
    assert int(goal.correct(out, batch)[name]) == right


def pairs(tok, texts, length=40, n=400, seed=0):
    store = tiny.splits(tok, texts).train
    rows, _ = Stream(store, Nsp().arrange, tok, length, seed).take(n)
    return store, rows


def test_nsp_halves_labels_and_means_what_it_says(bert_tokenizer):
    """Every positive pair stands in the text as it is; no negative does; labels are half and half."""
    tok = bert_tokenizer
    store, rows = pairs(tok, tiny.documents(80))
    stream = store.tokens.tolist()
    text = " " + " ".join(map(str, stream)) + " "
    labels = [row.label for row in rows]
    assert within(sum(labels), len(labels), 0.5)
    for row in rows:
        a, b = row.ids[1 : row.second - 1].tolist(), row.ids[row.second : -1].tolist()
        assert row.ids[0] == tok.cls_id
        assert row.ids[row.second - 1] == row.ids[-1] == tok.sep_id
        assert len(row.ids) <= 40
        follows = f" {' '.join(map(str, a + b))} " in text
        assert follows == (row.label == 0)


def test_a_negative_is_never_the_true_next_even_where_text_repeats(bert_tokenizer):
    repeated = ["The dog runs. The cat sleeps. The dog runs. The cat sleeps. The boat sings."] * 30
    store, rows = pairs(
        bert_tokenizer, [f"{t} {w}." for t, w in zip(repeated, itertools.cycle(tiny.WORDS), strict=False)]
    )
    starts = {int(s): i for i, s in enumerate(store.sentences)}
    assert starts
    cut = lambda i: tuple(store.tokens[store.sentences[i] : store.sentences[i + 1]])  # noqa: E731
    nexts = {}
    for i in range(len(store.sentences) - 2):
        nexts.setdefault(cut(i), set()).add(cut(i + 1))
    for row in rows:
        if row.label == 1 and len(row.ids) < 38:  # nothing was cut off
            b = tuple(row.ids[row.second : -1])
            a = tuple(row.ids[1 : row.second - 1])
            if a in nexts and len(nexts[a]) == 1:
                (true,) = nexts[a]
                assert b[: len(true)] != true


def test_together_adds_up_by_weight(bert_tokenizer):
    _, rows = pairs(bert_tokenizer, tiny.documents(40), n=8)
    goal = objective({"mlm": {}, "nsp": {"weight": 0.5}})
    batch = goal.corrupt(collate(rows, bert_tokenizer, range(8)), bert_tokenizer, seed=0)
    assert goal.weights() == {"mlm": 1.0, "nsp": 0.5}
    assert goal.counts(batch) == {"mlm": len(batch.targets), "nsp": 8}
    assert batch.segment_ids.sum() > 0


def test_wrong_options_say_what_is_allowed():
    with pytest.raises(PtmError, match="mlm"):
        objective({"mml": {}})
    with pytest.raises(PtmError, match="rate"):
        Mlm(rate=1.5)
    with pytest.raises(PtmError, match="at most 1"):
        Mlm(masked=0.9, random=0.2)


def test_batch_moves_only_what_it_has():
    batch = Batch(torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, dtype=torch.bool), torch.zeros(1))
    assert batch.to("cpu").targets is None
    assert batch.n_tokens == 2
