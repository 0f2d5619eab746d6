"""The same ids as `transformers` for every family, stable training, and offsets that point into the text."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ptm_explore.errors import PtmError
from ptm_explore.text.styles import KINDS, STYLES
from ptm_explore.text.tokenizers import Tokenizer

TEXT = [
    f"{name} went to the {place} because {why}; wasn't it {what}? It is 3.14 miles from Zoë's café, e.g.!"
    for name in ("Alice", "Bob", "Carol", "Déjà")
    for place in ("market", "harbour", "railway station")
    for why in ("it was raining", "nobody had answered the telephone", "(as always) they were late")
    for what in ("unbelievable", "wonderful", "mistaken")
]
PROBES = [
    "Hello World! The café's naïve résumé costs €5; isn't it?",
    "  two  spaces\tand\nnewline ",
    "Ünïcode 日本語 emoji 😀 done",
    "``quoted'' text, 12345 3.14 U.S.",
]


@pytest.fixture(scope="module")
def trained():
    return {style: Tokenizer.train(TEXT, family.kind, 400, style=style) for style, family in STYLES.items()}


def _assert_same(ours: Tokenizer, theirs, probes):
    for probe in probes:
        for pair in (None, probes[0]):
            tokens, expected = ours.encode(probe, pair), theirs(probe, pair)
            assert tokens.ids[0].tolist() == expected["input_ids"]
            assert tokens.tokens[0] == theirs.convert_ids_to_tokens(expected["input_ids"])
            if "token_type_ids" in expected:
                assert tokens.segments[0].tolist() == expected["token_type_ids"]
            for skip in (True, False):
                text = theirs.decode(expected["input_ids"], skip_special_tokens=skip)
                assert ours.decode(tokens.ids[0], skip_special=skip) == text


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", KINDS)
def test_transformers_opens_what_we_save(tmp_path, kind, style):
    transformers = pytest.importorskip("transformers")
    for lowercase in (None, not STYLES[style].lowercase):
        ours = Tokenizer.train(TEXT, kind, 400, lowercase, style)
        ours.save(tmp_path)
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
        mask = [f"The {ours.mask_token} went, {ours.mask_token}."] if ours.mask_token else []
        _assert_same(ours, theirs, PROBES + mask)
        again = Tokenizer.load(tmp_path)
        assert again.key == ours.key
        assert again.special_ids == ours.special_ids
        if kind == STYLES[style].kind and lowercase is None:
            assert json.loads((tmp_path / "tokenizer_config.json").read_text())["tokenizer_class"] == (
                STYLES[style].hf_class
            )


def test_the_published_bert_tokenizer(minilm):
    transformers = pytest.importorskip("transformers")
    ours, theirs = Tokenizer.load(minilm), transformers.AutoTokenizer.from_pretrained(minilm)
    _assert_same(ours, theirs, [*PROBES, "Paris is the [MASK] of France."])
    assert (ours.pad_id, ours.unk_id, ours.cls_id, ours.sep_id, ours.mask_id) == (0, 100, 101, 102, 103)
    assert ours.bos_id is None
    assert ours.vocab_size == 30_522
    assert ours.ids(["hello world"]) == [[7592, 2088]]


def test_vocab_txt_alone_is_enough(minilm, tmp_path):
    whole = Tokenizer.load(minilm)
    (tmp_path / "vocab.txt").write_bytes((minilm / "vocab.txt").read_bytes())
    alone = Tokenizer.load(tmp_path)
    for probe in PROBES:
        assert alone.encode(probe).ids.tolist() == whole.encode(probe).ids.tolist()
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert Tokenizer.load(tmp_path).encode("Paris").tokens[0] != ["[CLS]", "paris", "[SEP]"]


@pytest.mark.parametrize("style", ["gpt2", "roberta"])
def test_vocab_json_and_merges_are_enough(trained, tmp_path, style):
    trained[style].save(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).unlink()
    alone = Tokenizer.load(tmp_path)
    assert alone.special_ids == trained[style].special_ids
    for probe in PROBES:
        assert alone.encode(probe, probe).ids.tolist() == trained[style].encode(probe, probe).ids.tolist()


def test_special_tokens_come_first_and_in_order(trained):
    first = {style: t.tokens(range(len(STYLES[style].specials))) for style, t in trained.items()}
    assert first == {
        "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        "gpt2": ["<|endoftext|>"],
        "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        "albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
        "xlnet": ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
    }
    gpt2 = trained["gpt2"]
    assert (gpt2.bos_id, gpt2.eos_id, gpt2.pad_id, gpt2.mask_id, gpt2.unk_id) == (0, 0, None, None, None)


def test_templates(trained):
    def shape(style):
        t = trained[style]
        tokens = t.encode("it", "was late")
        ids = tokens.ids[0].tolist()
        return [t.token(i) for i in ids if i in t.special_ids], tokens.segments[0].tolist()

    names, segments = shape("xlnet")
    assert names == ["<sep>", "<sep>", "<cls>"]
    assert segments == sorted(segments)
    assert segments[-1] == 2
    names, segments = shape("bert")
    assert names == ["[CLS]", "[SEP]", "[SEP]"]
    assert segments[-1] == 1
    names, segments = shape("roberta")
    assert names == ["<s>", "</s>", "</s>", "</s>"]
    assert set(segments) == {0}


@pytest.mark.parametrize("style", ["bert", "gpt2", "albert"])
def test_training_twice_gives_the_same_tokenizer(style):
    """In other processes: the hash tables inside `tokenizers` are seeded anew in each."""
    code = (
        "from test_tokenizers import TEXT, Tokenizer, STYLES\n"
        f"print(Tokenizer.train(TEXT, STYLES[{style!r}].kind, 300, style={style!r}).key)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    keys = {
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(keys) == 1


@pytest.mark.parametrize("style", STYLES)
def test_offsets_and_words_point_into_the_text(trained, style):
    t = trained[style]
    text = "  The harbour — wasn't wonderful for Zoë 😀 !"
    tokens = t.encode(text)
    covered = "".join(text[start:end] for start, end in sorted(set(tokens.offsets[0])))
    assert covered.replace(" ", "").startswith("Theharbour")
    assert all(not text[start:end].startswith(" ") for start, end in tokens.offsets[0])
    for i, (start, end) in enumerate(tokens.offsets[0]):
        if tokens.special[0, i] and int(tokens.ids[0, i]) != t.unk_id:
            assert tokens.words[0][i] is None
            assert (start, end) == (0, 0)
    harbour = [i for i, (s, e) in enumerate(tokens.offsets[0]) if s >= 6 and s < e <= 13]
    assert len({tokens.words[0][i] for i in harbour}) == 1
    assert "".join(text[s:e] for s, e in (tokens.offsets[0][i] for i in harbour)) == "harbour"


@pytest.mark.parametrize("style", STYLES)
def test_the_mask_token_in_a_text_is_the_mask(trained, style):
    t = trained[style]
    if t.mask_token is None:
        pytest.skip(f"{style} has no mask token")
    tokens = t.encode(f"The {t.mask_token} was late")
    place = tokens.ids[0].tolist().index(t.mask_id)
    assert not tokens.special[0, place]
    assert tokens.words[0][place] is not None
    assert tokens.offsets[0][place] == (4, 4 + len(t.mask_token))


def test_a_batch_is_padded_on_the_right(trained):
    for style, t in trained.items():
        tokens = t.encode(["It was late.", "late"])
        n = int(tokens.mask[1].sum())
        assert tokens.ids.dtype == tokens.segments.dtype == torch.long
        assert tokens.mask.dtype == tokens.special.dtype == torch.bool
        assert tokens.ids.shape == tokens.mask.shape == tokens.special.shape == (2, len(tokens.tokens[0]))
        assert tokens.mask[1].tolist() == [True] * n + [False] * (tokens.ids.shape[1] - n)
        assert set(tokens.ids[1, n:].tolist()) == {0 if style == "gpt2" else t.pad_id}
        assert tokens.special[1, n:].all()
        assert tokens.words[1][n:] == [None] * (tokens.ids.shape[1] - n)
        assert tokens.ids[1, :n].tolist() == t.encode("late").ids[0].tolist()


@pytest.mark.parametrize("max_len", [4, 7, 12, 13, 20])
@pytest.mark.parametrize(("text", "pair"), [(0, None), (0, 1), (1, 0), (0, 0)])
def test_truncation_is_that_of_transformers(minilm, max_len, text, pair):
    transformers = pytest.importorskip("transformers")
    ours, theirs = Tokenizer.load(minilm), transformers.AutoTokenizer.from_pretrained(minilm)
    texts = ["one two three four five six seven eight nine ten", "alpha beta gamma delta"]
    a, b = texts[text], None if pair is None else texts[pair]
    expected = theirs(a, b, truncation="longest_first", max_length=max_len)["input_ids"]
    if pair is not None and max_len < 5:
        with pytest.raises(PtmError, match="leaves no room"):
            ours.encode(a, b, max_len=max_len)
    else:
        lost = len(ours.encode(a, b).ids[0]) - len(expected)
        if lost:
            with pytest.warns(
                UserWarning, match=rf"^{lost} of \d+ tokens were cut to fit max_len={max_len}$"
            ):
                tokens = ours.encode(a, b, max_len=max_len)
        else:
            tokens = ours.encode(a, b, max_len=max_len)
        assert tokens.ids[0].tolist() == expected


def test_which_tokens_continue_a_word(trained):
    def continuing(style, text):
        t = trained[style]
        ids = t.ids([text])[0]
        return [t.vocabulary[i] for i in ids if t.continues[i]], [
            t.vocabulary[i] for i in ids if not t.continues[i]
        ]

    for style, t in trained.items():
        assert t.continues.dtype == bool
        assert t.continues.shape == (t.vocab_size,)
        assert not t.continues[sorted(t.special_ids)].any(), style
    inside, begins = continuing("bert", "the zebra, unlate!")
    assert all(x.startswith("##") for x in inside)
    assert {"the", ",", "!"} <= set(begins)
    inside, begins = continuing("gpt2", " the zebra, (unlate)!")
    assert {"Ġthe", ","} <= set(begins)
    assert all(x[0].isalpha() and x[0] != "Ġ" for x in inside)
    inside, begins = continuing("albert", "the zebra, unlate!")
    assert {"▁the", ","} <= set(begins)
    assert inside
    # the bytes of one character after its first do not begin a word
    gpt2 = trained["gpt2"]
    assert gpt2.continues[gpt2.ids(["a日"])[0][1:]].all()


@pytest.mark.parametrize("style", ["bert", "gpt2"])
def test_words_and_continues_agree(trained, style):
    """Where the pre-tokenizer begins a word, `continues` is False, and nowhere else."""
    t = trained[style]
    tokens = t.encode("Carol wasn't mistaken, always late: because it was raining; unbelievable!")
    words = [w for w in tokens.words[0] if w is not None]
    ids = [i for i, w in zip(tokens.ids[0].tolist(), tokens.words[0], strict=True) if w is not None]
    begins = [first != second for first, second in pairwise(words)]
    assert (~t.continues[ids])[1:].tolist() == begins


def test_ids_and_tokens(trained):
    for t in trained.values():
        ids = t.ids(["It was late.", "Bob"])
        assert [t.decode(np.array(i)) for i in ids] == (
            ["it was late.", "bob"] if t.config["do_lower_case"] else ["It was late.", "Bob"]
        )
        assert [t.id(token) for token in t.tokens(ids[0])] == ids[0]
        assert t.special_ids.isdisjoint(ids[0])
        with pytest.raises(PtmError, match=r"'marketstall' is not a token .* cut into \['.*', '.*'\]"):
            t.id("marketstall")
        with pytest.raises(PtmError, match=f"no token {t.vocab_size}"):
            t.decode([t.vocab_size])
        with pytest.raises(PtmError, match="no token -1"):
            t.token(-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "text 0 is empty"),
        ((["fine", " \n"],), "text 1 is empty"),
        ((["fine", None],), "text 1 is NoneType"),
        ((5,), "not int"),
        (([],), "empty list"),
        ((["a", "b"], ["c"]), "2 texts, but 1 pairs"),
        ((["a", "b"], "c"), "both be strings"),
        (("a", ["c"]), "both be strings"),
        (("a", ""), "pair 0 is empty"),
        (("half \ud83d",), "valid Unicode"),
    ],
)
def test_wrong_texts(trained, arguments, message):
    with pytest.raises(PtmError, match=message):
        trained["bert"].encode(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TEXT, "wordpeice", 400), "Did you mean 'wordpiece'"),
        ((TEXT, "bpe", 400, None, "gpt3"), "Did you mean 'gpt2'"),
        ((TEXT, "bpe", 100), "needs 261 or more"),
        ((TEXT, "bpe", 4e2), "vocab_size is 400.0"),
        (("one text", "bpe", 400), "not one string"),
        (([], "bpe", 400), "empty"),
        ((["  "], "unigram", 400), "empty"),
        (([b"bytes"], "bpe", 400), "text 0 is bytes"),
    ],
)
def test_wrong_training(arguments, message):
    with pytest.raises(PtmError, match=message):
        Tokenizer.train(*arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_little_text_gives_a_small_vocabulary(kind):
    t = Tokenizer.train(["a b"], kind, 1_000)
    assert t.vocab_size < 300
    assert t.decode(t.ids(["a b"])[0]) == "a b"


def test_rare_characters_do_not_fill_the_vocabulary():
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    for kind in ("wordpiece", "unigram"):
        t = Tokenizer.train(["the cat sat on the mat " * 50_000, rare], kind, 120)
        assert not set(rare) & set("".join(t.vocabulary))
        assert t.ids([rare[:1]])[0].count(t.unk_id) == 1


def test_training_prints_nothing(capfd):
    for kind in KINDS:
        Tokenizer.train(TEXT, kind, 300)
    assert capfd.readouterr() == ("", "")


def test_folders_without_a_tokenizer(tmp_path):
    assert Tokenizer.find(tmp_path) is None
    assert Tokenizer.find(tmp_path / "missing") is None
    with pytest.raises(PtmError, match=r"no tokenizer in .*vocab.txt"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{broken")
    with pytest.raises(PtmError, match="cannot read the tokenizer"):
        Tokenizer.find(tmp_path)
