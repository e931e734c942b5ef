"""MLflow: the recipe of a run as parameters, its curves as metrics, its findings as tags, its card
as a file.

ss.train("digits", observers=[sevensteps.integrations.mlflow.Live("digits")])   # while it trains
sevensteps.integrations.mlflow.log_run(run, experiment="digits")                # afterwards
"""

from __future__ import annotations

from typing import Any

from sevensteps.api.run import Run
from sevensteps.integrations import library_of
from sevensteps.integrations.logged_run import LiveTracker, alerts


class Live(LiveTracker):
    """An observer that writes a training to MLflow's tracking store as it runs, as a run of
    `experiment`; `number` is its number there.
    """

    def __init__(self, experiment: str = "sevensteps", name: str | None = None) -> None:
        super().__init__(name)
        self.mlflow: Any = library_of("mlflow")
        self.experiment = experiment
        self.number = ""

    def open(self, name: str, parameters: dict[str, str | int]) -> None:
        # a client and the number of the run: a run that your own code has open stays as it is
        self.client = self.mlflow.MlflowClient()
        experiment = self.client.get_experiment_by_name(self.experiment)
        number = (
            self.client.create_experiment(self.experiment)
            if experiment is None
            else experiment.experiment_id
        )
        self.number = str(self.client.create_run(number, run_name=name).info.run_id)
        for key, value in parameters.items():
            self.client.log_param(self.number, key, value)

    def log(self, numbers: dict[str, float], step: int) -> None:
        for name, value in numbers.items():
            self.client.log_metric(self.number, name, value, step=step)

    def complete(self, run: Run) -> None:
        for place, alert in enumerate(alerts(run), 1):
            self.client.set_tag(
                self.number, f"finding {place}", f"{alert.title}: {alert.text}"[:5000]
            )
        self.client.log_text(self.number, run.card(), "card.md")

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.number, "FINISHED" if finished else "FAILED")


def log_run(run: Run, experiment: str = "sevensteps") -> str:
    """Write a run to MLflow's tracking store, as a run of `experiment`, and return its number
    there.
    """
    tracker = Live(experiment)
    tracker.send(run)
    return tracker.number
