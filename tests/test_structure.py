"""The house rules of DESIGN section 3, read off the source: which way imports run, what no file may
do, how long one may be.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError
from packaging.requirements import Requirement

from sevensteps import steps
from sevensteps.head import Output
from sevensteps.task import Task

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sevensteps"

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
    "arguments",
    "errors",
)
FLOOR = {unit: level for level, unit in enumerate(FLOORS)}


def sources(package: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file below `package`, parsed."""
    for path in sorted(package.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path, tree: ast.Module, package: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name, below the package, of everything of the package that a file imports,
    anywhere in it.

    `""` stands for the package itself. Names imported from it are taken for its modules, except
    `__version__`."""
    here = list(path.relative_to(package.parent).with_suffix("").parts)
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ([*here[: len(here) - node.level]] if node.level else []) + (
                node.module.split(".") if node.module else []
            )
            found = [
                ".".join([*base, alias.name]) if base == [package.name] else ".".join(base)
                for alias in node.names
            ]
        elif isinstance(node, ast.Call) and name_of(node.func) in (
            "importlib.import_module",
            "import_module",
        ):
            found = [
                str(argument.value)
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant)
            ]
        for name in found:
            if name == package.name or name.startswith(package.name + "."):
                inside = name[len(package.name) + 1 :]
                if inside != "__version__":
                    yield node.lineno, inside


def name_of(node: ast.expr) -> str:
    """`torch.nn.init.normal_` for that chain of attributes, "" for anything that is not one."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def wrong_imports(package: Path) -> list[str]:
    """The imports of a unit that stands above the importing one, each with its place."""
    wrong = []
    for path, tree in sources(package):
        unit = path.relative_to(package).with_suffix("").parts[0]
        if unit == "__init__":  # the public names: they come from every floor
            continue
        if unit not in FLOOR:
            wrong.append(f"{path.name}: {unit} has no floor in tests/test_structure.py")
            continue
        for line, name in imports(path, tree, package):
            other = name.split(".")[0]
            where = f"{path.relative_to(package)}:{line}: {unit} imports {other or 'the package itself'}"
            if other not in FLOOR:
                wrong.append(f"{where}, which is no module of the house")
            elif FLOOR[other] < FLOOR[unit]:
                wrong.append(f"{where}, which stands above it")
    return wrong


def unsafe(tree: ast.Module) -> list[str]:
    """What would run or unpickle foreign text: `eval`, `exec`, `compile`, `torch.load`, any use of
    a pickling module.
    """
    modules = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    calls = {
        "eval",
        "exec",
        "compile",
        "__import__",
        "builtins.eval",
        "builtins.exec",
        "torch.load",
        "torch.save",
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [
                f"{node.lineno}: import {alias.name}"
                for alias in node.names
                if alias.name.split(".")[0] in modules
            ]
        elif (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in modules
        ):
            found.append(f"{node.lineno}: from {node.module}")
        elif isinstance(node, ast.ImportFrom) and node.module == "torch":
            found += [
                f"{node.lineno}: torch.{alias.name}"
                for alias in node.names
                if alias.name in ("load", "save")
            ]
        elif isinstance(node, ast.Call):
            name = name_of(node.func)
            if name in calls or name.endswith("read_pickle"):
                found.append(f"{node.lineno}: {name}(…)")
            found += [
                f"{node.lineno}: {name}(allow_pickle=…)"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
            ]
    return found


DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"}
DRAWS_IN_PLACE = {
    "normal_",
    "uniform_",
    "bernoulli_",
    "random_",
    "exponential_",
    "trunc_normal_",
    "orthogonal_",
    "sparse_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "dropout",
    "alpha_dropout",
}
GLOBAL_STATE = {
    "manual_seed",
    "seed",
    "initial_seed",
    "get_rng_state",
    "set_rng_state",
    "manual_seed_all",
    "fork_rng",
}


def global_draws(tree: ast.Module) -> list[str]:
    """Calls that read, seed or draw from a generator that the caller was not given."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = name_of(node.func)
        last = node.func.attr if isinstance(node.func, ast.Attribute) else name
        given = any(keyword.arg in ("generator", None) for keyword in node.keywords)
        of_torch = name.startswith("torch.")
        draws = last in DRAWS_IN_PLACE or (of_torch and last in DRAWS)
        foreign = re.match(
            r"(random|torch\.random)\.|(np|numpy)\.random\.(?!default_rng$|Generator$|PCG64$)", name
        )
        if foreign or (of_torch and last in GLOBAL_STATE) or (draws and not given):
            found.append(f"{node.lineno}: {name or last}(…)")
    return found


def test_imports_run_down_the_house() -> None:
    assert wrong_imports(PACKAGE) == []


def test_the_import_check_sees_what_it_should(tmp_path: Path) -> None:
    house = tmp_path / "sevensteps"
    (house / "data").mkdir(parents=True)
    (house / "steps").mkdir()
    for name, text in {
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
    }.items():
        (house / name).write_text(text)
    assert wrong_imports(house) == [
        "attic.py: attic has no floor in tests/test_structure.py",
        "data/idx.py:1: data imports training, which stands above it",
        "head.py:2: head imports cli, which stands above it",
        "metrics.py:1: metrics imports the package itself, which is no module of the house",
        "notation.py:2: notation imports record, which stands above it",
        "task.py:1: task imports data, which stands above it",
    ]


def test_the_loop_knows_no_observer() -> None:
    path = PACKAGE / "training" / "loop.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    units = {name.split(".")[0] for _, name in imports(path, tree, PACKAGE)}
    assert all(FLOOR[unit] >= FLOOR["training"] for unit in units)


def test_nothing_foreign_is_run_or_unpickled() -> None:
    assert {
        str(path.relative_to(ROOT)): unsafe(tree) for path, tree in sources(PACKAGE) if unsafe(tree)
    } == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import dump",
        "eval('1')",
        "exec(text)",
        "torch.load(path)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "pandas.read_pickle(path)",
    ],
)
def test_the_safety_check_sees(text: str) -> None:
    assert unsafe(ast.parse(text)) != []


def test_the_safety_check_lets_pass() -> None:
    text = "network.eval(); re.compile('x'); np.load(path, allow_pickle=False); safetensors.torch.load(data)"
    assert unsafe(ast.parse(text)) == []


def test_only_seeds_touches_a_global_generator() -> None:
    found = {
        str(path.relative_to(ROOT)): global_draws(tree)
        for path, tree in sources(PACKAGE)
        if path.name != "seeds.py"
    }
    assert {name: draws for name, draws in found.items() if draws} == {}


@pytest.mark.parametrize(
    "text",
    [
        "torch.manual_seed(0)",
        "torch.seed()",
        "torch.cuda.manual_seed_all(0)",
        "torch.random.fork_rng()",
        "random.random()",
        "np.random.rand(3)",
        "torch.randn(3)",
        "x.normal_()",
        "nn.init.kaiming_normal_(w)",
        "F.dropout(x, 0.5)",
    ],
)
def test_the_generator_check_sees(text: str) -> None:
    assert global_draws(ast.parse(text)) != []


def test_the_generator_check_lets_pass() -> None:
    text = "torch.randn(3, generator=g); x.normal_(generator=g); torch.Generator().manual_seed(1); np.random.default_rng(0)"
    assert global_draws(ast.parse(text)) == []


@pytest.mark.parametrize("step", steps.STEPS)
def test_every_value_says_what_it_is_and_where_it_comes_from(step: str) -> None:
    entries = steps.catalog(step)
    assert len(entries) >= 2
    for entry in entries:
        assert 10 <= len(entry.summary) <= 110, (
            f"{step}.{entry.name}: {len(entry.summary)} characters: {entry.summary}"
        )
        if entry.name != "auto":
            assert re.search(r"Source|[=≤≥<>²√·×σΣ∂]", entry.doc), (
                f"{step}.{entry.name}: no source, no formula"
            )


def pinned() -> list[str]:
    """The lines of constraints.txt that are not comments."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_tested_version_is_exact() -> None:
    pins = pinned()
    assert [
        line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line)
    ] == []
    assert "torch==2.13.0" in pins


def test_every_dependency_has_a_tested_version_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    versions = {
        name.lower().replace("_", "-"): version
        for name, version in (pin.split("==") for pin in pinned())
    }
    for requirement in map(Requirement, asked):
        assert versions[requirement.name.lower()] in requirement.specifier


def test_the_tests_check_shapes() -> None:
    output = Output(Task("regression", 1, (), "given"), 1, "identity", "value", "given")
    assert output.predict(torch.zeros(2, 1)).shape == (2, 1)
    with pytest.raises(TypeCheckError):
        output.predict(torch.zeros(2))
    with pytest.raises(TypeCheckError):
        output.decide(torch.zeros(2, 1, dtype=torch.int64))
