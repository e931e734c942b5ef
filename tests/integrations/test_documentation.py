"""The examples of docs/integrations.md run as they stand there, and print what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.draws
PAGE = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text()
EXAMPLES = {
    "Lightning": "lightning",
    "fastai": "fastai",
    "Hugging Face": "transformers",
    "Keras": "keras",
    "skorch": "skorch",
    "scikit-learn": "sklearn",
    "Accelerate": "accelerate",
}


def code(heading: str) -> str:
    """The first piece of Python under a heading."""
    found = re.search(rf"\n## {heading}\n.*?```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("heading", EXAMPLES)
def test_the_example_runs(
    heading: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(EXAMPLES[heading], reason="make test-integrations")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "train.py"
    script.write_text(f"{code('What is handed on')}\n{code(heading)}", encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    exec(compile(script.read_text(encoding="utf-8"), script, "exec"), names)
    printed = capsys.readouterr()
    said = printed.out + printed.err
    if heading == "Lightning":
        shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
        assert shown is not None
        # what the machine measured is another time, and may be another loss
        assert fixed_lines(shown[1]) == fixed_lines(said[said.index("1 finding") :])
    elif heading == "scikit-learn":
        assert "{'sevenstepsclassifier__step': '" in said
    else:
        assert "Nothing is wrong that can be seen here" in said


def fixed_lines(diagnosis: str) -> list[str]:
    """The lines of a diagnosis without those that hold the time and the loss."""
    lines = [line.rstrip() for line in diagnosis.splitlines()[2:]]
    return [line for line in lines if line and "loss at the end" not in line]
