"""The protocol: a script is run untouched, with a remedy, and changed at random by as much, on
several seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sevensteps.doctor.report.script import TrainingReport
from sevensteps.doctor.trials.scheduler import Clock, TrialScheduler
from sevensteps.doctor.trials.script.backend import ScriptBackend, ScriptRun
from sevensteps.doctor.trials.script.notation import random_change
from sevensteps.doctor.trials.script.proposals import Proposal
from sevensteps.doctor.trials.trial import PAIRS, ScriptTrial, Trial
from sevensteps.errors import RunError
from sevensteps.training.processors import usable_processors

RUNS_OF_ONE = 3 * PAIRS  # untouched, remedied, changed at random, on each seed
MIN_STEPS = 20  # of a run that is cut off


@dataclass(frozen=True)
class Length:
    """How long the watched run was: its seconds in all, its steps, those after which it evaluated,
    and the step at which the fault began.
    """

    seconds: float
    steps: int
    evaluations: tuple[int, ...] = ()
    onset: int = 0


def shortened(run: ScriptRun, length: Length, budget: float, processes: int) -> ScriptRun:
    """`run`, cut off where all runs of one trial would take longer than `budget` seconds.

    A script with validations is cut off after one of them, that its score may be compared.
    """
    share = budget * processes / RUNS_OF_ONE / max(length.seconds, 1e-9)
    if share >= 1 or length.steps <= MIN_STEPS:
        return run
    steps = max(int(share * length.steps), MIN_STEPS, min(2 * length.onset, length.steps))
    if length.evaluations:
        reached = sum(step <= steps for step in length.evaluations)
        return dataclasses.replace(run, max_evaluations=max(1, reached))
    return dataclasses.replace(run, max_steps=steps)


def try_script(
    run: ScriptRun,
    proposals: Sequence[Proposal],
    length: Length,
    *,
    budget: float = 60.0,
    processes: int | None = None,
    report: Callable[[str], None] = lambda text: None,
    on_trial: Callable[[Proposal, Trial], None] = lambda proposal, trial: None,
) -> list[tuple[Proposal, Trial]]:
    """Try each proposal on the script, within `budget` seconds for all of them.

    `report(text)` is called as runs end, `on_trial` with each trial that has ended, also where an
    interrupt ends the rest.
    """
    processes = processes or usable_processors()
    clock = Clock(budget)
    script = shortened(run, length, budget, processes)
    total = PAIRS + 2 * PAIRS * len(proposals)
    subject = ""

    def run_ended(done: int) -> None:
        count = f"{done} of {total}" if done <= total else f"{done}, as {total} left it open"
        report(f"trial run {count}{subject}")

    trials: list[tuple[Proposal, Trial]] = []
    with ScriptBackend(script, clock, processes, run_ended) as backend:
        scheduler = TrialScheduler(
            backend, 0, clock, random_change, problem=problem(script), kind=ScriptTrial
        )
        for proposal in proposals:
            subject = f": {proposal.condition}"
            try:
                backend.choose_measure(proposal.condition, proposal.change)
                scheduler.least = backend.least(proposal.condition)
                [trial] = scheduler.try_all([(proposal.condition, proposal.change)])
            except RunError as failure:
                trial = Trial(proposal.condition, proposal.change, "", note=str(failure))
            trials.append((proposal, trial))
            on_trial(proposal, trial)
    return trials


def try_trainings(
    trainings: Sequence[TrainingReport],
    words: list[str],
    seconds: float,
    *,
    budget: float = 60.0,
    report: Callable[[str], None] = lambda text: None,
) -> int:
    """Try what can be tried of the trainings of a script that was run with these words after
    `python`, and took `seconds`, with its imports and the diagnosis. Each trial is added to its
    finding. Returns how many there were.

    Of trainings in which the same was found, as in a cross-validation, the first is tried.
    """
    clock, count, known = Clock(budget), 0, set()
    for training in trainings:
        plan = training.plan
        findings = training.diagnosis.get("findings", [])
        signature = (training.network, *(finding["condition"] for finding in findings))
        if plan is None or not plan["proposals"] or signature in known:
            continue
        known.add(signature)

        def attach(proposal: Proposal, trial: Trial, findings: Any = findings) -> None:
            record = {**trial.to_dict(), "patch": proposal.patch}
            findings[proposal.finding]["trials"].append(record)

        # a trial's PyTorch is imported already, and nobody diagnoses it
        own = min(seconds, plan.get("seconds", seconds))
        length = Length(own, plan["steps"], tuple(plan["evaluations"]), plan["onset"])
        count += len(
            try_script(
                ScriptRun(
                    words,
                    plan["training"],
                    ignored=plan["ignored"],
                    compared=plan["compared"],
                    imports=tuple(plan["imports"]),
                    threads=plan["threads"],
                ),
                [Proposal(**proposal) for proposal in plan["proposals"]],
                length,
                budget=max(budget - clock.elapsed, 0.0),
                report=report,
                on_trial=attach,
            )
        )
    return count


def problem(script: ScriptRun) -> str:
    """What is run, in words."""
    if script.max_steps is not None:
        return f"the first {script.max_steps:,} steps"
    if script.max_evaluations is not None:
        count = script.max_evaluations
        return (
            "the script up to its first evaluation"
            if count == 1
            else (f"the script up to its evaluation {count}")
        )
    return "whole"
