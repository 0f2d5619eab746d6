"""One face for the tokenizers of BERT, GPT-2, RoBERTa, ALBERT and XLNet: trained here or read from a folder.

B texts, T tokens of the longest one, V entries in the vocabulary. The package `tokenizers` does the work.
"""

import json
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Encoding, processors
from tokenizers import Tokenizer as Backend

from ptm_explore.errors import PtmError
from ptm_explore.text import styles, vocab_files
from ptm_explore.text.cache import digest
from ptm_explore.text.readers import encodable

ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")


@dataclass(frozen=True)
class Tokens:
    """A batch of texts as a model reads it, padded on the right to the longest.

    `special` is True for padding and for special tokens other than the mask, which stands for a word. The
    special tokens the tokenizer put there have the word None and the offsets (0, 0). Of a pair, words and
    offsets count within each text, and `texts` holds tuples.
    """

    ids: torch.Tensor  # (B, T) long
    mask: torch.Tensor  # (B, T) bool, False for padding
    segments: torch.Tensor  # (B, T) long
    special: torch.Tensor  # (B, T) bool
    tokens: list[list[str]]
    words: list[list[int | None]]  # which word of the text, as the pre-tokenizer cuts it
    offsets: list[list[tuple[int, int]]]  # characters of the original text, without spaces before the token
    texts: list

    def __len__(self) -> int:
        return len(self.texts)

    def to(self, device: torch.device | str) -> "Tokens":
        moved = {name: getattr(self, name).to(device) for name in ("ids", "mask", "segments", "special")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Frame:
    """The special tokens that a family puts before, between and after texts, and the segments of all."""

    specials: tuple[np.ndarray, ...]  # ids of each run of special tokens: one run more than there are texts
    special_segments: tuple[np.ndarray, ...]
    text_segments: tuple[int, ...]

    @classmethod
    def of(cls, encoding: Encoding) -> "Frame":
        """Read off an encoding."""
        texts = [np.flatnonzero([s == n for s in encoding.sequence_ids]) for n in range(encoding.n_sequences)]
        begins = [0, *(text[-1] + 1 for text in texts)]
        ends = [*(text[0] for text in texts), len(encoding)]
        runs = [slice(begin, end) for begin, end in zip(begins, ends, strict=True)]
        ids, segments = (np.array(part, np.int64) for part in (encoding.ids, encoding.type_ids))
        special_ids, special_segments = (tuple(part[run] for run in runs) for part in (ids, segments))
        return cls(special_ids, special_segments, tuple(int(segments[text[0]]) for text in texts))

    @property
    def size(self) -> int:
        """The number of special tokens."""
        return sum(map(len, self.specials))

    def room(self, length: int) -> int:
        """How many tokens of text go into a row of `length`; a `PtmError` if not one of each text."""
        if length - self.size < len(self.text_segments):
            raise PtmError(f"rows of {length} tokens have no room for text beside {self.size} special ones")
        return length - self.size

    def ids(self, *texts: np.ndarray) -> np.ndarray:
        """(T,) the ids of the texts, framed."""
        return _alternate(self.specials, texts)

    def segments(self, *texts: np.ndarray) -> np.ndarray:
        """(T,) their segments."""
        inside = [np.full(len(text), s) for text, s in zip(texts, self.text_segments, strict=True)]
        return _alternate(self.special_segments, inside)


class Tokenizer:
    """Text to token ids and back.

    kind          "wordpiece", "bpe" (byte level) or "unigram"
    vocab_size    V
    pad_id, unk_id, cls_id, sep_id, mask_id, bos_id, eos_id    ids, None where the family has no such token
    pad_token, ...                                             the same as strings
    special_ids   frozenset of the ids of all special tokens
    continues     (V,) bool: the token continues the word that began before it. The mark of the kind decides
                  (## of WordPiece, no Ġ or ▁ in front for the others); punctuation begins a word of its own.
                  A word right after a bracket or quote cannot be told from the token: "as" in "(as" continues

    Special tokens written in a text, such as "[MASK]" or "</s>", become these tokens, as in `transformers`.
    """

    mask_token: str | None

    def __init__(self, backend: Backend, config: dict | None = None):
        """`config` is what tokenizer_config.json holds: "cls_token" and so on, "tokenizer_class"."""
        backend.no_padding()
        backend.no_truncation()
        self.backend, self.config = backend, dict(config or {})
        self._description = json.loads(backend.to_str())
        self.kind = self._description["model"]["type"].lower()
        self.vocab_size = backend.get_vocab_size()
        given = [self.config.get(f"{role}_token") for role in ROLES]
        tokens = [token.get("content") if isinstance(token, dict) else token for token in given]
        ids = [None if token is None else backend.token_to_id(token) for token in tokens]
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id, self.bos_id, self.eos_id = ids
        for role, token in zip(ROLES, tokens, strict=True):
            setattr(self, f"{role}_token", token)
        added = {t["id"] for t in self._description["added_tokens"] if t["special"]}
        self.special_ids = frozenset(i for i in added.union(ids) if i is not None)
        if self.eos_id is not None and not Frame.of(backend.encode("a", "a")).size:
            # a left-to-right model knows no pairs: the end of a text parts them
            end = backend.id_to_token(self.eos_id)
            parted = f"$A {end} $B", [(end, self.eos_id)]
            backend.post_processor = processors.TemplateProcessing("$A", *parted)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str,
        vocab_size: int,
        lowercase: bool | None = None,
        style: str = "bert",
    ) -> "Tokenizer":
        """Learns at most `vocab_size` pieces from `texts` (held in memory): seconds for 10 MB, and the same
        tokenizer for the same texts. `style` is "bert", "gpt2", "roberta", "albert" or "xlnet"; `lowercase`
        is as the family was published unless given."""
        backend = styles.train(texts, kind, vocab_size, lowercase, style)
        family = styles.STYLES[style]
        lower = family.lowercase if lowercase is None else lowercase
        published = kind == family.kind and not (lower and kind == "bpe")  # what hf_class can rebuild
        config: dict = {"tokenizer_class": family.hf_class if published else "PreTrainedTokenizerFast"}
        config["do_lower_case"] = lower
        return cls(backend, config | {f"{role}_token": token for role, token in family.roles.items()})

    @cached_property
    def key(self) -> str:
        """Hex digest of all that decides the ids."""
        return digest(self.backend.to_str(), *(getattr(self, f"{r}_token") for r in ROLES))

    @cached_property
    def vocabulary(self) -> list[str]:
        """The V tokens in the order of their ids."""
        return [self.backend.id_to_token(i) or "" for i in range(self.vocab_size)]

    @cached_property
    def byte_level(self) -> bool:
        """Whether spaces belong to the token after them, as in GPT-2."""
        return "ByteLevel" in json.dumps(self._description["pre_tokenizer"])

    @cached_property
    def frames(self) -> tuple[Frame, Frame]:
        """What `encode` puts around one text, and around a pair."""
        return Frame.of(self.backend.encode("a")), Frame.of(self.backend.encode("a", "a"))

    @cached_property
    def continues(self) -> np.ndarray:
        marker = "Ġ" if self.byte_level else "▁"
        result = np.zeros(self.vocab_size, dtype=bool)  # (V,)
        for i, token in enumerate(self.vocabulary):
            if i in self.special_ids:
                continue
            if self.kind == "wordpiece":
                result[i] = token.startswith("##")
            elif self.kind != "wordlevel" and not token.startswith(marker):
                text = self.backend.decode([i]) if self.byte_level else token
                # the rest of a character (�), a letter, a digit or an accent goes on; all else begins
                result[i] = text[:1] == "\ufffd" or unicodedata.category(text[:1] or " ")[0] in "LNM"
        return result

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of many texts without special tokens, fast."""
        return [encoding.ids for encoding in self._encode(list(texts), self.backend.encode_batch_fast, False)]

    def encode(
        self, text: str | Sequence[str], pair: str | Sequence[str] | None = None, max_len: int | None = None
    ) -> Tokens:
        """One text or a batch (each with its pair, if given) with the special tokens of the family.

        Texts longer than `max_len` tokens are cut, of a pair the longer one first, and a warning tells how
        much was lost. Padding is `pad_id`, or where there is none `eos_id` or 0, with mask False.
        """
        if isinstance(text, str) != isinstance(pair, str) and pair is not None:
            raise PtmError("text and pair must both be strings, or both be lists of the same length")
        inputs: list = self._checked(text, "text")
        if pair is not None:
            pairs = self._checked(pair, "pair")
            if len(pairs) != len(inputs):
                raise PtmError(f"every text needs its pair: {len(inputs)} texts, but {len(pairs)} pairs")
            inputs = list(zip(inputs, pairs, strict=True))
        encodings = self._encode(inputs, self.backend.encode_batch, True)
        if max_len is not None and max(map(len, encodings)) > max_len:
            specials, total = self.frames[pair is not None].size, sum(map(len, encodings))
            if max_len - specials < 1 + (pair is not None):
                raise PtmError(f"max_len={max_len} leaves no room for text beside {specials} special tokens")
            self.backend.enable_truncation(max_len)
            encodings = self._encode(inputs, self.backend.encode_batch, True)
            self.backend.no_truncation()
            lost = total - sum(map(len, encodings))
            warnings.warn(f"{lost} of {total} tokens were cut to fit max_len={max_len}", stacklevel=2)
        return self._batch(inputs, encodings)

    def decode(self, ids: Iterable[int], skip_special: bool = True) -> str:
        """The text of one sequence of ids (a list, array or tensor)."""
        return self.backend.decode(self._valid(ids), skip_special_tokens=skip_special)

    def token(self, id: int) -> str:
        return self.tokens([id])[0]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        return [self.vocabulary[i] for i in self._valid(ids)]

    def id(self, token: str) -> int:
        """The id of a token of the vocabulary; a `PtmError` if there is no such token."""
        found = self.backend.token_to_id(token)
        if found is None:
            parts = self.tokens(self.ids([token])[0])
            raise PtmError(f"{token!r} is not a token of this vocabulary; as text it is cut into {parts}")
        return found

    def save(self, folder: str | Path) -> None:
        """Writes tokenizer.json, tokenizer_config.json and the older vocab.txt or vocab.json and merges.txt,
        so that `transformers.AutoTokenizer.from_pretrained(folder)` gives the same ids."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.backend.save(str(folder / "tokenizer.json"))
        roles = {f"{r}_token": token for r in ROLES if (token := getattr(self, f"{r}_token"))}
        for name, content in (("tokenizer_config", self.config | roles), ("special_tokens_map", roles)):
            (folder / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False), "utf-8")
        if self.kind in ("wordpiece", "bpe"):
            self.backend.model.save(str(folder))

    @classmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """From tokenizer.json, BERT's vocab.txt, GPT-2's vocab.json and merges.txt, or a spiece.model."""
        if (found := cls.find(folder)) is None:
            known = "tokenizer.json, vocab.txt, spiece.model, and vocab.json with merges.txt"
            raise PtmError(f"no tokenizer in {folder}: looked for {known}")
        return found

    @classmethod
    def find(cls, folder: str | Path) -> "Tokenizer | None":
        """Like `load`, but None when the folder holds no tokenizer; a damaged one raises a `PtmError`."""
        folder = Path(folder)
        names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        try:
            config: dict = {}
            for name in ("special_tokens_map.json", "tokenizer_config.json"):
                if name in names:
                    config |= json.loads((folder / name).read_text("utf-8"))
            if "tokenizer.json" in names:
                backend = Backend.from_file(str(folder / "tokenizer.json"))
            elif "vocab.txt" in names:
                backend = vocab_files.from_vocab_txt(folder / "vocab.txt", config)
            elif {"vocab.json", "merges.txt"} <= names:
                backend = vocab_files.from_merges(folder, config)
            elif "spiece.model" in names:
                backend = vocab_files.from_spiece(folder / "spiece.model", config)
            else:
                return None
            return cls(backend, _guessed_roles(backend) | config)
        except PtmError:
            raise
        except Exception as error:  # tokenizers raises bare Exception
            raise PtmError(f"cannot read the tokenizer in {folder}: {error}") from error

    @staticmethod
    def _encode(inputs: list, encode: Callable[..., list[Encoding]], specials: bool) -> list[Encoding]:
        try:
            return encode(inputs, add_special_tokens=specials)
        except (TypeError, UnicodeError) as error:
            raise PtmError(f"only strings of valid Unicode have tokens: {error}") from error

    def _checked(self, given: str | Sequence[str], name: str) -> list[str]:
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list | tuple):
            raise PtmError(f"{name} must be a string or a list of strings, not {type(texts).__name__}")
        if not texts:
            raise PtmError(f"{name} is an empty list; there is nothing to encode")
        for position, text in enumerate(texts):
            if not isinstance(text, str):
                raise PtmError(f"{name} {position} is {type(text).__name__}, not a string")
            if not text.strip():
                raise PtmError(f"{name} {position} is empty; give at least one word")
            if not encodable(text):
                raise PtmError(f"{name} {position} is not valid Unicode: surrogates not allowed")
        return list(texts)

    def _valid(self, ids: Iterable[int]) -> list[int]:
        ids = [int(i) for i in ids]
        for i in ids:
            if not 0 <= i < self.vocab_size:
                raise PtmError(f"there is no token {i}; ids go from 0 to {self.vocab_size - 1}")
        return ids

    def _batch(self, inputs: list, encodings: list[Encoding]) -> Tokens:
        longest, offsets = max(map(len, encodings)), []
        for given, encoding in zip(inputs, encodings, strict=True):
            encoding.pad(longest, pad_id=next(i for i in (self.pad_id, self.eos_id, 0) if i is not None))
            texts = (given,) if isinstance(given, str) else given
            pairs = zip(encoding.sequence_ids, encoding.offsets, strict=True)
            offsets.append([(end - len(texts[s or 0][begin:end].lstrip()), end) for s, (begin, end) in pairs])
        parts = ("ids", "attention_mask", "type_ids")
        ids, real, segments = (torch.tensor([getattr(e, part) for e in encodings]) for part in parts)
        names = torch.tensor(sorted(self.special_ids - {self.mask_id}), dtype=torch.long)
        special, words = torch.isin(ids, names) | ~real.bool(), [e.word_ids for e in encodings]
        return Tokens(ids, real.bool(), segments, special, [*map(self.tokens, ids)], words, offsets, inputs)


def _alternate(outer: Sequence[np.ndarray], inner: Sequence[np.ndarray]) -> np.ndarray:
    parts = [part for pair in zip(outer[:-1], inner, strict=True) for part in pair]
    return np.concatenate([*parts, outer[-1]]).astype(np.int64)


def _guessed_roles(backend: Backend) -> dict[str, str]:
    """The roles of the special tokens by their well-known names, for folders without a config."""
    there = backend.get_vocab().keys()
    known = max(styles.STYLES.values(), key=lambda style: len(there & set(style.specials)))
    return {f"{role}_token": token for role, token in known.roles.items() if token in there}
