"""Starting up is quick because little is imported: what is, is asserted here;
benchmarks/limits/startup.py measures the seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "sklearn", "scipy", "PIL", "pooch", "safetensors", "jaxtyping"}


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `code`."""
    report = (
        "import json, sys; names = sorted({name.split('.')[0] for name in sys.modules}); "
        "print(json.dumps(names), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def command(*arguments: str) -> str:
    """Code that runs the command line with `arguments` and goes on after it exits."""
    return (
        f"import sys; sys.argv = {['sevensteps', *arguments]!r}\n"
        "from sevensteps.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["--version"], ["steps"], ["steps", "loss"]]
)
@pytest.mark.sampled(1)
def test_answers_that_need_no_tensor_load_no_torch(arguments: list[str]) -> None:
    assert loaded(command(*arguments)) & HEAVY == set()


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert loaded("import sevensteps; sevensteps.__version__; dir(sevensteps)") & HEAVY == set()


@pytest.mark.long
def test_a_recipe_adds_only_what_a_recipe_needs() -> None:
    added = loaded("import torch, sevensteps; sevensteps.Recipe") - loaded("import torch")
    assert added & {"sklearn", "scipy", "PIL", "pooch", "rich", "click", "pandas"} == set()
    assert "sevensteps" in added


def test_the_digits_are_read_without_the_library_that_brings_them() -> None:
    assert not loaded("import sevensteps as ss; ss.data.load('digits')") & {"sklearn", "scipy"}
