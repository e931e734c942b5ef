"""The doctor of a race: it watches the members together, and examines in full those whose training
looks wrong, or all, or none. What is known of the data is shared by all examinations.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.case_folder import (
    write_case,
    write_first_findings,
    write_observation,
    write_unexamined,
)
from sevensteps.doctor.examination import Examination, examine
from sevensteps.doctor.observer import DoctorObserver, examine_start, training_case
from sevensteps.doctor.race_signs import sign_of_trouble, skill
from sevensteps.engine.modules import Dropout
from sevensteps.observe.observation import Observation
from sevensteps.racing.ensemble_watcher import EnsembleWatcher
from sevensteps.racing.member import Member
from sevensteps.racing.run_race import RaceState
from sevensteps.record.database import Record
from sevensteps.seeds import Isolation, generator
from sevensteps.steps.stop import Progress
from sevensteps.training.recipe import PRECISIONS
from sevensteps.training.state import Training

Examined = Literal["odd", "all", False]
MOST_EXAMINED = 8  # members that look wrong and are examined: what is wrong is mostly the same


class MemberDoctor(DoctorObserver):
    """The doctor's observer of one member of a race.

    Its looks are those of its group, where the group is watched together, else its own. `why` says
    why the member is examined in full; "" where it is not, and then `case` is what it left.
    """

    def __init__(self, number: int, race: RaceDoctor) -> None:
        super().__init__(race.budget)
        self.number, self.race = number, race
        self.together: EnsembleWatcher | None = None
        self.why = "all are" if race.examined == "all" else ""
        self.case: Case | None = None

    def started(self, training: Training) -> None:
        group = self.race.watchers.get(self.number)
        if group is not None and self.number in group.observations:
            self.together, self.watcher.observation = group, group.observations[self.number]
        else:
            self.watcher.started(training)
        if self.race.examined == "all":
            self.before = examine_start(training)

    def stepped(self, training: Training) -> None:
        if self.together is None:
            self.watcher.stepped(training)

    def free_steps(self, training: Training) -> int:
        return sys.maxsize if self.together is not None else self.watcher.free_steps(training)

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        if self.together is None:
            self.watcher.stopped(training, rule, reason)
        self.case = training_case(training, self.observation)
        if self.why:
            with training.isolated_randomness:
                self.after = examine(self.case)
            if self.before is None:
                self.before = examine_initial(training, self.observation)

    @property
    def observation(self) -> Observation:
        """What was observed of the member."""
        assert self.watcher.observation is not None
        return self.watcher.observation

    def keep(self, record: Record) -> None:
        write_observation(self.observation, record)
        write_first_findings(self.before.findings if self.before else [], record)

    def report(self, record: Record | None) -> dict[str, Any]:
        if self.after is not None:
            report = super().report(record)
            report["watched"]["because"] = self.why
            return report
        assert self.case is not None
        if record is not None:
            if self.case.recipe.predict.foreign:
                # its network cannot be built again from the folder
                write_case(self.case, record)
                write_first_findings([], record)
            else:
                samples, folder = self.race.samples, record.path.parent
                self.race.samples = write_unexamined(self.case, folder, record, samples)
        return {
            "watched": {
                "looks": len(self.observation.looks),
                "seconds": self.observation.watching_seconds,
                "examined": False,
            }
        }


class RaceDoctor:
    """Watches all members of a race with a share `budget` of its time, and examines those that
    `examined` names: "all", False for none, or those that look wrong ("odd").
    """

    def __init__(self, budget: float, examined: Examined, race: RaceState) -> None:
        self.budget, self.examined, self.members = budget, examined, race.members
        self.samples: Path | None = None  # the file of samples that the run folders share
        self.watchers: dict[int, EnsembleWatcher] = {}
        self.observers = [MemberDoctor(member.number, self) for member in race.members]
        self.places = {member.number: place for place, member in enumerate(race.members)}
        for lockstep, _ in race.locksteps:
            lockstep.watcher = EnsembleWatcher(budget)
            lockstep.leaving = self.choose
            for member in lockstep.active:
                self.watchers[member.number] = lockstep.watcher

    def choose(self, leaving: Sequence[Member]) -> None:
        """Decide which of the members that have just ended are examined in full."""
        if self.examined != "odd":
            return
        skills = [value for member in self.members if (value := skill(member.training)) is not None]
        odd = []
        for member in leaving:
            doctor = self.observers[self.places[member.number]]
            assert member.ended is not None
            if sign := sign_of_trouble(
                member.training, doctor.observation, member.ended[0], skills
            ):
                value = skill(member.training)
                odd.append((-1.0 if value is None else value, member.number, doctor, sign))
        room = MOST_EXAMINED - sum(bool(doctor.why) for doctor in self.observers)
        for _, _, doctor, sign in sorted(odd, key=lambda entry: entry[:2])[: max(room, 0)]:
            doctor.why = sign


def examine_initial(training: Training, observation: Observation) -> Examination:
    """The examination before the first step of a training that has ended: of a network that is
    built and initialised again. One from outside cannot be, and nothing is said of it.
    """
    recipe, output = training.recipe, training.output
    if recipe.predict.foreign:
        return Examination([], training_case(training, observation))
    like = training.engine.parameters
    x, y = training.parts["train"]
    with Isolation(generator(recipe.seed, "initialize")), torch.no_grad():
        network = recipe.predict.build(tuple(x.shape[1:]), output)
        network = network.to(like.device, PRECISIONS[recipe.precision])
        recipe.initialize(network, generator(recipe.seed, "initialize"), x, y, output)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator(recipe.seed, "dropout", like.device)
    return examine_start(replace(training, network=network, progress=Progress()))
