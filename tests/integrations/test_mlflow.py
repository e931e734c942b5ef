"""MLflow holds the recipe, the curves and the findings of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss


@pytest.fixture(scope="module")
def run() -> ss.Run:
    """A run with findings, and without a folder."""
    return ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)


def test_mlflow_holds_recipe_curves_and_findings(
    run: ss.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="make test-integrations")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(tmp_path.as_uri())
    number = ss.integrations.mlflow.log_run(run)
    logged = mlflow.get_run(number)
    assert logged.data.params["predict"] == "mlp(20)"
    assert logged.data.metrics["valid/loss"] == run.history[-1]["valid"]["loss"]
    assert logged.data.tags["finding 1"].startswith(run.findings[0].condition)
