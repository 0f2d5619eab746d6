"""One labelled row to one example, and what the labels of all rows make: which kind of task it is."""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from ptm_explore.errors import PtmError
from ptm_explore.text.readers import PREFERRED, encodable
from ptm_explore.text.task_files import refuse

# Well-known names of columns, in lower case, the likeliest first.
PAIRS = """premise hypothesis, sentence1 sentence2, question1 question2, question sentence, text1 text2,
    text_a text_b, text pair"""
LABELS = "label labels class category intent sentiment polarity gold_label target score rating stars y"
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
        given = [str(row[name]) for name in IDS if row.get(name) is not None]
        record |= {"id": given[0]} if given else {}
        if spans := row.get("rationale"):
            record["rationale"] = [_inside(place, a, b, record["text"], "rationale") for a, b in spans]
        return record

    def _guess(self, place: str, row: dict) -> None:
        """Decides by the keys of a row what its parts are."""
        names, there = {str(name).lower(): name for name in row}, ", ".join(map(str, row))
        for what, column in self.asked.items():
            if column is not None and column not in row and "tokens" not in row:
                refuse(place, f"no column {column!r} for {what}=; there are {there}")
        text, pair, label = self.asked.values()
        if {"sentence_good", "sentence_bad"} <= row.keys():
            label = label or _first(PHENOMENA, names)
            self._settle("minimal_pair", _minimal, good="sentence_good", bad="sentence_bad", label=label)
        elif {"question", "context", "answers"} <= row.keys():
            self._settle("span", _span, text="question", pair="context", label="answers")
        elif "tokens" in row:
            label = label if label in row else _first(TAGS, names)
            if label is None:
                refuse(place, f"tokens without tags; there are {there}")
            self._settle("tagging", tagged, text="tokens", label=label, spaces="spaces")
        elif "spans" in row and (text or _first(PREFERRED, names)):
            self._settle("tagging", self._from_spans, text=text or _first(PREFERRED, names), label="spans")
        else:  # a text, perhaps a second one, and a label
            if text is None and pair is None:
                pairs = [two.split() for two in PAIRS.split(",")]
                known = ((names[one], names[two]) for one, two in pairs if one in names and two in names)
                text, pair = next(known, (None, None))
            label = label or _first(LABELS.split(), names, but=(text, pair))
            rest = [name for key, name in names.items() if key not in (*IDS, "split")]
            text = text or _first(PREFERRED, names, but=(pair, label)) or _only(rest, but=(pair, label))
            label = label or _only(rest, but=(text, pair))
            if text is None or label is None:
                what = f"cannot tell which column holds {'the text' if text is None else 'the label'}"
                refuse(place, f"{what}; there are {there}. Say so: ptm.task(path, text=..., label=...)")
            self._settle(None, _plain, text=text, pair=pair, label=label)

    def _settle(self, kind: str | None, make: Callable[..., dict], **columns: Any) -> None:
        """All rows are of this kind; `make` is given the place of each and what it has in these columns."""
        if kind and self.kind not in (None, kind):
            raise PtmError(f"{self.name} holds rows for {kind}, not {self.kind}; leave kind out")
        if not kind and self.kind not in (None, "classification", "regression"):
            raise PtmError(f"{self.name} holds a text and a label in each row, nothing for {self.kind}")
        self.kind = self.kind or kind
        given = {what: column for what, column in columns.items() if column}
        self.columns = ", ".join(f"{what} = {column}" for what, column in given.items() if what != "spaces")
        self._make = lambda place, row: make(place, **{what: row.get(given[what]) for what in given})

    def _from_spans(self, place: str, text: Any, label: Any) -> dict:
        """Character spans as tags of the words that they touch."""
        if not isinstance(text, str) or not isinstance(label, list):
            refuse(place, f"a text and a list of spans, not {type(text).__name__} and {type(label).__name__}")
        words = [list(word.span()) for word in WORD.finditer(text)]
        tags = ["O"] * len(words)
        for span in label:
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


def tagged(place: str, text: Any, label: Any, spaces: Any = None) -> dict:
    """Words as one text, where each stands in it, and their tags; entities as BIO."""
    if not isinstance(text, list) or not isinstance(label, list) or len(text) != len(label):
        sizes = [len(x) if isinstance(x, list) else repr(x)[:40] for x in (text, label)]
        refuse(place, f"{sizes[0]} tokens and {sizes[1]} tags; give two lists of the same length")
    words, whole = [], ""
    for n, (token, tag, space) in enumerate(zip(text, label, spaces or [True] * len(text), strict=True)):
        if not isinstance(token, str) or not token.strip() or not isinstance(tag, str) or not tag:
            refuse(place, f"token {n} is {token!r}, its tag {tag!r}; both are strings that are not empty")
        words.append([len(whole), len(whole) + len(token)])
        whole += token + " " * bool(space)
    return {"text": whole.rstrip(), "words": words, "label": bio(label)}


