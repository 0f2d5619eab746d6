"""Rows from documents: nothing lost, nothing twice, in an order that can be left and found again."""

import itertools
import json

import numpy as np
import pytest
import torch

from ptm_explore.objectives.clm import Clm
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.objectives.nsp import Nsp
from ptm_explore.text.batches import Row, Stream, collate, packed, streamed
from tests import tiny


@pytest.fixture(scope="module")
def bert_tokenizer():
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def store(bert_tokenizer):
    return tiny.splits(bert_tokenizer).train


def test_packed_rows_hold_every_token_once_and_cross_no_document(store, bert_tokenizer):
    tok = bert_tokenizer
    rows = list(packed(store, 0, store.n_documents, tok, 16))
    assert all(row.ids[0] == tok.cls_id and row.ids[-1] == tok.sep_id and len(row.ids) <= 16 for row in rows)
    np.testing.assert_array_equal(np.concatenate([row.ids[1:-1] for row in rows]), store.tokens)
    ends = set(store.sentences[store.documents[1:]].tolist())
    at, row_ends = 0, set()
    for row in rows:
        at += len(row.ids) - 2
        row_ends.add(at)
    assert ends <= row_ends


def test_packed_rows_end_with_sentences_where_that_wastes_little(store, bert_tokenizer):
    rows = list(packed(store, 0, store.n_documents, bert_tokenizer, 30))
    sentence_ends = set(store.sentences.tolist())
    at, whole = 0, 0
    for row in rows:
        at += len(row.ids) - 2
        whole += at in sentence_ends
    assert whole / len(rows) > 0.9  # sentences of about six tokens fit into three quarters of 28


def test_streamed_rows_predict_every_token_once():
    tok = tiny.tokenizer("gpt2", "bpe", 300)
    store = tiny.splits(tok).train
    rows = list(streamed(store, 0, store.n_documents, tok, 16))
    stream = np.concatenate([rows[0].ids[:1], *(row.ids[1:] for row in rows)])
    assert (stream == tok.eos_id).sum() == store.n_documents
    np.testing.assert_array_equal(stream[stream != tok.eos_id], store.tokens)
    assert all(a.ids[-1] == b.ids[0] for a, b in itertools.pairwise(rows))


@pytest.mark.parametrize("goal", [Mlm(), Nsp()])
def test_stream_goes_on_where_its_position_says(goal, store, bert_tokenizer):
    def rows(stream, n):
        return [row.ids.tolist() for row in stream.take(n)[0]]

    whole = Stream(store, goal.arrange, bert_tokenizer, 24, seed=1)
    expected = rows(whole, 500)  # several epochs
    first = Stream(store, goal.arrange, bert_tokenizer, 24, seed=1)
    assert rows(first, 333) == expected[:333]
    second = Stream(store, goal.arrange, bert_tokenizer, 24, seed=1)
    second.position = json.loads(json.dumps(first.position))
    assert rows(second, 167) == expected[333:]
    assert rows(Stream(store, goal.arrange, bert_tokenizer, 24, seed=2), 500) != expected


def test_an_epoch_holds_each_row_once(store, bert_tokenizer):
    stream = Stream(store, Mlm().arrange, bert_tokenizer, 24, seed=0)
    stream.blocks = store.blocks(200)  # several blocks of a tiny store
    assert len(stream.blocks) > 3
    n = sum(len(list(packed(store, a, b, bert_tokenizer, 24))) for a, b in stream.blocks)
    first = sorted(row.ids.tolist() for row in stream.take(n)[0])
    second = sorted(row.ids.tolist() for row in stream.take(n)[0])
    assert stream.position["epoch"] == 2
    assert first == second


def test_collate_pads_to_the_longest_and_marks_it(bert_tokenizer):
    tok = bert_tokenizer
    batch = collate(
        [Row(np.array([tok.cls_id, 7, 8, tok.sep_id])), Row(np.array([tok.cls_id, 9, tok.sep_id]))],
        tok,
        [5, 6],
    )
    assert batch.input_ids.tolist()[1] == [tok.cls_id, 9, tok.sep_id, tok.pad_id]
    assert batch.attention_mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert batch.special.tolist() == [[True, False, False, True], [True, False, True, True]]
    assert batch.n_tokens == 7
    same = collate([Row(np.array([1, 2])), Row(np.array([3, 4]))], tok, [0, 1])
    assert same.attention_mask is None  # nothing is padded: attention takes its fastest path


def test_segments_and_labels(bert_tokenizer):
    first = Row(np.arange(6), 4, 1, np.array([0, 0, 0, 0, 1, 1]))
    second = Row(np.arange(4), 2, 0, np.array([0, 0, 1, 1]))
    batch = collate([first, second], bert_tokenizer, [0, 1])
    assert batch.segment_ids.tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]]
    assert torch.equal(batch.pair_labels, torch.tensor([1, 0]))


def test_clm_rows_of_a_store_shorter_than_a_row(bert_tokenizer):
    tok = tiny.tokenizer("gpt2", "bpe", 300)
    store = tiny.splits(tok, ["One short text here.", "And another one."]).train
    rows, _ = Stream(store, Clm().arrange, tok, 512, seed=0).take(3)
    assert all(len(row.ids) == store.n_tokens + store.n_documents for row in rows)
