"""One labelled row to one example, and what the labels of all rows make: which kind of task it is."""

import math
import re
from collections.abc import Iterable
from typing import Any

from ptm_explore.errors import PtmError
from ptm_explore.text.readers import PREFERRED, encodable
from ptm_explore.text.task_files import refuse

# Well-known names of columns, in lower case, the likeliest first.
PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("text", "pair"),
)
LABELS = (
    *("label", "labels", "class", "category", "intent", "sentiment", "polarity", "gold_label", "target"),
    *("score", "rating", "stars", "y"),
)
TAGS = ("tags", "ner_tags", "pos_tags", "upos", "labels")
PHENOMENA = ("uid", "phenomenon", "linguistics_term", "label")
IDS = ("id", "guid", "sent_id", "qid", "idx")

ENTITY = re.compile(r"[BIESLUO]-\S+|O")  # O, B-PER, and what other schemes have
WORD = re.compile(r"\w+|[^\w\s]")
MANY = 1_000  # classes, beyond which a column in which hardly anything repeats is no label


class Reader:
    """Rows to records, the dicts of which `Example` is made. Columns are those asked for, or guessed by the
    names in the first row."""

    def __init__(self, name: str, text: str | None, pair: str | None, label: str | None, kind: str | None):
        self.name, self.kind = name, kind
        self.asked = {"text": text, "pair": pair, "label": label}
        self.columns = ""  # which were read, in words
        self.overlapping = 0  # spans left out, since a word has one tag
        self._make: Any = None

    def example(self, place: str, row: dict) -> dict:
        """The record of one row; a `PtmError` that says where and why if it is none."""
        if self._make is None:
            self._guess(place, row)
        record = self._make(place, row)
        for key in record.keys() & {"text", "pair"}:
            if not isinstance(record[key], str) or not record[key].strip():
                refuse(place, f"{key} is {record[key]!r}; give a string that is not empty")
            if not encodable(record[key]):
                refuse(place, f"{key} has bytes that are not UTF-8")
        identity = next((row[name] for name in IDS if row.get(name) is not None), None)
        if identity is not None:
            record["id"] = str(identity)
        if row.get("rationale"):
            spans = row["rationale"]
            record["rationale"] = [_inside(place, a, b, record["text"], "rationale") for a, b in spans]
        return record

    def _guess(self, place: str, row: dict) -> None:
        """Decides by the keys of a row what its parts are."""
        names = {str(name).lower(): name for name in row}
        for what, column in self.asked.items():
            if column is not None and column not in row and "tokens" not in row:
                refuse(place, f"no column {column!r} for {what}=; there are {_listed(row)}")
        label = self.asked["label"] if self.asked["label"] in row else None
        if {"sentence_good", "sentence_bad"} <= row.keys():
            label = label or _first(PHENOMENA, names)
            self._settle("minimal_pair", good="sentence_good", bad="sentence_bad", label=label)
            self._make = lambda place, row: {
                "text": row.get("sentence_good"),
                "pair": row.get("sentence_bad"),
                "label": str(row.get(label, "all")),
            }
        elif {"question", "context", "answers"} <= row.keys():
            self._settle("span", text="question", pair="context", label="answers")
            self._make = _span
        elif "tokens" in row:
            label = label or _first(TAGS, names)
            if label is None:
                refuse(place, f"tokens without tags; there are {_listed(row)}")
            self._settle("tagging", text="tokens", label=label)
            self._make = lambda place, row: tagged(
                place, row.get("tokens"), row.get(label), row.get("spaces")
            )
        elif "spans" in row and (text := self.asked["text"] or _first(PREFERRED, names)):
            self._settle("tagging", text=text, label="spans")
            self._make = lambda place, row: self._from_spans(place, row.get(text), row.get("spans"))
        else:
            self._guess_columns(place, row, names)

    def _guess_columns(self, place: str, row: dict, names: dict[str, Any]) -> None:
        """A text, perhaps a second one, and a label."""
        text, pair, label = self.asked.values()
        if text is None and pair is None:
            known = [(names[one], names[two]) for one, two in PAIRS if one in names and two in names]
            text, pair = known[0] if known else (None, None)
        label = label or _first(LABELS, names, but=(text, pair))
        rest = [row_name for key, row_name in names.items() if key not in (*IDS, "split")]
        rest = [name for name in rest if name not in (text, pair, label)]
        text = text or _first(PREFERRED, names, but=(pair, label)) or (rest[0] if len(rest) == 1 else None)
        rest = [name for name in rest if name != text]
        label = label or (rest[0] if len(rest) == 1 else None)
        if text is None or label is None:
            missing = "the text" if text is None else "the label"
            refuse(
                place,
                f"cannot tell which column holds {missing}; there are {_listed(row)}. "
                "Say so: ptm.task(path, text=..., label=...)",
            )
        self._settle(None, text=text, pair=pair, label=label)
        self._make = lambda place, row: {
            "text": row.get(text),
            **({"pair": row.get(pair)} if pair else {}),
            "label": _plain(place, row.get(label)),
        }

    def _settle(self, kind: str | None, **columns: Any) -> None:
        if kind and self.kind not in (None, kind):
            raise PtmError(f"{self.name} holds rows for {kind}, not {self.kind}; leave kind out")
        if not kind and self.kind not in (None, "classification", "regression"):
            raise PtmError(f"{self.name} holds a text and a label in each row, nothing for {self.kind}")
        self.kind = self.kind or kind
        self.columns = ", ".join(f"{what} = {column}" for what, column in columns.items() if column)

    def _from_spans(self, place: str, text: Any, spans: Any) -> dict:
        """Character spans as tags of the words that they touch."""
        if not isinstance(text, str) or not isinstance(spans, list):
            refuse(place, f"a text and a list of spans, not {type(text).__name__} and {type(spans).__name__}")
        words = [list(word.span()) for word in WORD.finditer(text)]
        tags = ["O"] * len(words)
        for span in spans:
            if not isinstance(span, dict) or not {"start", "end", "label"} <= span.keys():
                refuse(place, f"a span is {{'start', 'end', 'label'}}, not {span!r}")
            start, end = _inside(place, span["start"], span["end"], text, f"span {span['label']!r}")
            touched = [n for n, (a, b) in enumerate(words) if a < end and start < b]
            if any(tags[n] != "O" for n in touched):
                self.overlapping += 1
                continue
            for n in touched:
                tags[n] = f"{'B' if n == touched[0] else 'I'}-{span['label']}"
        return {"text": text, "words": words, "label": tags}


