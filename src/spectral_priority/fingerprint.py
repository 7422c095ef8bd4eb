"""Fingerprints of code (what a program's results depend on) and of options.

A program's code fingerprint covers its own source and every module of the package that it imports, directly or not,
also inside functions, as syntax: comments, docstrings and formatting don't count. Left out are modules that change no
result (`WITHOUT_EFFECT`) and the configuration (`OPTIONS`). A measure is looked up by name, so its module is added as a
root.
"""

from __future__ import annotations

import ast
import hashlib
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from .config.loading import canonical
from .errors import InputError

PACKAGE = "spectral_priority"
SOURCE = Path(__file__).resolve().parent
SCRIPTS = SOURCE.parents[1] / "workflow" / "scripts"
WITHOUT_EFFECT = frozenset(
    {
        *("errors", "progress", "program", "fingerprint", "training.lock", "training.stopping"),
        *("gpus", "gpus.lease", "gpus.present", "gpus.several"),
        *("store.atomic", "store.checksum", "store.finished", "store.provenance"),
    }
)
"""Modules whose edits change messages, who works when, or how a file gets its name and place: never a result."""

OPTIONS = "config"
"""The typed configuration: what it decides reaches programs as values, and those are fingerprinted as such."""


def code_fingerprint(program: str | Path, roots: Iterable[str] = (), source: Path = SOURCE) -> str:
    """Fingerprint the code that a program's results depend on.

    Parameters
    ----------
    program : str or path
        Name of a program in workflow/scripts (`train`), or a path.
    roots : iterable of str
        Further modules of the package, without its name (`measures.gradient`).
    source : path
        The package's folder.

    Returns
    -------
    str
        16 hexadecimal digits.

    Examples
    --------
    >>> code_fingerprint("train") == code_fingerprint("train", roots=["measures.gradient"])
    False
    """
    path = program if isinstance(program, Path) else SCRIPTS / f"{program}.py"
    own, imported = _read(path, "", source)
    seen: dict[str, str] = {}
    waiting = [*roots, *imported]
    while waiting:
        module = waiting.pop()
        if module in seen or module in WITHOUT_EFFECT or module.partition(".")[0] == OPTIONS or not module:
            continue
        file = _file(module, source)
        if file is None:
            continue
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        seen[module], imported = _read(file, package, source)
        waiting.extend(imported)
        if "." in module:  # importing a module runs its package's __init__ first
            waiting.append(module.rpartition(".")[0])
    digest = hashlib.sha256(own.encode())
    for module in sorted(seen):
        digest.update(f"\n{module}\n{seen[module]}".encode())
    return digest.hexdigest()[:16]


def workflow_fingerprint(file: Path) -> str:
    """Fingerprint a file of Snakemake's language; comments and empty lines don't count."""
    without = (tokenize.COMMENT, tokenize.NL)
    with tokenize.open(file) as lines:
        words = [
            token.string for token in tokenize.generate_tokens(lines.readline) if token.type not in without
        ]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def options_fingerprint(options: Any) -> str:
    """Fingerprint plain options: equal options give equal fingerprints.

    >>> options_fingerprint({"a": 1, "b": 2}) == options_fingerprint({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical(options).encode()).hexdigest()[:16]


def expect_code(program: str, expected: str | None, roots: Iterable[str] = ()) -> str:
    """Return a program's code fingerprint; refuse to run where the study was planned with other code.

    Raises
    ------
    InputError
        Where the source was edited after the study was started.
    """
    found = code_fingerprint(program, roots)
    if expected and expected != found:
        raise InputError(
            f"the code of {program}",
            f"has fingerprint {found}, but the study was started with {expected}",
            "code that stays the same while a study runs",
            "undo the edit, or start the study again: what the edit doesn't touch is kept",
        )
    return found


@cache
def _read(path: Path, package: str, source: Path) -> tuple[str, tuple[str, ...]]:
    """Return a module's syntax as text and what it imports: once, however many programs use it."""
    tree = _syntax(path)
    return ast.dump(tree), tuple(_imports(tree, package, source))


def _syntax(path: Path) -> ast.Module:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except OSError as error:
        raise InputError(path, f"can't be read ({error})") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A string that stands alone is a docstring, or an attribute's.
            node.body = [item for item in node.body if not _is_text(item)] or [ast.Pass()]
    return tree


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _file(module: str, source: Path) -> Path | None:
    base = source.joinpath(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return file
    return None


def _imports(tree: ast.Module, package: str, source: Path) -> Iterator[str]:
    """Modules of the package that a syntax tree imports; `package` is the one it lies in ('' = the top)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith(PACKAGE + "."):
                    yield name.name.removeprefix(PACKAGE + ".")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                parts = package.split(".") if package else []
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            elif node.module == PACKAGE or (node.module or "").startswith(PACKAGE + "."):
                base = node.module.removeprefix(PACKAGE).removeprefix(".")
            else:
                continue
            if base:
                yield base
            for name in node.names:
                module = f"{base}.{name.name}" if base else name.name
                if _file(module, source) is not None:
                    yield module
