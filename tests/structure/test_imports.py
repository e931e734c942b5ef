"""Imports run down the house and in no circle: DESIGN section 3, read off the source."""

from __future__ import annotations

import ast
from pathlib import Path

import networkx

from tests.structure.sources import PACKAGE, imports, module_name, sources

# From the top of the house down: a unit (a package, or a module beside the packages) may import
# what stands below it.
FLOORS = (
    "__main__",
    "cli",
    "integrations",
    "api",
    "view",
    "explain",
    "doctor",
    "lr_finder",
    "racing",
    "observe",
    "record",
    "training",
    "steps",
    "engine",
    "data",
    "render",
    "metrics",
    "head",
    "task",
    "seeds",
    "notation",
    "aliases",
    "arguments",
    "errors",
)
FLOOR = {unit: level for level, unit in enumerate(FLOORS)}


def wrong_imports(package: Path) -> list[str]:
    """The imports of a unit that stands above the importing one, each with its place."""
    wrong = []
    for path, tree in sources(package):
        unit = module_name(path, package).split(".")[0]
        if not unit:  # the public names: they come from every floor
            continue
        if unit not in FLOOR:
            wrong.append(f"{path.name}: {unit} has no floor in tests/structure/test_imports.py")
            continue
        for line, name in imports(path, tree, package):
            other = name.split(".")[0]
            where = f"{path.relative_to(package)}:{line}: {unit} imports {other or 'the package'}"
            if other not in FLOOR:
                wrong.append(f"{where}, which has no floor")
            elif FLOOR[other] < FLOOR[unit]:
                wrong.append(f"{where}, which stands above it")
    return wrong


def circles(package: Path) -> list[list[str]]:
    """Modules that import each other, directly or through others, wherever the imports stand."""
    graph = networkx.DiGraph()
    for path, tree in sources(package):
        module = module_name(path, package)
        if module:
            graph.add_edges_from(
                (module, name) for _, name in imports(path, tree, package) if name != module
            )
    return [
        sorted(group) for group in networkx.strongly_connected_components(graph) if len(group) > 1
    ]


def test_imports_run_down_the_house() -> None:
    assert wrong_imports(PACKAGE) == []


def test_no_modules_import_each_other() -> None:
    assert circles(PACKAGE) == []


def house(folder: Path, files: dict[str, str]) -> Path:
    """A package of these files, to check the checks with."""
    package = folder / "sevensteps"
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def test_the_import_check_sees_what_it_should(tmp_path: Path) -> None:
    package = house(
        tmp_path,
        {
            "__init__.py": "from sevensteps.api.train import train",
            "errors.py": "",
            "seeds.py": "from sevensteps import errors, __version__",
            "task.py": "from sevensteps.data import load",
            "data/__init__.py": "from sevensteps.task import Task\nfrom . import idx",
            "data/idx.py": "from ..training.loop import train\nfrom .. import notation",
            "steps/predict.py": "from sevensteps.data import Data\nfrom sevensteps import task",
            "head.py": "import importlib\nimportlib.import_module('sevensteps.cli')",
            "metrics.py": "import sevensteps",
            "notation.py": "def late():\n    import sevensteps.record.writer",
            "attic.py": "",
        },
    )
    assert wrong_imports(package) == [
        "attic.py: attic has no floor in tests/structure/test_imports.py",
        "data/idx.py:1: data imports training, which stands above it",
        "head.py:2: head imports cli, which stands above it",
        "metrics.py:1: metrics imports the package, which has no floor",
        "notation.py:2: notation imports record, which stands above it",
        "task.py:1: task imports data, which stands above it",
    ]


def test_the_circle_check_sees_lazy_and_typing_imports(tmp_path: Path) -> None:
    package = house(
        tmp_path,
        {
            "__init__.py": "",
            "data/__init__.py": "",
            "data/part.py": "def late():\n    from sevensteps.data.checks import check",
            "data/checks.py": "if TYPE_CHECKING:\n    from sevensteps.data import split",
            "data/split.py": "from sevensteps.data.part import Part",
            "data/scaling.py": "from sevensteps.data.part import Part",
        },
    )
    assert circles(package) == [["data.checks", "data.part", "data.split"]]


def test_the_loop_knows_no_observer() -> None:
    path = PACKAGE / "training" / "loop.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    units = {name.split(".")[0] for _, name in imports(path, tree)}
    assert units
    assert all(FLOOR[unit] >= FLOOR["training"] for unit in units)
