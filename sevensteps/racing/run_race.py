"""Running a race: trainings prepared in lockstep groups, an epoch of each group in turn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sevensteps.errors import ArgumentError
from sevensteps.racing.grouping import LockstepPlan, plan_groups
from sevensteps.racing.lockstep_loop import Lockstep
from sevensteps.racing.member import Member
from sevensteps.training import interrupts, state
from sevensteps.training import threads as thread_count
from sevensteps.training.resolve import ResolvedRecipe
from sevensteps.training.state import Training


@dataclass
class RaceState:
    """A race under way. `members` are in the order of the recipes; `locksteps` are the groups that
    are trained together, each with its number of threads.
    """

    members: list[Member]
    locksteps: list[tuple[Lockstep, int]] = field(repr=False)

    @property
    def trainings(self) -> list[Training]:
        """The trainings, in the order of the recipes."""
        return [member.training for member in self.members]


def prepare_race(
    resolved: Sequence[ResolvedRecipe], plans: Sequence[LockstepPlan] | None = None
) -> RaceState:
    """The trainings of these recipes before the first step, in groups as planned.

    Observers are added to the members afterwards. Raises `ArgumentError` for no recipes.
    """
    if not resolved:
        raise ArgumentError("a race of no recipes has no winner; give at least one")
    members: dict[int, Member] = {}
    locksteps = []
    for plan in plans or plan_groups(resolved):
        # the members of a group have the same shapes and settings
        together = thread_count.with_threads(resolved[plan.numbers[0]], len(plan.numbers)).recipe
        threads = together.threads or 1
        for number in plan.numbers:
            entry = resolved[number]
            reasons = {**entry.recipe.reasons, "threads": together.reasons["threads"]}
            training = state.start(
                replace(entry, recipe=replace(entry.recipe, threads=threads, reasons=reasons)),
                _training_on_same_samples(entry, members.values()),
            )
            members[number] = Member(number, training)
        group = [members[number] for number in plan.numbers]
        locksteps.append((Lockstep(group, plan.own_order), threads))
    return RaceState([members[number] for number in sorted(members)], locksteps)


def _training_on_same_samples(entry: ResolvedRecipe, members: Iterable[Member]) -> Training | None:
    return next(
        (member.training for member in members if state.alike(entry, member.training.resolved)),
        None,
    )


def run_race(
    race: RaceState,
    after_epoch: Callable[[RaceState, int], None] | None = None,
    report: Callable[[RaceState], None] | None = None,
) -> None:
    """Train every group to its end, an epoch of each in turn.

    `after_epoch(race, epoch)` is called after each round of epochs and may end members;
    `report(race)` is called after each step of a group.
    """
    for lockstep, _ in race.locksteps:
        lockstep.report = report and functools.partial(report, race)
    with interrupts.interruptible(*(training.progress for training in race.trainings)):
        for lockstep, threads in race.locksteps:
            with thread_count.threads(threads):
                lockstep.begin()
        epoch = 0
        while any(lockstep.active for lockstep, _ in race.locksteps):
            for lockstep, threads in race.locksteps:
                if lockstep.active:
                    with thread_count.threads(threads):
                        lockstep.epoch()
            epoch += 1
            if after_epoch is not None:
                after_epoch(race, epoch)
