"""What is written as JSON is what docs/schemas/ describes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from sevensteps.cli import cli
from tests.helpers.faulty_script import SCRIPT

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "schemas" / "sevensteps.schema.json").read_text()
)


def check(content: Any, part: str) -> None:
    """Raise where `content` is not what `part` describes."""
    schema = {"$ref": f"#/$defs/{part}", "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(content)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.fixture
def faulty_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The last line of a training of 8 sigmoid layers."""
    monkeypatch.chdir(tmp_path)
    layers = ", ".join(["8"] * 8)
    words = ["train", "digits", "--predict", f"mlp({layers}, activation='sigmoid')", "--json"]
    result = CliRunner().invoke(
        cli, [*words, "--step", "sgd(lr=0.1)", "--stop", "epochs(2)", "--out", "run"]
    )
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[-1]


def test_a_run_and_its_diagnosis(faulty_run: str) -> None:
    written = json.loads(faulty_run)
    check(written, "run")
    check(json.loads(Path("run/run.json").read_text()), "run")
    assert written["findings"]
    diagnosis = CliRunner().invoke(cli, ["diagnose", "run", "--json", "--try", "--budget", "3"])
    content = json.loads(diagnosis.stdout)
    check(content, "diagnosis")
    assert content["findings"]


@pytest.mark.long
def test_a_script_that_was_watched(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "sevensteps", "watch", "--json", "found.json", "train.py"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    content = json.loads((tmp_path / "found.json").read_text())
    check(content, "watched")
    (training,) = content["trainings"]
    assert training["diagnosis"]["findings"][0]["condition"] == "output_loss_mismatch"


def test_other_content_is_refused() -> None:
    incomplete = {"findings": [{"condition": "dead_units"}], "ruled_out": [], "not_judged": []}
    with pytest.raises(jsonschema.ValidationError):
        check(incomplete, "diagnosis")
