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

SKIPPED = frozenset(
    {"test", "tests", "testing", "_vendor", "vendor", "site-packages", "__pycache__", "lib2to3"}
)


def key() -> str:
    """Digest of this module, of the version of Python and of the packages installed."""
    packages = sorted({f"{d.name} {d.version}" for d in metadata.distributions()})
    return digest("pydocs", sys.version, *packages, Path(__file__).read_bytes())


def documents() -> Iterator[str]:
    """One document per module or package description; harvested once (some seconds), then cached."""
    target = cache_folder() / f"pydocs-{key()}"
    if not target.exists():
        with building(target) as folder, open(folder / "documents.jsonl", "w", encoding="utf-8") as file:
            for text in harvest():
                file.write(json.dumps(text, ensure_ascii=False) + "\n")
    with open(target / "documents.jsonl", encoding="utf-8") as file:
        yield from map(json.loads, file)


def harvest() -> Iterator[str]:
    """The prose of all installed modules, each paragraph only once."""
    seen: set[int] = set()
    for text in _raw_documents():
        kept = [p for p in dict.fromkeys(paragraphs(text)) if hash(p) not in seen]
        seen.update(map(hash, kept))
        if kept:
            yield "\n\n".join(kept)


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
    todo: list[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = [tree]
    while todo:
        node = todo.pop(0)
        if text := ast.get_docstring(node):
            yield text
        todo.extend(
            n for n in node.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        )


def _raw_documents() -> Iterator[str]:
    roots = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")} | set(
        site.getsitepackages()
    )
    files: set[Path] = set()
    for root in map(Path, roots):
        found = (p for p in root.rglob("*.py") if not SKIPPED.intersection(p.relative_to(root).parts[:-1]))
        files.update(p.resolve() for p in found)
    for path in sorted(files):
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if '"""' in source or "'''" in source:  # parsing is the slow part
            yield "\n\n".join(docstrings(source))
    for distribution in sorted(metadata.distributions(), key=lambda d: d.name or ""):
        _, _, description = (distribution.read_text("METADATA") or "").partition("\n\n")
        yield description


_ROLE = re.compile(r":[a-zA-Z:]+:`~?([^`<]*)(?:<[^`>]*>)?`")
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|`([^`<]+?)\s*<[^`>]*>`__?")
_MARK = re.compile(r"``|`|\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)")
_LINE_OF_CODE = re.compile(
    r"\s*(>>>|\.\.\s|\.\.\.|:\w[^:]*:\s|@|\||\+[-=]|[-=~^*#_]{3,}|[-*•#>$%<\[]|\d+[.)]\s)"
)
_PROSE = re.compile(r"[A-Z\"'(“][\w\s,.;:'\"()!?/%’“”–—-]*[.!?][\"')”’]?")
_WORD = re.compile(r"[\"'(“]?[A-Za-z]+(?:[-'’/][A-Za-z]+)*[,.;:!?]?[\"')”]?[,.;:!?]?")


def _prose(block: str) -> str | None:
    lines = block.strip("\n").splitlines()
    indents = {len(line) - len(line.lstrip()) for line in lines}
    if not lines or len(indents) > 1 or any(map(_LINE_OF_CODE.match, lines)):
        return None
    text = " ".join(" ".join(lines).split())
    text = _MARK.sub("", _LINK.sub(lambda m: m[1] or m[2] or "", _ROLE.sub(r"\1", text)))
    if not _PROSE.fullmatch(text):
        return None
    words = text.split()
    plain = sum(map(bool, map(_WORD.fullmatch, words)))
    return text if len(words) >= 8 and plain >= 0.85 * len(words) else None