def tagged(place: str, tokens: Any, tags: Any, spaces: Any = None) -> dict:
    """Words as one text, where each stands in it, and their tags; entities as BIO."""
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags):
        sizes = [len(x) if isinstance(x, list) else repr(x)[:40] for x in (tokens, tags)]
        refuse(place, f"{sizes[0]} tokens and {sizes[1]} tags; give two lists of the same length")
    for n, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        if not isinstance(token, str) or not token.strip() or not isinstance(tag, str) or not tag:
            refuse(place, f"token {n} is {token!r}, its tag {tag!r}; both are strings that are not empty")
    words, text = [], ""
    for token, space in zip(tokens, spaces or [True] * len(tokens), strict=True):
        words.append([len(text), len(text) + len(token)])
        text += token + " " * bool(space)
    return {"text": text.rstrip(), "words": words, "label": bio(tags)}


def bio(tags: list[str]) -> list[str]:
    """Entity tags of whatever scheme (IOB1, IOBES, BILOU) as BIO: B- begins an entity, I- goes on with it.
    Other tags stay as they are."""
    if not all(map(ENTITY.fullmatch, tags)):
        return tags
    result, inside = [], ""  # inside: the kind of the entity under way
    for tag in tags:
        how, _, kind = tag.partition("-")
        if how == "O":
            inside = ""
            result.append("O")
        else:
            goes_on = how in "IEL" and inside == kind
            result.append(f"{'I' if goes_on else 'B'}-{kind}")
            inside = "" if how in "ESLU" else kind
    return result


def _span(place: str, row: dict) -> dict:
    context, answers = row.get("context"), row.get("answers")
    record = {"text": row.get("question"), "pair": context}
    if not isinstance(answers, dict) or not {"text", "answer_start"} <= answers.keys():
        refuse(place, "answers have no 'text' and 'answer_start'")
    spans = []
    for text, start in zip(answers["text"], answers["answer_start"], strict=True):
        end = start + len(text) if isinstance(start, int) else None
        span = _inside(place, start, end, context, "answer")
        if str(context)[start:end] != text:
            refuse(place, f"the answer {text!r} does not stand at character {start} of the context")
        if span not in spans:
            spans.append(span)
    return record | {"label": spans}


