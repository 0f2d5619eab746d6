"""The tokenizers of five model families: special tokens, templates, pipelines, and how to train them.

A kind (wordpiece, bpe, unigram) cuts text into pieces; a style (bert, gpt2, ...) names and places the
special tokens.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from ptm_explore.errors import PtmError, unknown

COVERAGE = 0.9995  # share of the characters of the training text that get a piece; the others become unk


@dataclass(frozen=True)
class Style:
    """What one family of models adds to a tokenizer."""

    kind: str  # the kind the family was published with
    hf_class: str  # its tokenizer in transformers
    lowercase: bool
    roles: dict[str, str]  # the special tokens by use, in the order of their ids, which start at 0
    single: str  # template of one text; the numbers are segments
    pair: str
    extra: tuple[str, ...] = ()  # special tokens without a role
    greedy_mask: bool = False  # the mask token swallows the space before it

    @property
    def specials(self) -> list[str]:
        return list(dict.fromkeys([*self.roles.values(), *self.extra]))


_BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_ALBERT = _BERT | {"pad": "<pad>", "unk": "<unk>", "bos": "[CLS]", "eos": "[SEP]"}
_GPT2 = {"bos": "<|endoftext|>", "eos": "<|endoftext|>"}
_ROBERTA = {
    "bos": "<s>",
    "pad": "<pad>",
    "eos": "</s>",
    "unk": "<unk>",
    "mask": "<mask>",
    "cls": "<s>",
    "sep": "</s>",
}
_XLNET = {
    "unk": "<unk>",
    "bos": "<s>",
    "eos": "</s>",
    "cls": "<cls>",
    "sep": "<sep>",
    "pad": "<pad>",
    "mask": "<mask>",
}
_ONE, _TWO = "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"

STYLES = {
    "bert": Style("wordpiece", "BertTokenizer", True, _BERT, _ONE, _TWO),
    "gpt2": Style("bpe", "GPT2Tokenizer", False, _GPT2, "$A:0", "$A:0 $B:0"),
    "roberta": Style(
        "bpe",
        "RobertaTokenizer",
        False,
        _ROBERTA,
        "<s>:0 $A:0 </s>:0",
        "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0",  # two separators, and only one segment
        greedy_mask=True,
    ),
    "albert": Style("unigram", "AlbertTokenizer", True, _ALBERT, _ONE, _TWO, greedy_mask=True),
    "xlnet": Style(
        "unigram",
        "XLNetTokenizer",
        False,
        _XLNET,
        "$A:0 <sep>:0 <cls>:2",
        "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
        extra=("<eod>", "<eop>"),
        greedy_mask=True,
    ),
}
KINDS = ("wordpiece", "bpe", "unigram")


def pipeline(
    model: models.Model, kind: str, lowercase: bool, accents: bool | None = None, chinese: bool = True
) -> Tokenizer:
    """`model` with the normaliser, pre-tokenizer and decoder that the kind was published with.

    `accents` False strips them; None does what the kind's authors do: WordPiece strips them where it
    lowercases, unigram always. `chinese` sets Chinese characters apart, in WordPiece.
    """
    backend = Tokenizer(model)
    if kind == "wordpiece":
        backend.normalizer = normalizers.BertNormalizer(
            lowercase=lowercase,
            strip_accents=None if accents is None else not accents,
            handle_chinese_chars=chinese,
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##")
    elif kind == "bpe":
        backend.normalizer = normalizers.Lowercase() if lowercase else None
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    else:
        quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        plain = [] if accents else [normalizers.NFKD(), normalizers.StripAccents()]
        backend.normalizer = normalizers.Sequence(
            [*quotes, *plain] + [normalizers.Lowercase()] * lowercase  # type: ignore[operator]
        )
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme="always")]
        )
        backend.decoder = decoders.Metaspace("▁", prepend_scheme="always")
    return backend


def finish(backend: Tokenizer, style: Style) -> Tokenizer:
    """Adds the style's special tokens (those the vocabulary has keep their ids) and its template."""
    backend.add_special_tokens(
        [
            AddedToken(t, special=True, lstrip=style.greedy_mask and t == style.roles["mask"])
            for t in style.specials
        ]
    )
    used = [t for t in style.specials if f"{t}:" in style.pair]
    backend.post_processor = processors.TemplateProcessing(
        single=style.single, pair=style.pair, special_tokens=[(t, backend.token_to_id(t)) for t in used]
    )
    return backend


