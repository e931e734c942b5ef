"""`race()` trains many recipes at once and compares them; `grid()` makes the recipes."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sevensteps.api.run import Run
from sevensteps.api.session import end_summary, finished_run
from sevensteps.arguments import number, one_of, whole
from sevensteps.data import Data
from sevensteps.doctor.race_doctor import Examined, MemberDoctor, RaceDoctor
from sevensteps.errors import ArgumentError
from sevensteps.notation import cut
from sevensteps.racing import grouping, ray_tasks
from sevensteps.racing.grouping import LockstepPlan
from sevensteps.racing.leaderboard import (
    LeaderboardRow,
    group_by_recipe,
    leaderboard,
    require_same_data,
)
from sevensteps.racing.member import Member
from sevensteps.racing.ray_cluster import cluster_address
from sevensteps.racing.ray_tasks import TaskResult
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from sevensteps.racing.successive_halving import SuccessiveHalving, require_epoch_limit
from sevensteps.record.run_folder import create, write_json
from sevensteps.record.writer import Writer
from sevensteps.training import threads
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe, as_recipe
from sevensteps.training.resolve import ResolvedRecipe
from sevensteps.view.live_picture import in_notebook
from sevensteps.view.race_progress import race_view

SCHEMA = 1
ORDERS = ("own", "shared")


@dataclass(frozen=True, eq=False)
class Race:
    """Many trainings and how they compare: `runs` in the order of the recipes, and `table` with a
    row for each recipe, best first.

    `recipe` is the one of the best row, `best` the best of its runs. `folder` has a run folder for
    each run. `groups` are the networks that were trained together. `missing` are the places in the
    list of the recipes that have no run, because a race on Ray was interrupted.
    """

    runs: list[Run]
    table: list[LeaderboardRow]
    groups: list[LockstepPlan]
    folder: Path | None = None
    missing: Sequence[int] = ()

    @property
    def best(self) -> Run:
        """The best run of the best recipe."""
        from sevensteps.metrics import score

        return max(
            (self.runs[member] for member in self.table[0].members),
            key=lambda run: score(run.metrics["valid"]),
        )

    @property
    def recipe(self) -> Recipe:
        """The best recipe, with the first of its seeds."""
        return self.runs[self.table[0].members[0]].recipe

    @property
    def examined(self) -> list[str]:
        """Of each run, why the doctor examined it in full; "" where it did not. `ss.diagnose(run)`
        examines any other that was watched.
        """
        return [
            ""
            if (watched := run.outcome.watched) is None or watched.get("examined") is False
            else watched.get("because", "all are")
            for run in self.runs
        ]

    @property
    def metric(self) -> str:
        """The metric that the recipes are compared by, on the validation data at the end:
        accuracy, r2 or loss.
        """
        from sevensteps.metrics import primary

        return primary(self.runs[0].metrics["valid"])

    def plot(self, path: Path | str | None = None) -> Any:
        """Draw the metric of each recipe by epoch: a matplotlib figure, also saved to `path` (.png
        or .svg).

        A line is the mean over the seeds, the band around it their range. Raises `ArgumentError`
        where matplotlib is not installed.
        """
        from sevensteps.racing.figure import plot_race

        values = [
            [
                math.nan if row["valid"][self.metric] is None else row["valid"][self.metric]
                for row in run.history
            ]
            for run in self.runs
        ]
        return plot_race(
            self.table,
            values,
            self.metric,
            f"{self.recipe.source}: {len(self.runs)} trainings",
            path,
        )

    def report(self, path: Path | str) -> Path:
        """Write the race as one HTML file that opens anywhere, and return its path.

        Raises `ArgumentError` where `path` does not end in .html.
        """
        from sevensteps.view.report import require_html, write_report

        require_html(Path(path))
        return write_report(self.document(), path)

    def document(self) -> dict[str, Any]:
        """What a page shows of the race, as plain JSON."""
        from sevensteps.view.document.race import race_document

        return race_document(self.to_dict(), [run.history for run in self.runs])

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from sevensteps.view.notebook import remembered, show_document

        def show() -> dict[str, Any]:
            return show_document(self.document, repr(self), self.plot)

        def state() -> list[str]:
            return [repr(run.diagnosis) for run in self.runs]  # which may yet be examined

        return remembered.show(self, state, show)

    def to_dict(self) -> dict[str, Any]:
        """The content of `race.json` and `--json`; members are numbered from 1, in the order of
        the runs.
        """
        best = self.best.folder
        return {
            "schema": SCHEMA,
            "race": self.folder and self.folder.name,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": self.recipe.source,
            "metric": self.metric,
            "recipe": {step: repr(value) for step, value in self.recipe.steps.items()},
            "best": best and best.name,
            "table": [{**row.to_dict(), "members": _numbered(row.members)} for row in self.table],
            "groups": [
                {
                    "members": _numbered(group.numbers),
                    "own_order": group.own_order,
                    "why_alone": group.why_alone,
                }
                for group in self.groups
            ],
            "missing": _numbered(self.missing),
            "runs": [
                {
                    "run": run.folder and run.folder.name,
                    "seed": run.recipe.seed,
                    "stop": asdict(run.outcome.stop),
                    "epochs": run.outcome.epochs,
                    "seconds": run.outcome.seconds,
                    "valid": run.metrics["valid"],
                    "findings": [finding.condition for finding in run.findings],
                    "examined": bool(why),
                }
                for run, why in zip(self.runs, self.examined, strict=True)
            ],
        }

    def __repr__(self) -> str:
        row = self.table[0]
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        return (
            f"<Race of {len(self.runs)} on {self.recipe.source}: best {row.label}, "
            f"{self.metric} {row.metric:.4f}{where}>"
        )


def _numbered(members: Sequence[int]) -> list[int]:
    return [member + 1 for member in members]


def grid(data: str | Data | Recipe, seeds: int | Sequence[int] = 1, **values: Any) -> list[Recipe]:
    """A recipe for every combination of values: `grid("digits", step=["sgd(lr=0.1)",
    "sgd(lr=1)"], seeds=5)` makes ten.

    A keyword is a step, or another part of a recipe, with one value or a list of values. `seeds` is
    a list of seeds, or how many, counted up from the seed of the recipe.

    >>> recipes = grid("xor", step=["sgd(lr=0.1)", "sgd(lr=1.0)"], seeds=2)
    >>> [(repr(recipe.step), recipe.seed) for recipe in recipes]
    [('sgd(lr=0.1)', 0), ('sgd(lr=0.1)', 1), ('sgd(lr=1.0)', 0), ('sgd(lr=1.0)', 1)]
    """
    first = as_recipe(data, {})
    seed_list = (
        range(first.seed, first.seed + whole("seeds", seeds, at_least=1))
        if isinstance(seeds, int)
        else seeds
    )
    lists = {
        name: list(choices) if isinstance(choices, list | tuple) else [choices]
        for name, choices in values.items()
        if choices is not None
    }
    for name, choices in lists.items():
        if not choices:
            raise ArgumentError(
                f"{name} is an empty list, so there is no combination; give at least one value, "
                "or leave it out"
            )
    return [
        as_recipe(first, {**dict(zip(lists, combination, strict=True)), "seed": seed})
        for combination in itertools.product(*lists.values())
        for seed in seed_list
    ]


def race(
    recipes: Sequence[Recipe],
    *,
    halve: bool = False,
    order: Literal["own", "shared"] = "own",
    data_dir: Path | str | None = None,
    out: Path | str | Literal[False] | None = None,
    watch: float = 0.02,
    diagnose: Examined = "odd",
    on: str | None = None,
    report: Callable[[Any], None] | None = None,
) -> Race:
    """Train all `recipes` at once and compare them; networks of the same shapes are trained
    together, which is faster.

    Each recipe gives what it gives alone, up to rounding. Recipes that differ in nothing but the
    seed count as one, with a spread; `grid` makes such lists. With `order="shared"` all go through
    the samples in the same order, that of the first recipe's seed, which is written into the
    recipes; networks on the same batches are trained several times faster. `halve` stops the worse
    half of the recipes again and again, at ever later epochs. `out` is the folder of the race
    (default `runs/<date>-race-<name>`, False for none), with a run folder for each recipe. `watch`
    is that of `train`: the share of the time that looking may cost, which all share. `diagnose`
    says who is examined in full at the end: "odd", those that diverged, learned nothing, stay far
    behind the others or look wrong inside (8 at most); "all"; or False, nobody. `ss.diagnose(run)`
    examines any other. `report(state)` is called after each step of a group;
    a notebook shows the race in a picture, unless it is given.

    `on="ray"` trains the groups as tasks of Ray on this machine, `on="ray:HOST:PORT"` on a
    cluster; a task takes as many processors as its recipes have threads, by default one.
    `report(progress)` is then called a few times a second, and after Ctrl-C the race consists of
    the recipes that have finished.

    Raises `sevensteps.Error` for an empty list, recipes on different data, and anything that does
    not fit, before the first step.

    >>> recipes = grid("xor", step=["sgd(lr=0.01)", "sgd(lr=1.0)"], stop="epochs(200)")
    >>> result = race(recipes, out=False)
    >>> result.table[0].label, len(result.runs)
    ('sgd(lr=1.0)', 2)
    """
    number("watch", watch, at_least=0, at_most=1)
    if diagnose is not False:
        one_of("diagnose", diagnose, ("odd", "all"))
    address = None if on is None else cluster_address(on)
    if on is not None and halve:
        raise ArgumentError(
            "halving compares all networks while they train, which tasks on several machines "
            "cannot; leave halve or on out"
        )
    resolved = resolved_recipes(recipes, order, data_dir)
    if on is not None:  # tasks run side by side: by default with one thread each
        resolved = [
            threads.with_threads(entry)
            if entry.recipe.threads
            else replace(
                entry,
                recipe=replace(
                    entry.recipe,
                    threads=1,
                    reasons={**entry.recipe.reasons, "threads": "tasks of Ray run side by side"},
                ),
            )
            for entry in resolved
        ]
        ray_tasks.require_movable(resolved)
    if halve:
        require_epoch_limit([entry.recipe for entry in resolved])
    plans = grouping.plan_groups(resolved)
    by_recipe = group_by_recipe([entry.recipe for entry in resolved]) if halve else []
    folder = None if out is False else create(out, f"race-{resolved[0].data.source}")
    names = [f"{place:0{len(str(len(resolved)))}d}" for place in range(1, len(resolved) + 1)]
    missing: list[int] = []
    train = functools.partial(train_here, diagnose=diagnose)
    try:
        if on is None:
            own_view = race_view(None if in_notebook() else False)
            with nullcontext(report) if report else own_view as view:
                runs = train(resolved, plans, folder, names, watch, halve=by_recipe, report=view)
        else:
            plans, results = ray_tasks.run_on_ray(
                resolved, plans, names, train, address, watch, folder, data_dir, report
            )
            if not results:
                raise KeyboardInterrupt("stopped before a group had finished, so nothing is saved")
            runs = [
                _run_from_task(resolved[place], results[place], folder and folder / names[place])
                for place in sorted(results)
            ]
            missing = [place for place in range(len(resolved)) if place not in results]
            plans = [
                replace(plan, numbers=[sorted(results).index(place) for place in plan.numbers])
                for plan in plans
                if plan.numbers[0] in results
            ]
    except BaseException:
        if folder is not None:
            with suppress(OSError):
                folder.rmdir()  # only where it is empty
        raise
    table = leaderboard(
        [run.recipe for run in runs], [run.outcome for run in runs], [run.history for run in runs]
    )
    result = Race(runs, table, plans, folder, missing)
    if folder is not None:
        write_json(folder / "race.json", result.to_dict())
    return result


def train_here(
    resolved: Sequence[ResolvedRecipe],
    plans: Sequence[LockstepPlan],
    folder: Path | None,
    names: Sequence[str],
    watch: float,
    diagnose: Examined = "odd",
    halve: Sequence[Sequence[int]] = (),
    report: Callable[[RaceState], None] | None = None,
) -> list[Run]:
    """Train these recipes in this process, group by group; each run has a folder of its name in
    `folder`. `halve` are the groups of members that differ only in the seed, to be halved.
    """
    state = prepare_race(resolved, plans)
    race_doctor = RaceDoctor(watch, diagnose, state) if watch else None
    doctors: Sequence[MemberDoctor | None] = (
        race_doctor.observers if race_doctor else [None] * len(resolved)
    )
    halving = (
        SuccessiveHalving([[state.members[place] for place in entry] for entry in halve])
        if halve
        else None
    )
    writers = [
        Writer(folder / name, name, doctor) if folder else None
        for name, doctor in zip(names, doctors, strict=True)
    ]
    for place, member in enumerate(state.members):
        observers: tuple[Observer | None, ...] = doctors[place], writers[place]
        member.observers = [observer for observer in observers if observer is not None]
    try:
        run_race(state, halving, report)
    finally:
        for writer in writers:
            if writer is not None:
                writer.close()
    return [
        _finished(member, writers[place], doctors[place])
        for place, member in enumerate(state.members)
    ]


def _finished(member: Member, writer: Writer | None, doctor: MemberDoctor | None) -> Run:
    assert member.ended is not None
    with threads.threads(member.training.recipe.threads or 1):
        run = finished_run(
            member.training,
            end_summary(member.training, member.ended, writer, doctor),
            writer,
            doctor,
        )
    if doctor is not None and doctor.after is None:
        run.unexamined = doctor.case
    return run


def _run_from_task(recipe: ResolvedRecipe, result: TaskResult, folder: Path | None) -> Run:
    """The run of a recipe whose training came back from a task of Ray."""
    best = ray_tasks.load_weights(copy.deepcopy(recipe.network), result.best)
    return Run(
        recipe.recipe,
        result.summary,
        result.history,
        folder,
        ray_tasks.load_weights(recipe.network, result.last),
        best,
        recipe.output,
        recipe.data.inputs,
    )


def resolved_recipes(
    recipes: Sequence[Recipe], order: str, data_dir: Path | str | None
) -> list[ResolvedRecipe]:
    """The recipes with every choice made and checked to be on the same data; with a shared `order`
    of the samples written into them.
    """
    if isinstance(recipes, Recipe | str) or not isinstance(recipes, Sequence):
        raise ArgumentError(
            f"a race takes a list of recipes, not {cut(repr(recipes))}; write one with "
            "ss.grid(data, step=[…, …])"
        )
    for place, recipe in enumerate(recipes, 1):
        if not isinstance(recipe, Recipe):
            raise ArgumentError(
                f"entry {place} of the race is {cut(repr(recipe))}, no recipe; give "
                "ss.Recipe(data, step=…)"
            )
    one_of("order", order, ORDERS)
    if not recipes:
        raise ArgumentError("a race of no recipes has no winner; give at least one")
    resolved = grouping.resolve_all(recipes, data_dir)
    require_same_data(
        [entry.recipe for entry in resolved], [entry.data.digest for entry in resolved]
    )
    if order == "own":
        return resolved
    seed = grouping.order_seed(resolved[0])
    return [
        replace(
            entry,
            recipe=replace(
                entry.recipe,
                repeat=replace(
                    entry.recipe.repeat, seed=seed if seed is not None else entry.recipe.seed
                ),
            ),
        )
        if grouping.order_seed(entry) is not None
        else entry
        for entry in resolved
    ]