def _inside(place: str, start: Any, end: Any, text: Any, what: str) -> list[int]:
    size = len(text) if isinstance(text, str) else 0
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= size:
        refuse(place, f"{what} from {start!r} to {end!r} is outside the text of {size} characters")
    return [start, end]


def _plain(place: str, label: Any) -> str | float | None:
    """A class as its name, a number as it is; None where there is no label."""
    if label is None or (isinstance(label, str) and not label.strip()):
        return None
    if isinstance(label, str):
        return label.strip()
    if isinstance(label, bool | int):
        return str(label)
    if isinstance(label, float):
        return None if math.isnan(label) else label
    refuse(place, f"label is {label!r:.60}, {type(label).__name__}; give a name or a number")


def _first(wanted: Iterable[str], names: dict[str, Any], but: tuple = ()) -> Any:
    return next((names[name] for name in wanted if name in names and names[name] not in but), None)


def _listed(row: dict) -> str:
    return ", ".join(map(str, row))


class Labels:
    """What was seen of the labels, row by row; `settle` makes a kind and a list of names of it."""

    def __init__(self) -> None:
        self.rows = 0
        self.names: dict[Any, dict[str | None, str]] = {}  # label or tag -> split -> where it first stood
        self.missing: dict[str | None, tuple[int, str]] = {}  # split -> how many, where first
        self.counts: dict[str | None, int] = {}  # split -> rows
        self.hidden: list[str] = []  # splits without any label

    def see(self, label: Any, split: str | None, place: str) -> None:
        self.rows += 1
        self.counts[split] = self.counts.get(split, 0) + 1
        if label is None:
            n, first = self.missing.get(split, (0, place))
            self.missing[split] = n + 1, first
        for one in label if isinstance(label, list) else (label,):
            if isinstance(one, str | float):
                self.names.setdefault(one, {}).setdefault(split, place)

    def settle(self, name: str, kind: str | None, order: tuple[str, ...]) -> tuple[str, list[str], bool]:
        """The kind, the names in the order of their ids (`order` if given), whether tags are of entities."""
        for split, (n, place) in self.missing.items():
            if n < self.counts[split] or split not in ("dev", "test"):
                refuse(place, "its label is missing")
            self.hidden.append(split)
        names = list(self.names)
        if kind is None:
            kind = "regression" if self._numbers() else "classification"
        if kind == "regression":
            for label in names:
                if not _number(label):
                    refuse(self._first_place(label), f"label {label!r} is no number, as regression needs")
            return kind, [], False
        if kind not in ("classification", "tagging"):
            return kind, [], False
        if kind == "classification" and len(names) > max(MANY, 0.5 * self.rows):
            raise PtmError(
                f"{name}: {len(names):,} different labels in {self.rows:,} rows; is this the right column? "
                "Name it: label=..."
            )
        for label, places in self.names.items():
            if "train" in self.counts and "train" not in places and kind == "classification":
                known = sorted({str(one) for one, there in self.names.items() if "train" in there})
                few = ", ".join(known[:12]) + ", ..." * (len(known) > 12)
                refuse(
                    next(iter(places.values())), f"label {label!r} does not occur in train, which has {few}"
                )
        names = [str(label) for label in names]
        ordered = [one for one in order if one in set(names)] if order else sorted(names, key=_natural)
        entities = kind == "tagging" and all(map(ENTITY.fullmatch, ordered)) and len(ordered) > 1
        return kind, ordered, entities

    def _numbers(self) -> bool:
        """Whether the labels measure something: numbers, and not all of them whole."""
        numeric = [label for label in self.names if _number(label)]
        fractions = any(not float(label).is_integer() for label in numeric)
        if fractions and 0.9 * len(self.names) < len(numeric) < len(self.names):
            other = next(label for label in self.names if not _number(label))
            refuse(self._first_place(other), f"label {other!r} is no number; the others are")
        return fractions and len(numeric) == len(self.names)

    def _first_place(self, label: Any) -> str:
        return next(iter(self.names[label].values()))


def _number(label: Any) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


def _natural(label: str) -> tuple:
    """1, 2, 10; then names by the alphabet."""
    return (0, float(label), "") if _number(label) else (1, 0.0, label)
