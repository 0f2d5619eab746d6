"""The tokenizers of five model families: special tokens, templates, pipelines, and how to train them.

A kind (wordpiece, bpe, unigram) cuts text into pieces; a style (bert, gpt2, ...) names and places the
special tokens.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

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


def _roles(table: str) -> dict[str, str]:
    return dict(re.findall(r"(\S+)=(\S+)", table))


_BERT = _roles("pad=[PAD] unk=[UNK] cls=[CLS] sep=[SEP] mask=[MASK]")
_ALBERT = _BERT | _roles("pad=<pad> unk=<unk> bos=[CLS] eos=[SEP]")
_GPT2 = _roles("bos=<|endoftext|> eos=<|endoftext|>")
_ROBERTA = _roles("bos=<s> pad=<pad> eos=</s> unk=<unk> mask=<mask> cls=<s> sep=</s>")
_XLNET = _roles("unk=<unk> bos=<s> eos=</s> cls=<cls> sep=<sep> pad=<pad> mask=<mask>")

_ENDS = ("<eod>", "<eop>")  # of document and paragraph

# templates of one text and of two
_CLS_FIRST = ("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")
_CLS_LAST = ("$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2")
_ONE_SEGMENT = ("<s>:0 $A:0 </s>:0", "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0")  # and two separators

STYLES = {
    "bert": Style("wordpiece", "BertTokenizer", True, _BERT, *_CLS_FIRST),
    "gpt2": Style("bpe", "GPT2Tokenizer", False, _GPT2, "$A:0", "$A:0 $B:0"),
    "roberta": Style("bpe", "RobertaTokenizer", False, _ROBERTA, *_ONE_SEGMENT, greedy_mask=True),
    "albert": Style("unigram", "AlbertTokenizer", True, _ALBERT, *_CLS_FIRST, greedy_mask=True),
    "xlnet": Style("unigram", "XLNetTokenizer", False, _XLNET, *_CLS_LAST, _ENDS, greedy_mask=True),
}
KINDS = ("wordpiece", "bpe", "unigram")


def pipeline(
    model: models.Model, kind: str, lowercase: bool, strip_accents: bool | None = None, chinese: bool = True
) -> Tokenizer:
    """`model` with the normaliser, pre-tokenizer and decoder that the kind was published with.

    `strip_accents` None does what the kind's authors do: WordPiece strips them where it lowercases, unigram
    always. `chinese` sets Chinese characters apart, in WordPiece.
    """
    backend = Tokenizer(model)
    if kind == "wordpiece":
        backend.normalizer = normalizers.BertNormalizer(
            lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=chinese
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##")
    elif kind == "bpe":
        backend.normalizer = normalizers.Lowercase() if lowercase else None
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    else:
        quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        plain = [] if strip_accents is False else [normalizers.NFKD(), normalizers.StripAccents()]
        lower = [normalizers.Lowercase()] if lowercase else []
        backend.normalizer = normalizers.Sequence([*quotes, *plain, *lower])
        spaces = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", "always")]
        backend.pre_tokenizer = pre_tokenizers.Sequence(spaces)
        backend.decoder = decoders.Metaspace("▁", "always")
    return backend


def finish(backend: Tokenizer, style: Style) -> Tokenizer:
    """Adds the style's special tokens (those the vocabulary has keep their ids) and its template."""
    greedy = style.roles["mask"] if style.greedy_mask else None
    tokens = [tokenizers.AddedToken(t, special=True, lstrip=t == greedy) for t in style.specials]
    backend.add_special_tokens(tokens)
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
    blank = {"wordpiece": models.WordPiece, "bpe": models.BPE, "unigram": models.Unigram}[kind]()
    learn = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram}[kind]
    options = {"vocab_size": vocab_size, "special_tokens": family.specials, "show_progress": False}
    unk = family.roles.get("unk", family.specials[0])
    model = learn(texts, pipeline(blank, kind, lowercase), unk, options)
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
    counts = Counter(itertools.chain.from_iterable(texts))
    common = sorted(counts, key=lambda c: (-counts[c], c))
    covered, enough = 0, COVERAGE * counts.total()
    for rank, character in enumerate(common):
        if covered >= enough or rank >= most:
            rare = re.compile(f"[{re.escape(''.join(common[rank:]))}]")
            return [rare.sub(" ", text) for text in texts]
        covered += counts[character]
    return texts


def _wordpiece(texts: list[str], backend: Tokenizer, unk: str, options: dict[str, Any]) -> models.WordPiece:
    alphabet = sorted(set(backend.normalizer.normalize_str("".join(set().union(*texts)))) - {" "})

    def continues(character: str) -> bool:
        text = backend.normalizer.normalize_str(f"a{character}")
        return len(backend.pre_tokenizer.pre_tokenize_str(text)) == 1

    # the trainer numbers ##x as it meets them in a hash table, in another order on every run, unless they
    # are there from the start
    specials, inner = options["special_tokens"], [f"##{c}" for c in alphabet if continues(c)]
    options = options | {"special_tokens": [*specials, *inner]}
    trainer = trainers.WordPieceTrainer(initial_alphabet=alphabet, limit_alphabet=len(alphabet), **options)
    backend.train_from_iterator(texts, trainer)
    vocab = backend.get_vocab()
    known = [*specials, *alphabet, *inner]
    learnt = sorted(vocab.keys() - set(known), key=vocab.__getitem__)
    pieces = dict.fromkeys([*known, *learnt])
    return models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token=unk)


def _bpe(texts: list[str], backend: Tokenizer, unk: str, options: dict[str, Any]) -> models.BPE:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend.train_from_iterator(texts, trainers.BpeTrainer(initial_alphabet=alphabet, **options))
    return backend.model


def _unigram(texts: list[str], backend: Tokenizer, unk: str, options: dict[str, Any]) -> models.Unigram:
    # one iteration is twice as fast as 2, for 0.5 % more tokens
    trainer = trainers.UnigramTrainer(unk_token=unk, n_sub_iterations=1, **options)
    backend.train_from_iterator(texts, trainer)
    vocab, specials = json.loads(backend.to_str())["model"]["vocab"], options["special_tokens"]
    scores = {piece: score for piece, score in vocab if piece not in specials}
    # The trainer gives characters that earned no piece the lowest score and up in steps of 0.0001, in the
    # order of a hash table, and sums in another order on every run. Undo both: the same texts, the same ids.
    least, characters = min(scores.values()), sum(len(piece) == 1 for piece in scores)
    for piece, score in scores.items():
        unearned = len(piece) == 1 and score <= least + 1e-4 * characters
        scores[piece] = round(least if unearned else score, 6)
    learnt = sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))
    return models.Unigram([(t, 0.0) for t in specials] + learnt, unk_id=specials.index(unk))
