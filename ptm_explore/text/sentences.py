"""Text into sentences, by rule."""

import re

# what may end a sentence, with the quotes and brackets that close after it
_END = re.compile(
    r"[.!?…]+[\"'”’»)\]]*(?:[ \t\u00a0]+(?=\S)|(?=\n|$))|[।؟۔።][\"'”’»)\]]*\s*|[。！？][”’」』）]*|\n"
)
_OPENING = frozenset("\"'“‘«(¿¡[「『")
_BEFORE_NAME = "mr|mrs|ms|dr|prof|st|sen|rep|gov|gen|col|maj|capt|lt|sgt|rev|hon|messrs|mme|mlle|vs|cf|approx"
_BEFORE_NUMBER = "nos?|pp?|vols?|figs?|eqs?|sec|ch|art|ca?|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # J, U.S, e.g


def sentences(text: str) -> list[str]:
    """The sentences of `text` without the space around them; none is empty.

    A line break always ends one. So do . ! ? (and closing quotes) before a space and a capital, a digit, a
    quote or a letter of a script without capitals, unless they follow an abbreviation or an initial.
    """
    found, start = [], 0
    for match in _END.finditer(text):
        if _ends(text, start, match) and (sentence := text[start : match.end()].strip()):
            found.append(sentence)
            start = match.end()
    if rest := text[start:].strip():
        found.append(rest)
    return found


def _ends(text: str, start: int, match: re.Match) -> bool:
    mark = match[0]
    if "\n" in mark or mark[0] not in ".!?…" or match.end() == len(text) or text[match.end()] == "\n":
        return True
    following = text[match.end()]
    if following.islower() or not (following.isalnum() or following in _OPENING):
        return False
    if mark.rstrip() != ".":
        return True
    before = text[max(start, match.start() - 20) : match.start()].split()
    word = before[-1].lstrip("\"'“‘([") if before else ""
    if _INITIALS.fullmatch(word) or re.fullmatch(_BEFORE_NAME, word, re.I):
        return False
    return not (following.isdigit() and re.fullmatch(_BEFORE_NUMBER, word, re.I))
