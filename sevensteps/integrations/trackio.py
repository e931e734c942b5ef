"""trackio: the curves of a run, and its findings as alerts.

sevensteps.integrations.trackio.log_run(run, project="digits")      # then: trackio show
"""

from __future__ import annotations

from typing import Any

from sevensteps.api.run import Run
from sevensteps.integrations import library_of
from sevensteps.integrations.logged_run import alerts, curves, name_of, parameters


def log_run(run: Run, project: str = "sevensteps") -> None:
    """Write a run to trackio's store on this machine, as a run of `project`."""
    trackio: Any = library_of("trackio")
    levels = {
        "info": trackio.AlertLevel.INFO,
        "warning": trackio.AlertLevel.WARN,
        "error": trackio.AlertLevel.ERROR,
    }
    trackio.init(project=project, name=name_of(run), config=parameters(run))
    for step, numbers in curves(run):
        trackio.log(numbers, step=step)
    for alert in alerts(run):
        trackio.alert(alert.title, alert.text, level=levels[alert.level])
    trackio.finish()
