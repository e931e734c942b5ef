"""trackio: the curves of a run, and its findings as alerts.

ss.train("digits", observers=[sevensteps.integrations.trackio.Live("digits")])   # while it trains
sevensteps.integrations.trackio.log_run(run, project="digits")                   # afterwards
# then: trackio show
"""

from __future__ import annotations

from typing import Any

from sevensteps.api.run import Run
from sevensteps.integrations import library_of
from sevensteps.integrations.logged_run import LiveTracker, alerts


class Live(LiveTracker):
    """An observer that writes a training to trackio's store on this machine as it runs, as a run of
    `project`.
    """

    def __init__(self, project: str = "sevensteps", name: str | None = None) -> None:
        super().__init__(name)
        self.trackio: Any = library_of("trackio")
        self.project = project

    def open(self, name: str, parameters: dict[str, str | int]) -> None:
        self.trackio.init(project=self.project, name=name, config=parameters)

    def log(self, numbers: dict[str, float], step: int) -> None:
        self.trackio.log(numbers, step=step)

    def complete(self, run: Run) -> None:
        levels = {
            "info": self.trackio.AlertLevel.INFO,
            "warning": self.trackio.AlertLevel.WARN,
            "error": self.trackio.AlertLevel.ERROR,
        }
        for alert in alerts(run):
            self.trackio.alert(alert.title, alert.text, level=levels[alert.level])

    def close(self, finished: bool) -> None:
        self.trackio.finish()


def log_run(run: Run, project: str = "sevensteps") -> None:
    """Write a run to trackio's store on this machine, as a run of `project`."""
    Live(project).send(run)