def bio(tags: list[str]) -> list[str]:
    """Entity tags of whatever scheme (IOB1, IOBES, BILOU) as BIO: B- begins an entity, I- goes on with it.
    Other tags stay as they are."""
    if not all(map(ENTITY.fullmatch, tags)):
        return tags
    result, inside = [], ""  # inside: the kind of the entity under way
    for tag in tags:
        how, _, kind = tag.partition("-")
        goes_on = how in "IEL" and inside == kind
        result.append("O" if how == "O" else f"{'I' if goes_on else 'B'}-{kind}")
        inside = "" if how in "ESLUO" else kind
    return result


def _minimal(place: str, good: Any, bad: Any, label: Any = None) -> dict:
    return {"text": good, "pair": bad, "label": "all" if label is None else str(label)}


def _span(place: str, text: Any, pair: Any, label: Any) -> dict:
    """A question and what is read, and where the answers stand in that."""
    if not isinstance(label, dict) or not {"text", "answer_start"} <= label.keys():
        refuse(place, "answers have no 'text' and 'answer_start'")
    spans = []
    for answer, start in zip(label["text"], label["answer_start"], strict=True):
        end = start + len(answer) if isinstance(start, int) else None
        span = _inside(place, start, end, pair, "answer")
        if str(pair)[start:end] != answer:
            refuse(place, f"the answer {answer!r} does not stand at character {start} of the context")
        if span not in spans:
            spans.append(span)
    return {"text": text, "pair": pair, "label": spans}


def _inside(place: str, start: Any, end: Any, text: Any, what: str) -> list[int]:
    size = len(text) if isinstance(text, str) else 0
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= size:
        refuse(place, f"{what} from {start!r} to {end!r} is outside the text of {size} characters")
    return [start, end]


def _plain(place: str, label: Any, **texts: Any) -> dict:
    """A class as its name, a number as it is; None where there is no label."""
    if isinstance(label, str | int):
        label = str(label).strip() or None
    elif isinstance(label, float):
        label = None if math.isnan(label) else label
    elif label is not None:
        refuse(place, f"label is {label!r:.60}, {type(label).__name__}; give a name or a number")
    return texts | {"label": label}


def _first(wanted: Iterable[str], names: dict[str, Any], but: tuple = ()) -> Any:
    return next((names[name] for name in wanted if name in names and names[name] not in but), None)


def _only(names: list[Any], but: tuple) -> Any:
    left = [name for name in names if name not in but]
    return left[0] if len(left) == 1 else None


class Labels:
    """What was seen of the labels, row by row; `settle` makes a kind and a list of names of it."""

    def __init__(self) -> None:
        self.rows = 0
        self.names: dict[Any, dict[str | None, str]] = {}  # label or tag -> split -> where it first stood
        self.missing: dict[str | None, str] = {}  # split without labels -> where that was seen

    def see(self, label: Any, split: str | None, place: str) -> None:
        self.rows += 1
        for one in label if isinstance(label, list) else (label,):
            if one is None or isinstance(one, str | float):
                self.names.setdefault(one, {}).setdefault(split, place)

    def settle(self, name: str, kind: str | None, order: tuple[str, ...]) -> tuple[str, list[str], bool]:
        """The kind, the names in the order of their ids (`order` if given), whether tags are of entities."""
        self.missing = self.names.pop(None, {})
        labelled = {split for places in self.names.values() for split in places}
        for split, place in self.missing.items():
            if split in labelled or split not in ("dev", "test"):
                refuse(place, "its label is missing")
        words = [label for label in self.names if not _number(label)]
        if kind is None:  # labels measure something if they are numbers, and not all of them whole
            fractions = any(not float(label).is_integer() for label in self.names.keys() - words)
            kind = "regression" if fractions and len(words) < 0.1 * len(self.names) else "classification"
        if kind == "regression" and words:
            what = f"{words[0]!r} is no number, as regression needs; {len(self.names) - len(words)} are"
            refuse(next(iter(self.names[words[0]].values())), f"label {what}")
        if kind not in ("classification", "tagging"):
            return kind, [], False
        if kind == "classification":
            n, known = len(self.names), [str(one) for one, there in self.names.items() if "train" in there]
            if n > max(MANY, 0.5 * self.rows):
                asked = "is this the right column? Name it: label=..."
                raise PtmError(f"{name}: {n:,} different labels in {self.rows:,} rows; {asked}")
            for label, places in self.names.items():
                if known and "train" not in places:
                    few = ", ".join(sorted(known)[:12]) + ", ..." * (len(known) > 12)
                    what = f"label {label!r} does not occur in train, which has {few}"
                    refuse(next(iter(places.values())), what)
        names = list(map(str, self.names))
        ordered = [one for one in order if one in set(names)] if order else sorted(names, key=_natural)
        return kind, ordered, kind == "tagging" and all(map(ENTITY.fullmatch, ordered)) and len(ordered) > 1


def _number(label: Any) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


def _natural(label: str) -> tuple:
    """1, 2, 10; then names by the alphabet."""
    return (0, float(label), "") if _number(label) else (1, 0.0, label)
