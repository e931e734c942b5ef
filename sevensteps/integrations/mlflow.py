"""MLflow: the recipe of a run as parameters, its curves as metrics, its findings as tags, its card
as a file.

sevensteps.integrations.mlflow.log_run(run, experiment="digits")
"""

from __future__ import annotations

from typing import Any

from sevensteps.api.run import Run
from sevensteps.integrations import library_of
from sevensteps.integrations.logged_run import alerts, curves, name_of, parameters


def log_run(run: Run, experiment: str = "sevensteps") -> str:
    """Write a run to MLflow's tracking store, as a run of `experiment`, and return its number
    there.
    """
    mlflow: Any = library_of("mlflow")
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=name_of(run)) as logged:
        mlflow.log_params(parameters(run))
        for step, numbers in curves(run):
            mlflow.log_metrics(numbers, step=step)
        for place, alert in enumerate(alerts(run), 1):
            mlflow.set_tag(f"finding {place}", f"{alert.title}: {alert.text}"[:5000])
        mlflow.log_text(run.card(), "card.md")
        return str(logged.info.run_id)
