"""What no file may do: run or unpickle foreign text, draw from a global generator."""

from __future__ import annotations

import ast
import re

import pytest

from tests.structure.sources import ROOT, dotted, sources


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
            name = dotted(node.func)
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
        name = dotted(node.func)
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


def test_nothing_foreign_is_run_or_unpickled() -> None:
    assert {
        str(path.relative_to(ROOT)): unsafe(tree) for path, tree in sources() if unsafe(tree)
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
    text = (
        "network.eval(); re.compile('x'); np.load(path, allow_pickle=False); "
        "safetensors.torch.load(data)"
    )
    assert unsafe(ast.parse(text)) == []


def test_only_seeds_touches_a_global_generator() -> None:
    found = {
        str(path.relative_to(ROOT)): global_draws(tree)
        for path, tree in sources()
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
    text = (
        "torch.randn(3, generator=g); x.normal_(generator=g); "
        "torch.Generator().manual_seed(1); np.random.default_rng(0)"
    )
    assert global_draws(ast.parse(text)) == []
