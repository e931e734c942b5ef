"""The progress of a race on a terminal: a live line; in a log, a plain line an epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sevensteps.metrics import primary, score
from sevensteps.racing.ray_tasks import RayProgress
from sevensteps.racing.run_race import RaceState
from sevensteps.seeds import preserved_python_state
from sevensteps.view.live_picture import LiveDisplay, LiveState, in_notebook
from sevensteps.view.progress import REDRAW

if TYPE_CHECKING:
    from rich.progress import Progress

LOG_SECONDS = 1.0  # between two lines of a log


@contextmanager
def race_view(wanted: bool | None, on_ray: bool = False) -> Iterator[Callable[[Any], None] | None]:
    """What to call after each step to show progress: a live line on a terminal and a live picture
    in a notebook, unless `wanted` is False; else a line per epoch, if `wanted` is True; else None.

    For a race on Ray, whose steps run elsewhere, both show how many groups are done.
    """
    if sys.stderr.isatty() and wanted is not False:
        live = GroupsLine() if on_ray else RaceLine()
        try:
            yield live
        finally:
            live.close()
    elif in_notebook() and wanted is not False:
        from sevensteps.view.notebook_progress import NotebookRace

        picture = GroupsPicture() if on_ray else NotebookRace()
        try:
            yield picture
        finally:
            picture.close()
    else:
        yield (GroupsLog() if on_ray else RaceLog()) if wanted else None


def best_so_far(state: RaceState) -> str:
    """The best validation metric of all members so far, as text; "" before the first."""
    rows = [
        member.training.best.valid for member in state.members if member.training.best is not None
    ]
    if not rows:
        return ""
    return describe_best(max(rows, key=score))


def describe_best(valid: dict[str, Any]) -> str:
    """The main metric of `valid`, as in `best accuracy 0.9500`."""
    name = primary(valid)
    return f"best {name} {valid[name]:.4f}"


def describe_ray_progress(progress: RayProgress) -> str:
    """How far a race on Ray is: `3 of 8 groups done, best accuracy 0.95, 2 machines, 8 CPUs`."""
    best = f"{describe_best(progress.best)}, " if progress.best else ""
    machines = f"{progress.nodes} {'machine' if progress.nodes == 1 else 'machines'}"
    cpus = f"{progress.cpus} {'CPU' if progress.cpus == 1 else 'CPUs'}"
    return f"{progress.done} of {progress.groups} groups done, {best}{machines}, {cpus}"


class RaceLine:
    """One line that is overwritten: epoch, networks in the race, the best so far, time left."""

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.next = 0.0

    def __call__(self, state: RaceState) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + REDRAW
        trainings = state.trainings
        totals = [training.total for training in trainings]
        if self.bar is None:
            self._open(None if None in totals else sum(total or 0 for total in totals))
        running = [member for member in state.members if not member.ended]
        done = sum(
            (training.total if member.ended else None) or training.progress.step
            for member, training in zip(state.members, trainings, strict=True)
        )
        epoch = 1 + min((member.training.progress.epoch for member in running), default=0)
        assert self.bar is not None
        self.bar.update(
            self.task,
            completed=done,
            epoch=f"epoch {epoch}",
            ahead=best_so_far(state),
            refresh=True,
            running=f"{len(running)} of {len(trainings)} in the race",
        )

    def _open(self, total: int | None) -> None:
        with preserved_python_state():
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
        """Remove the line and show the cursor again."""
        if self.bar is not None:
            self.bar.stop()


class RaceLog:
    """A plain line, at most one a second, when all networks in the race have finished an epoch; for
    logs and pipes.
    """

    def __init__(self) -> None:
        self.epoch, self.next = 0, 0.0

    def __call__(self, state: RaceState) -> None:
        running = [member.training.progress.epoch for member in state.members if not member.ended]
        now = time.monotonic()
        if running and min(running) > self.epoch and now >= self.next:
            self.epoch, self.next = min(running), now + LOG_SECONDS
            print(
                f"epoch {self.epoch} done, {len(running)} of {len(state.members)} in the race, "
                f"{best_so_far(state)}",
                file=sys.stderr,
                flush=True,
            )


class GroupsLine:
    """One line that is overwritten: how many groups of a race on Ray are done."""

    def __init__(self) -> None:
        with preserved_python_state():
            from rich.console import Console
            from rich.status import Status

        self.status = Status("starting Ray", console=Console(stderr=True))
        self.status.start()

    def __call__(self, progress: RayProgress) -> None:
        self.status.update(describe_ray_progress(progress))

    def close(self) -> None:
        """Remove the line and show the cursor again."""
        self.status.stop()


class GroupsPicture:
    """The output of a notebook's cell: how many groups of a race on Ray are done, and the best."""

    def __init__(self) -> None:
        self.display = LiveDisplay()
        self.progress: RayProgress | None = None

    def __call__(self, progress: RayProgress) -> None:
        news = self.progress is None or progress.done > self.progress.done
        self.progress = progress
        if news or self.display.due:
            self._show(progress)

    def close(self) -> None:
        """Show the last state."""
        if self.progress is not None:
            self._show(self.progress)

    def _show(self, progress: RayProgress) -> None:
        share = progress.done / progress.groups if progress.groups else None
        self.display.show(LiveState("Race on Ray", describe_ray_progress(progress), share=share))


class GroupsLog:
    """A plain line when another group is done, for logs and pipes."""

    def __init__(self) -> None:
        self.done = -1

    def __call__(self, progress: RayProgress) -> None:
        if progress.done > self.done:
            self.done = progress.done
            print(describe_ray_progress(progress), file=sys.stderr, flush=True)
