"""The package as its tests read it: every file parsed, and what each imports."""

from __future__ import annotations

import ast
import functools
import gc
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "sevensteps"


@functools.cache
def sources(package: Path = PACKAGE) -> tuple[tuple[Path, ast.Module], ...]:
    """Every Python file below `package`, parsed once for all tests."""
    gc.disable()  # looking for garbage among all the nodes takes longer than making them
    try:
        return tuple(
            (path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
            for path in sorted(package.rglob("*.py"))
        )
    finally:
        gc.freeze()
        gc.enable()


def module_name(path: Path, package: Path = PACKAGE) -> str:
    """The dotted name below the package of the module in `path`, `""` for the package itself."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def module_names(package: Path) -> frozenset[str]:
    """The dotted names below the package of all its modules."""
    return frozenset(module_name(file, package) for file, _ in sources(package))


def imports(path: Path, tree: ast.Module, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and dotted name, below the package, of every module of the package that a file imports.

    Imports inside functions, for types only, and by `import_module("…")` count like any other. `""`
    stands for the package itself; its `__version__` may be imported from anywhere.
    """
    modules = module_names(package)
    here = [package.name, *path.relative_to(package).with_suffix("").parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            inside = ".".join(base[1:])
            names = [
                ".".join([*base, alias.name])
                if ".".join(filter(None, [inside, alias.name])) in modules or base == [package.name]
                else ".".join(base)
                for alias in node.names
            ]
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module"):
            names = [str(text.value) for text in node.args[:1] if isinstance(text, ast.Constant)]
        else:
            continue
        for name in names:
            top, _, inside = name.partition(".")
            if top == package.name and inside != "__version__":
                yield node.lineno, inside


def dotted(node: ast.expr) -> str:
    """`torch.nn.init.normal_` for that chain of attributes, "" for anything that is not one."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
