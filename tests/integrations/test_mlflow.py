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


def test_a_training_is_in_mlflow_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="make test-integrations")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(tmp_path.as_uri())
    live = ss.integrations.mlflow.Live("speed", name="one")
    seen: list[tuple[str, float]] = []

    class Reader(ss.Observer):
        def evaluated(self, training: object, row: object) -> None:
            logged = mlflow.get_run(live.number)
            seen.append((logged.info.status, logged.data.metrics["epoch"]))

    ss.train("speed", stop="epochs(2)", out=False, observers=[live, Reader()])
    assert seen == [("RUNNING", 1), ("RUNNING", 2)]
    assert mlflow.get_run(live.number).info.status == "FINISHED"
    assert mlflow.active_run() is None