def train(
    texts: Iterable[str], kind: str, vocab_size: int, lowercase: bool | None = None, style: str = "bert"
) -> Tokenizer:
    """A tokenizer of the package `tokenizers` trained on `texts`; the same texts give the same tokenizer."""
    if kind not in KINDS:
        raise unknown("kind of tokenizer", kind, KINDS)
    if style not in STYLES:
        raise unknown("style of tokenizer", style, STYLES)
    family = STYLES[style]
    least = len(family.specials) + (256 if kind == "bpe" else 50)
    if isinstance(vocab_size, bool) or not isinstance(vocab_size, int) or vocab_size < least:
        raise PtmError(
            f"vocab_size is {vocab_size!r}; a {kind} tokenizer with {style} tokens needs {least} or more"
        )
    lowercase = family.lowercase if lowercase is None else lowercase
    if isinstance(texts, str):
        raise PtmError("a tokenizer is trained on many texts; give a list of strings, not one string")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise PtmError(f"a tokenizer is trained on strings; text {position} is {type(text).__name__}")
    if not any(text.strip() for text in texts):
        raise PtmError("a tokenizer needs text to learn from; all the texts given are empty")
    if kind != "bpe":  # bytes need no alphabet
        texts = _without_rare(texts, vocab_size // 4)
    model = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram}[kind](
        texts, vocab_size, family, lowercase
    )
    backend = finish(pipeline(model, kind, lowercase), family)
    if backend.get_vocab_size() > vocab_size:
        raise PtmError(
            f"vocab_size is {vocab_size}, but the characters alone need {backend.get_vocab_size()}; "
            "ask for more, or use kind='bpe', which works on bytes"
        )
    return backend


def _without_rare(texts: list[str], most: int) -> list[str]:
    """The texts with the rarest characters (see COVERAGE; all but `most`) replaced by spaces.

    Otherwise a thousand characters seen once each would fill the vocabulary.
    """
    counts: Counter = Counter()
    for text in texts:
        counts.update(text)
    common = sorted(counts, key=lambda c: (-counts[c], c))
    covered, enough = 0, COVERAGE * counts.total()
    for rank, character in enumerate(common):
        if covered >= enough or rank >= most:
            rare = re.compile(f"[{re.escape(''.join(common[rank:]))}]")
            return [rare.sub(" ", text) for text in texts]
        covered += counts[character]
    return texts


def _wordpiece(texts: list[str], vocab_size: int, style: Style, lowercase: bool) -> models.WordPiece:
    unk = style.roles.get("unk", style.specials[0])
    backend = pipeline(models.WordPiece(unk_token=unk), "wordpiece", lowercase)
    alphabet = sorted(set(backend.normalizer.normalize_str("".join(set().union(*texts)))) - {" "})

    def continues(character: str) -> bool:
        text = backend.normalizer.normalize_str(f"a{character}")
        return len(backend.pre_tokenizer.pre_tokenize_str(text)) == 1

    # the trainer numbers ##x as it meets them in a hash table, in another order on every run, unless they
    # are there from the start
    inner = [f"##{c}" for c in alphabet if continues(c)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=[*style.specials, *inner],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    vocab = backend.get_vocab()
    learnt = sorted(vocab.keys() - {*style.specials, *alphabet, *inner}, key=vocab.__getitem__)
    pieces = dict.fromkeys([*style.specials, *alphabet, *inner, *learnt])
    return models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token=unk)


def _bpe(texts: list[str], vocab_size: int, style: Style, lowercase: bool) -> models.BPE:
    backend = pipeline(models.BPE(), "bpe", lowercase)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=style.specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend.model


def _unigram(texts: list[str], vocab_size: int, style: Style, lowercase: bool) -> models.Unigram:
    unk = style.roles.get("unk", style.specials[0])
    backend = pipeline(models.Unigram(), "unigram", lowercase)
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=style.specials,
        unk_token=unk,
        n_sub_iterations=1,  # twice as fast as 2, for 0.5 % more tokens
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    vocab = json.loads(backend.to_str())["model"]["vocab"]
    scores = {piece: score for piece, score in vocab if piece not in style.specials}
    # The trainer gives characters that earned no piece the lowest score and up in steps of 0.0001, in the
    # order of a hash table, and sums in another order on every run. Undo both: the same texts, the same ids.
    least, characters = min(scores.values()), sum(len(piece) == 1 for piece in scores)
    learnt = [
        (p, round(least if len(p) == 1 and s <= least + 1e-4 * characters else s, 6))
        for p, s in scores.items()
    ]
    learnt.sort(key=lambda entry: (-entry[1], entry[0]))
    return models.Unigram([(t, 0.0) for t in style.specials] + learnt, unk_id=style.specials.index(unk))
