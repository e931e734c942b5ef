"""A race on a terminal: one live line that says how far and who is ahead; in a log, a plain line an
epoch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sevensteps.metrics import primary, score
from sevensteps.racing.ray_tasks import RayProgress
from sevensteps.racing.run import RaceState
from sevensteps.view.progress import REDRAW

if TYPE_CHECKING:
    from rich.progress import Progress

LOG_SECONDS = 1.0  # seconds between two lines of a log


@contextmanager
def race_view(wanted: bool | None, on_ray: bool = False) -> Iterator[Callable[[Any], None] | None]:
    """What to call after each step: a live line where there is a terminal, one line an epoch where
    there is none and it is asked for.

    Of a race on Ray, whose steps are elsewhere, both say how many groups are done.
    """
    if sys.stderr.isatty() and wanted is not False:
        live = GroupsLine() if on_ray else RaceLine()
        try:
            yield live
        finally:
            live.close()
    else:
        yield (GroupsLog() if on_ray else RaceLog()) if wanted else None


def best_so_far(racing: RaceState) -> str:
    """The best metric so far."""
    rows = [
        member.training.best.valid for member in racing.members if member.training.best is not None
    ]
    if not rows:
        return ""
    return describe_best(max(rows, key=score))


def describe_best(valid: dict[str, Any]) -> str:
    """`best accuracy 0.9500`, of validation metrics."""
    name = primary(valid)
    return f"best {name} {valid[name]:.4f}"


def describe_ray_progress(tally: RayProgress) -> str:
    """How far a race on Ray is: `3 of 8 groups done, best accuracy 0.9500, 2 machines, 8 CPUs`."""
    best = f"{describe_best(tally.best)}, " if tally.best else ""
    machines = f"{tally.nodes} {'machine' if tally.nodes == 1 else 'machines'}"
    return f"{tally.done} of {tally.groups} groups done, {best}{machines}, {tally.cpus} {'CPU' if tally.cpus == 1 else 'CPUs'}"


class RaceLine:
    """One line that is drawn over: epochs, how many are in the race, the best so far, time left."""

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.next = 0.0

    def __call__(self, racing: RaceState) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + REDRAW
        trainings = racing.trainings
        totals = [training.total for training in trainings]
        if self.bar is None:
            self._open(None if None in totals else sum(total or 0 for total in totals))
        running = [member for member in racing.members if not member.ended]
        done = sum(
            (training.total if member.ended else None) or training.progress.step
            for member, training in zip(racing.members, trainings, strict=True)
        )
        epoch = 1 + min((member.training.progress.epoch for member in running), default=0)
        assert self.bar is not None
        self.bar.update(
            self.task,
            completed=done,
            epoch=f"epoch {epoch}",
            ahead=best_so_far(racing),
            refresh=True,
            running=f"{len(running)} of {len(trainings)} in the race",
        )

    def _open(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns: list[Any] = [
            TextColumn("{task.fields[epoch]}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[running]}"),
            TextColumn("{task.fields[ahead]}"),
            TimeRemainingColumn(compact=True),
        ]
        self.bar = Progress(
            *columns, console=Console(stderr=True), transient=True, auto_refresh=False
        )
        self.task = self.bar.add_task("", total=total, epoch="", running="", ahead="")
        self.bar.start()

    def close(self) -> None:
        """Take the line away and show the cursor again."""
        if self.bar is not None:
            self.bar.stop()


class RaceLog:
    """A plain line every now and then, when every training that is left has done one more epoch, for logs and pipes."""

    def __init__(self) -> None:
        self.epoch, self.next = 0, 0.0

    def __call__(self, racing: RaceState) -> None:
        running = [member.training.progress.epoch for member in racing.members if not member.ended]
        now = time.monotonic()
        if running and min(running) > self.epoch and now >= self.next:
            self.epoch, self.next = min(running), now + LOG_SECONDS
            print(
                f"epoch {self.epoch} done, {len(running)} of {len(racing.members)} in the race, "
                f"{best_so_far(racing)}",
                file=sys.stderr,
                flush=True,
            )


class GroupsLine:
    """One line that is drawn over: the groups of a race on Ray."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.status import Status

        self.status = Status("starting Ray", console=Console(stderr=True))
        self.status.start()

    def __call__(self, tally: RayProgress) -> None:
        self.status.update(describe_ray_progress(tally))

    def close(self) -> None:
        """Take the line away and show the cursor again."""
        self.status.stop()


class GroupsLog:
    """A plain line when there is one more group done, for logs and pipes."""

    def __init__(self) -> None:
        self.done = -1

    def __call__(self, tally: RayProgress) -> None:
        if tally.done > self.done:
            self.done = tally.done
            print(describe_ray_progress(tally), file=sys.stderr, flush=True)
