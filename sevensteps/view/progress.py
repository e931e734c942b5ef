"""The progress of a training: one live line on a terminal, a plain line per epoch in a log, a live
picture in a notebook.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sevensteps.metrics import LOWER_IS_BETTER, primary
from sevensteps.render.blocks import sparkline
from sevensteps.render.text import metric_text
from sevensteps.seeds import preserved_python_state
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training
from sevensteps.view.live_picture import in_notebook

if TYPE_CHECKING:
    from rich.progress import Progress

REDRAW = 0.1  # seconds
COMPILING = "compiling the steps of compiled(), once on this machine …"


@contextmanager
def progress_view(wanted: bool | None) -> Iterator[list[Observer]]:
    """The observers that show progress: a live line on a terminal and a live picture in a notebook,
    unless `wanted` is False; else a line per epoch, if `wanted` is True.

    The terminal is restored however the training ends.
    """
    if sys.stderr.isatty() and wanted is not False:
        live = LiveLine()
        try:
            yield [live]
        finally:
            live.close()
    elif in_notebook() and wanted is not False:
        from sevensteps.view.notebook_progress import NotebookProgress

        yield [NotebookProgress()]
    else:
        yield [LogLines()] if wanted else []


def metrics_line(metrics: dict[str, Any]) -> str:
    """The loss and the metric of one part of the data: `loss 0.1234  accuracy 0.9722`."""
    return "  ".join(
        f"{name} {metric_text(name, metrics[name])}"
        for name in LOWER_IS_BETTER
        if metrics.get(name) is not None
    )


def loss_curve(losses: list[float], width: int = 8) -> str:
    """The losses so far as a curve from 0 to the highest, `width` characters at most.

    >>> loss_curve([2.0, 1.0, 0.5])
    '█▅▃'
    """
    highest = max(filter(math.isfinite, losses), default=1.0)
    return sparkline(losses, 0.0, highest, width)


class LiveLine(Observer):
    """One line that is overwritten: epoch, loss, the curve so far, metric, samples per second, time
    left.
    """

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.losses: list[float] = []  # on the validation samples, by epoch

    def started(self, training: Training) -> None:
        with preserved_python_state():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.metric = ""
        self.next = 0.0
        self.bar = Progress(
            TextColumn("{task.fields[epoch]}"),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[curve]}", style="cyan"),
            TextColumn("{task.fields[metric]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self.task = self.bar.add_task(
            "", total=training.total, epoch="epoch 1", loss="", curve="", metric="", rate=""
        )
        self.bar.start()

    def stepped(self, training: Training) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + REDRAW
        self._draw(training)

    def free_steps(self, training: Training) -> int:
        return sys.maxsize  # so many as there are between two redraws

    def compiling(self, training: Training) -> None:
        assert self.bar is not None  # started
        self.bar.update(self.task, epoch=COMPILING, refresh=True)

    def _draw(self, training: Training) -> None:
        progress = training.progress
        epochs = f"/{-(-training.total // training.per_epoch)}" if training.total else ""
        rate = f"{progress.samples / progress.seconds:,.0f}/s" if progress.seconds else ""
        assert self.bar is not None  # started
        self.bar.update(
            self.task,
            completed=progress.step,
            epoch=f"epoch {-(-progress.step // training.per_epoch)}{epochs}",
            loss=f"loss {progress.loss:.4f}",
            curve=loss_curve(self.losses),
            metric=self.metric,
            rate=rate,
            refresh=True,
        )

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        name, loss = primary(row["valid"]), row["valid"].get("loss")
        self.losses.append(math.nan if loss is None else loss)
        self.metric = f"{name} {row['valid'][name]:.4f}" if name != "loss" else ""

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        self.close()

    def close(self) -> None:
        """Remove the line and show the cursor again."""
        if self.bar is not None:
            self.bar.stop()


class LogLines(Observer):
    """One plain line per epoch, for logs and pipes."""

    def compiling(self, training: Training) -> None:
        print(COMPILING, file=sys.stderr, flush=True)

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        progress = training.progress
        rate = f"  {progress.samples / progress.seconds:,.0f} samples/s" if progress.seconds else ""
        print(
            f"epoch {row['epoch']}  step {row['step']}  train loss {row['train']['loss']:.4g}  "
            f"valid {metrics_line(row['valid'])}{rate}  "
            f"{row['seconds']:.1f} s",
            file=sys.stderr,
            flush=True,
        )
