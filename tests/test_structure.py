"""Who imports whom, what the package may not contain, and how large it may become."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ptm_explore"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# From the bottom up: each may import what stands before it, and nothing beside or after it.
ORDER = """
    errors | layers text | baselines | models | objectives | environment | model | classifier | training
    | interpret transfer | figures | compare | widgets | exercises | cli | __main__
"""
RANK = {name: rank for rank, names in enumerate(ORDER.split("|")) for name in names.split()}
FORBIDDEN = {("interpret", "training")}  # what looks into a model does not care how it came about
# m.trace(...) is a method for the reader's sake; ptm.load opens what was saved, a classifier too
UPWARD_WHEN_CALLED = {("model", "interpret"), ("model", "classifier")}


def imports(tree: ast.AST, module: tuple[str, ...]) -> set[str]:
    """Names right under ptm_explore that a module (given as path parts inside the package) imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["ptm_explore", *module][: -node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("ptm_explore.")}
    return found


def module_level(tree: ast.Module) -> ast.Module:
    """The tree without its functions and without what only a type checker sees."""

    class Cut(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        def visit_If(self, node):
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    return Cut().visit(tree)


def allowed(importer: str, imported: str, when_called: bool) -> bool:
    pair = (importer, imported)
    if importer == imported or (when_called and pair in UPWARD_WHEN_CALLED):
        return True
    return pair not in FORBIDDEN and RANK[imported] < RANK[importer]


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        ("import ptm_explore.text.store", ("cli.py",), {"text"}),
        ("from ptm_explore import errors, figures", ("cli.py",), {"errors", "figures"}),
        ("from ..errors import PtmError", ("text", "store.py"), {"errors"}),
        ("from . import store", ("text", "cache.py"), {"text"}),
        ("def f():\n    from .model import Model", ("cli.py",), {"model"}),
        ("import torch, ptm_explore_other.x", ("cli.py",), set()),
    ],
)
def test_imports_are_found(source, module, expected):
    assert imports(ast.parse(source), module) == expected


def test_imports_go_down_only():
    wrong = []
    for path in SOURCES:
        module = path.relative_to(PACKAGE).parts
        name = module[0].removesuffix(".py")
        if name == "__init__":
            continue  # looks names up when they are used
        assert name in RANK, f"say in ORDER where ptm_explore.{name} stands"
        source = path.read_text(encoding="utf-8")
        everywhere = imports(ast.parse(source), module)
        at_import = imports(module_level(ast.parse(source)), module)
        for other in everywhere & RANK.keys():
            if not allowed(name, other, when_called=other not in at_import):
                wrong.append(f"{'/'.join(module)} imports {other}")
    assert wrong == []


@pytest.mark.parametrize("heavy", ["torch", "plotly", "transformers", "IPython"])
def test_importing_the_package_imports_nothing_heavy(heavy):
    code = f"import sys, ptm_explore; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent).returncode == 0


def test_no_page_could_load_anything_from_an_address():
    """Pages work offline. Namespaces only look like addresses; docstrings and comments may cite."""
    pages = [path for path in PACKAGE.rglob("*") if path.suffix in {".js", ".mjs", ".css", ".html", ".svg"}]
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    for path in SOURCES:
        texts[path] = "\n".join(strings(path))
    found = [
        f"{path.relative_to(PACKAGE)}: {address}"
        for path, text in texts.items()
        for address in re.findall(r"(?:https?:)?//[\w-]+(?:\.[\w-]+)+[^\s\"']*", text)
        if "//www.w3.org/" not in address
    ]
    assert found == []


def strings(path: Path) -> list[str]:
    """String literals of a module (f-strings' fixed parts too) that are not docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    literals = [
        node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in statements
    ]
    return [node.value for node in literals if isinstance(node.value, str)]


def code_lines(source: str) -> int:
    """Lines that hold code: neither blank, nor only a comment, nor part of a docstring.

    >>> code_lines('"Doc."\\n\\nx = 1  # one\\n# two\\ny = \\\\\\n  2\\n')
    3
    """
    skip = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def test_code_lines_are_counted():
    assert code_lines('"""Doc\nstring."""\n\nx = 1  # one\n# two\ny = [\n  2,\n]\ntext = """a\nb"""\n') == 6


@pytest.mark.parametrize(
    ("folders", "suffix", "limit"),
    [(["."], ".py", 10_000), (["layers", "models", "objectives"], ".py", 2_400), (["."], ".js", 1_500)],
)
def test_package_stays_small(folders, suffix, limit):
    files = [path for folder in folders for path in (PACKAGE / folder).rglob(f"*{suffix}")]
    texts = [path.read_text(encoding="utf-8") for path in files]
    lines = sum(code_lines(text) if suffix == ".py" else len(text.splitlines()) for text in texts)
    assert 0 < lines < limit
