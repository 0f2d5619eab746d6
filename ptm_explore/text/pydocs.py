"""English prose that every machine with Python already has: the documentation of its packages.

Docstrings are read out of the source with `ast`; no package is imported. What is kept are paragraphs of
whole sentences; code, doctests, tables, lists of parameters and directives are dropped.
"""

import ast
import json
import re
import site
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ptm_explore.text.cache import building, cache_folder, digest

# characters, a million words; parsing everything would take minutes where much is installed
ENOUGH = 6_000_000
SKIPPED = {"test", "tests", "testing", "_vendor", "vendor", "site-packages", "__pycache__", "lib2to3"}
_Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def key() -> str:
    """Digest of this module, of the version of Python and of the packages installed."""
    packages = sorted({f"{d.name} {d.version}" for d in metadata.distributions()})
    return digest("pydocs", sys.version, *packages, Path(__file__).read_bytes())


def documents() -> Iterator[str]:
    """One document per module or package description; harvested once (half a minute), then cached."""
    target = cache_folder() / f"pydocs-{key()}"
    if not target.exists():
        with building(target) as folder, open(folder / "documents.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(text, ensure_ascii=False) + "\n" for text in harvest())
    with open(target / "documents.jsonl", encoding="utf-8") as file:
        yield from map(json.loads, file)


def harvest() -> Iterator[str]:
    """The prose of installed modules until there is ENOUGH, each paragraph only once."""
    seen, size = set[int](), 0
    for text in _raw_documents():
        kept = [p for p in dict.fromkeys(paragraphs(text)) if hash(p) not in seen]
        seen.update(map(hash, kept))
        if kept:
            yield (document := "\n\n".join(kept))
            if (size := size + len(document)) >= ENOUGH:
                return


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring (or README) that are prose, each on one line, without its markup.

    >>> paragraphs("Sort a list.\\n\\nThe list ``x`` is sorted where it is; nothing comes back.\\n\\n>>> f()")
    ['The list x is sorted where it is; nothing comes back.']
    """
    text = re.sub(r"(?ms)^\s*(```|~~~).*?^\s*\1", "\n\n", text)
    return [prose for block in re.split(r"\n\s*\n", text) if (prose := _prose(block))]


def docstrings(source: str) -> Iterator[str]:
    """The docstrings of a module's source: its own, then those of its classes and functions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old packages have invalid escapes
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
    todo: list[ast.Module | _Documented] = [tree]
    for node in todo:
        if text := ast.get_docstring(node):
            yield text
        todo.extend(inner for inner in node.body if isinstance(inner, _Documented))


def _raw_documents() -> Iterator[str]:
    for distribution in sorted(metadata.distributions(), key=lambda d: d.name or ""):
        _, _, description = (distribution.read_text("METADATA") or "").partition("\n\n")
        yield description
    roots = {*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), *site.getsitepackages()}
    files: dict[Path, str] = {}  # and an order in which every beginning is a fair sample of all packages
    for root in map(Path, sorted(roots)):
        for path in root.rglob("*.py"):
            inside = path.relative_to(root)
            if not SKIPPED.intersection(inside.parts[:-1]):
                files[path.resolve()] = digest(inside.as_posix())
    for path in sorted(files, key=lambda p: (files[p], p)):
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if '"""' in source or "'''" in source:  # parsing is the slow part
            yield "\n\n".join(docstrings(source))


_ROLE = re.compile(r":[a-zA-Z:]+:`~?([^`<]*)(?:<[^`>]*>)?`")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|`([^`<]+?)\s*<[^`>]*>`__?")
_MARK = re.compile(r"``|`|\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)")
_CODE = re.compile(r"\s*(>>>|\.\.\s|\.\.\.|:\w[^:]*:\s|@|\||\+[-=]|[-=~^*#_]{3,}|[-*•#>$%<\[]|\d+[.)]\s)")
_PROSE = re.compile(r"[A-Z\"'(“][\w\s,.;:'\"()!?/%’“”–—-]*[.!?][\"')”’]?")
_WORD = re.compile(r"[\"'(“]?[A-Za-z]+(?:[-'’/][A-Za-z]+)*[,.;:!?]?[\"')”]?[,.;:!?]?")


def _prose(block: str) -> str | None:
    lines = block.strip("\n").splitlines()
    indents = {len(line) - len(line.lstrip()) for line in lines}
    if not lines or len(indents) > 1 or any(map(_CODE.match, lines)):
        return None
    text = " ".join(" ".join(lines).split())
    text = _MARK.sub("", _LINK.sub(lambda m: m[1] or m[2] or "", _ROLE.sub(r"\1", text)))
    if not _PROSE.fullmatch(text):
        return None
    words = text.split()
    plain = sum(map(bool, map(_WORD.fullmatch, words)))
    return text if len(words) >= 8 and plain >= 0.85 * len(words) else None
