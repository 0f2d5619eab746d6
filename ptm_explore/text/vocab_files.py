"""Tokenizers from the files of older checkpoints: vocab.txt (WordPiece), vocab.json and merges.txt (BPE), and
spiece.model (SentencePiece).

A spiece.model is a protocol buffer, of which little is needed: the pieces with their scores, and the table by
which characters are normalised (github.com/google/sentencepiece, src/sentencepiece_model.proto).
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers

from ptm_explore.errors import PtmError
from ptm_explore.text import styles

# fields of the messages, and the values that two of them may have
PIECE, TRAINER, NORMALIZER = 1, 2, 3
TEXT, SCORE, KIND, UNKNOWN = 1, 2, 3, 2
MODEL_TYPE, UNIGRAM = 3, 1
CHARACTERS = 2


def from_vocab_txt(path: Path, config: dict) -> Tokenizer:
    """BERT's; `config` is what tokenizer_config.json says, and is given what it leaves out."""
    pieces = path.read_text("utf-8").split("\n")
    vocab = {piece.rstrip("\r"): i for i, piece in enumerate(pieces) if piece}
    model = models.WordPiece(vocab, unk_token="[UNK]")
    config.setdefault("tokenizer_class", "BertTokenizer")
    lowercase, chinese = config.setdefault("do_lower_case", True), config.get("tokenize_chinese_chars", True)
    backend = styles.pipeline(model, "wordpiece", lowercase, config.get("strip_accents"), chinese)
    return styles.finish(backend, styles.STYLES["bert"])


def from_merges(folder: Path, config: dict) -> Tokenizer:
    """GPT-2's or RoBERTa's, whichever special tokens are there."""
    model = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    backend = styles.pipeline(model, "bpe", lowercase=False)
    style = styles.STYLES["roberta" if backend.token_to_id("<mask>") is not None else "gpt2"]
    config.setdefault("tokenizer_class", style.hf_class)
    return styles.finish(backend, style)


def from_spiece(path: Path, config: dict) -> Tokenizer:
    """ALBERT's or XLNet's, whichever special tokens are there."""
    pieces: list[tuple[str, float]] = []
    unknown, characters = 0, b""
    for field, value in _fields(path.read_bytes()):
        if field == PIECE:
            piece = dict(_fields(value))
            if piece.get(KIND) == UNKNOWN:
                unknown = len(pieces)
            pieces.append((piece[TEXT].decode(), struct.unpack("<f", piece.get(SCORE, bytes(4)))[0]))
        elif field == TRAINER and (found := dict(_fields(value)).get(MODEL_TYPE, UNIGRAM)) != UNIGRAM:
            raise PtmError(f"{path} is a SentencePiece model of type {found}; only unigram models are read")
        elif field == NORMALIZER:
            characters = dict(_fields(value)).get(CHARACTERS, b"")
    style = styles.STYLES["xlnet" if "<cls>" in dict(pieces) else "albert"]
    config.setdefault("tokenizer_class", style.hf_class)
    lowercase = config.setdefault("do_lower_case", style.lowercase)
    model = models.Unigram(pieces, unk_id=unknown)
    backend = styles.pipeline(model, "unigram", lowercase, not config.get("keep_accents", False))
    if characters:
        backend.normalizer = normalizers.Sequence([backend.normalizer, normalizers.Precompiled(characters)])
    return styles.finish(backend, style)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field of a message: a varint as a number, all else as bytes."""
    stream = io.BytesIO(data)

    def varint() -> int:
        value = shift = 0
        while True:
            byte = stream.read(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while stream.tell() < len(data):
        number, wire = divmod(varint(), 8)
        yield number, varint() if wire == 0 else stream.read({1: 8, 5: 4}.get(wire) or varint())
