"""Running a race: trainings prepared in lockstep groups, an epoch of each group in turn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sevensteps.errors import ArgumentError
from sevensteps.racing.grouping import LockstepPlan, plan_groups
from sevensteps.racing.lockstep_loop import Lockstep, Member
from sevensteps.training import interrupts, state
from sevensteps.training import threads as thread_count
from sevensteps.training.resolve import Settled
from sevensteps.training.state import Training


@dataclass
class RaceState:
    """Lanes ready to run. `members` are in the order of the recipes."""

    members: list[Member]
    locksteps: list[tuple[Lockstep, int]] = field(repr=False)  # and its threads

    @property
    def trainings(self) -> list[Training]:
        """The trainings, in the order of the recipes."""
        return [member.training for member in self.members]


def prepare_race(
    settled: Sequence[Settled], parted: Sequence[LockstepPlan] | None = None
) -> RaceState:
    """Make trainings of recipes, in lanes as `parted`. Whoever is to look on is added to the
    members before `run`.
    """
    if not settled:
        raise ArgumentError("a race of no recipes has no winner; give at least one")
    members: dict[int, Member] = {}
    lanes = []
    for group in parted or plan_groups(settled):
        threads, of_group = 1, list[Member]()
        for number in group.numbers:
            one = settled[number]
            threads = one.recipe.threads or thread_count.usual_threads(one, len(group.numbers))
            training = state.start(
                replace(one, recipe=replace(one.recipe, threads=threads)),
                _training_on_same_samples(one, members.values()),
            )
            members[number] = Member(number, training)
            of_group.append(members[number])
        lanes.append((Lockstep(of_group, group.own), threads))
    return RaceState([members[number] for number in sorted(members)], lanes)


def _training_on_same_samples(one: Settled, members: Iterable[Member]) -> Training | None:
    """A training that is there already and has the same samples."""
    return next(
        (member.training for member in members if state.alike(one, member.training.settled)), None
    )


def run_race(
    racing: RaceState,
    after: Callable[[RaceState, int], None] | None = None,
    report: Callable[[RaceState], None] | None = None,
) -> None:
    """Run every lane to its end, an epoch of each in turn.

    `after(field, epoch)` is called after each round, and may end members; `report(field)` after
    each step of a lane."""
    for lane, _ in racing.locksteps:
        lane.report = report and functools.partial(report, racing)
    with interrupts.interruptible(*(training.progress for training in racing.trainings)):
        for lane, threads in racing.locksteps:
            with thread_count.threads(threads):
                lane.begin()
        epoch = 0
        while any(lane.active for lane, _ in racing.locksteps):
            for lane, threads in racing.locksteps:
                if lane.active:
                    with thread_count.threads(threads):
                        lane.epoch()
            epoch += 1
            if after is not None:
                after(racing, epoch)
