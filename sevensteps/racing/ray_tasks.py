"""A race as tasks of a Ray cluster: each group of networks is trained on one of its machines.

A task returns the results and the files of its runs. If its machine is lost, it runs again on
another one; whatever a task returns is written here once, and whole. Source: Moritz et al. 2018,
Ray: A Distributed Framework for Emerging AI Applications; https://docs.ray.io
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from sevensteps import __version__
from sevensteps.data import Data, is_loadable, load
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.errors import ArgumentError, DataError, Error, RunError
from sevensteps.metrics import score
from sevensteps.racing.grouping import SMALLEST_GROUP, LockstepPlan
from sevensteps.racing.ray_cluster import connection, first_line
from sevensteps.record.run_folder import write
from sevensteps.record.summary import RunSummary
from sevensteps.record.tensors import to_safetensors
from sevensteps.steps.predict import given
from sevensteps.steps.repeat import loader
from sevensteps.steps.stop import Progress
from sevensteps.training import interrupts
from sevensteps.training.recipe import Recipe, resolve_device
from sevensteps.training.resolve import ResolvedRecipe, resolve

RETRIES = 3  # of a task whose machine or process is lost
POLL_SECONDS = 0.25  # between two questions which tasks are done


@dataclass(frozen=True)
class TaskSpec:
    """What a task trains: recipes as TOML, the values that TOML cannot hold, the names of the runs.

    With `keep_files` the files of the run folders are returned too.
    """

    recipes: list[str]
    objects: list[dict[str, Any]]
    reasons: list[dict[str, str]]
    names: list[str]
    own_order: bool
    watch: float
    keep_files: bool
    digest: str
    data_dir: str | None


@dataclass(frozen=True)
class TaskResult:
    """One finished run: its summary and history, the last and the best weights as safetensors, and
    the files of its run folder by name.
    """

    summary: RunSummary
    history: list[dict[str, Any]]
    last: bytes
    best: bytes
    files: dict[str, bytes] = field(repr=False)


@dataclass
class RayProgress:
    """How far a race on Ray is: tasks done, tasks in all (`groups`), machines, processors, and the
    best validation metrics so far.
    """

    done: int
    groups: int
    nodes: int
    cpus: int
    best: dict[str, Any] | None = None


Train = Callable[
    [Sequence[ResolvedRecipe], list[LockstepPlan], Path | None, list[str], float], Sequence[Any]
]


def require_movable(resolved: Sequence[ResolvedRecipe]) -> None:
    """Raise `ArgumentError` for recipes that cannot go to another machine, each with the fix."""
    for number, entry in enumerate(resolved, 1):
        if isinstance(entry.recipe.repeat, loader):
            raise ArgumentError(
                f"recipe {number}: its batches come from a loader of yours, which cannot go to "
                "other machines; give repeat=batches(…), or leave on out"
            )
        if isinstance(entry.data.train.x, StreamedInputs) and not is_loadable(entry.data.source):
            raise ArgumentError(
                f"recipe {number}: its data stay on the disk of this machine; give them by a path "
                "that every machine has, or leave on out"
            )
        if resolve_device(entry.recipe.device).type not in ("cpu", "cuda"):
            raise ArgumentError(
                f"recipe {number}: Ray knows no device {entry.recipe.device!r}; use device='cpu'"
            )


def run_on_ray(
    resolved: Sequence[ResolvedRecipe],
    plans: Sequence[LockstepPlan],
    names: Sequence[str],
    train: Train,
    address: str | None,
    watch: float,
    folder: Path | None,
    data_dir: Path | str | None,
    report: Callable[[RayProgress], None] | None = None,
) -> tuple[list[LockstepPlan], dict[int, TaskResult]]:
    """Train the groups as tasks; returns them as they were trained, and the results by number.

    The run folders are written into `folder` whenever a group is done. After Ctrl-C the results of
    unfinished groups are missing. `report(progress)` is called a few times a second. Raises
    `RunError` if the cluster does not answer, has other versions, or if a task fails.
    """
    interrupt = Progress()
    with connection(address, interrupt) as ray:
        machines = _node_resources(ray)
        for group in plans:
            _require_room(_task_resources(resolved[group.numbers[0]]), machines)
        groups = split_groups(
            plans, _cpu_count(machines) // max(entry.recipe.threads or 1 for entry in resolved)
        )
        progress = RayProgress(0, len(groups), len(machines), _cpu_count(machines))
        tasks = _submit_tasks(
            ray, resolved, groups, names, train, watch, folder is not None, data_dir
        )
        completed: dict[int, TaskResult] = {}
        # What is not done when this ends is ended by the cluster with the connection. ray.cancel()
        # may end this process too, where a task ends just then:
        # https://github.com/ray-project/ray/pull/54798, seen with 2.60.
        with interrupts.interruptible(interrupt):
            while tasks and not interrupt.interrupted:
                if report is not None:
                    machines = _node_resources(ray)
                    progress.nodes, progress.cpus = len(machines), _cpu_count(machines)
                    report(progress)
                for ref in ray.wait(list(tasks), timeout=POLL_SECONDS)[0]:
                    group = tasks.pop(ref)
                    try:
                        results = ray.get(ref)
                    except Exception as failure:
                        raise _task_error(
                            ray, failure, group, names, folder if completed else None
                        ) from None
                    for number, result in zip(group.numbers, results, strict=True):
                        if folder is not None:
                            write_run_folder(folder / names[number], result.files)
                        completed[number] = result
                        valid = result.summary.metrics["valid"]
                        progress.best = (
                            valid if progress.best is None else max(progress.best, valid, key=score)
                        )
                    progress.done += 1
        if report is not None:
            report(progress)
        return groups, completed


def split_groups(plans: Sequence[LockstepPlan], count: int) -> list[LockstepPlan]:
    """Groups split in half, the largest first, until there are `count` of them.

    None becomes smaller than is worth training together.
    """
    groups = list(plans)
    while len(groups) < count:
        largest = max(groups, key=lambda group: len(group.numbers))
        half = -(-len(largest.numbers) // 2)
        if half < SMALLEST_GROUP or len(largest.numbers) < 2 * SMALLEST_GROUP:
            break
        groups.remove(largest)
        groups += [
            replace(largest, numbers=largest.numbers[:half]),
            replace(largest, numbers=largest.numbers[half:]),
        ]
    return sorted(groups, key=lambda group: group.numbers[0])


def write_run_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a run folder whole or not at all; one that exists already is replaced."""
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, content in files.items():
                write(temporary / name, content)
            temporary.chmod(folder.parent.stat().st_mode)
            if folder.exists():
                shutil.rmtree(folder)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as failure:
        raise RunError(f"{folder} cannot be written: {failure.strerror or failure}") from None


def load_weights(network: nn.Module, weights: bytes) -> nn.Module:
    """`network` with these weights, in evaluation mode."""
    network.load_state_dict(safetensors.torch.load(weights))
    return network.eval()


# -- on the worker ---------------------------------------------------------------------------------


def train_task(
    wanted_versions: Mapping[str, str], spec: TaskSpec, data: Data | None, train: Train
) -> list[TaskResult]:
    """Train the recipes of one group on this machine. `data` None: they are read here.

    Raises `RunError` for other versions than wanted, and `DataError` for other data.
    """
    if (own_versions := versions()) != dict(wanted_versions):
        differing = ", ".join(
            f"{name} {own_versions[name]} instead of {wanted_versions[name]}"
            for name in wanted_versions
            if own_versions.get(name) != wanted_versions[name]
        )
        raise RunError(
            f"the machine {socket.gethostname()} has {differing}; install the same on all "
            "machines of the cluster"
        )
    if data is None:
        data = load(
            Recipe.from_toml(spec.recipes[0], allow_code=True, **spec.objects[0]).source,
            spec.data_dir,
        )
        if data.digest != spec.digest:
            raise DataError(
                f"{data.source} on the machine {socket.gethostname()} is not what it is here; "
                "give all machines the same files"
            )
    all_resolved = []
    for text, objects, reasons in zip(spec.recipes, spec.objects, spec.reasons, strict=True):
        # The recipe's code was allowed where the race was started.
        resolved = resolve(Recipe.from_toml(text, allow_code=True, **objects), data=data)
        all_resolved.append(replace(resolved, recipe=replace(resolved.recipe, reasons=reasons)))
    with tempfile.TemporaryDirectory() as folder:
        group = LockstepPlan(list(range(len(all_resolved))), spec.own_order)
        runs = train(
            all_resolved, [group], Path(folder) if spec.keep_files else None, spec.names, spec.watch
        )
        return [
            TaskResult(
                run.outcome,
                run.history,
                to_safetensors(run.network.state_dict()),
                to_safetensors(run.best.network.state_dict()),
                {}
                if run.folder is None
                else {
                    path.name: path.read_bytes()
                    for path in sorted(run.folder.iterdir())
                    if not path.name.startswith(".")
                },
            )
            for run in runs
        ]


def versions() -> dict[str, str]:
    """The versions that have to be the same on all machines, whatever processor PyTorch is for."""
    return {"sevensteps": __version__, "torch": torch.__version__.partition("+")[0]}


# -- in the cluster --------------------------------------------------------------------------------


def _task_resources(entry: ResolvedRecipe) -> dict[str, float]:
    """What a task needs of a machine: a processor for each thread, and perhaps a GPU."""
    return {
        "num_cpus": entry.recipe.threads or 1,
        "num_gpus": int(resolve_device(entry.recipe.device).type == "cuda"),
    }


def _node_resources(ray: Any) -> list[dict[str, float]]:
    """The resources of each machine that can train."""
    return [
        node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")
    ]


def _cpu_count(nodes: Sequence[Mapping[str, float]]) -> int:
    return int(sum(node["CPU"] for node in nodes))


def _require_room(resources: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> None:
    """Raise `ArgumentError` for a task that no machine has room for: Ray would wait for ever."""
    for name, plural in (("CPU", "processors"), ("GPU", "graphics cards")):
        most = max((node.get(name, 0) for node in nodes), default=0)
        if (required := resources[f"num_{name.lower()}s"]) > most:
            raise ArgumentError(
                f"a group takes {required:g} {plural}, and no machine of the cluster has more than "
                f"{most:g}; give fewer threads (--threads), or add a machine"
            )


def _submit_tasks(
    ray: Any,
    resolved: Sequence[ResolvedRecipe],
    groups: Sequence[LockstepPlan],
    names: Sequence[str],
    train: Train,
    watch: float,
    keep_files: bool,
    data_dir: Path | str | None,
) -> dict[Any, LockstepPlan]:
    """Submit each group as a task. Data are stored in the cluster once, for all their tasks."""
    remote, references, tasks = ray.remote(train_task), dict[int, Any](), dict[Any, LockstepPlan]()
    try:
        for group in groups:
            entries = [resolved[number] for number in group.numbers]
            data = entries[0].data
            if id(data) not in references:
                references[id(data)] = (
                    None if isinstance(data.train.x, StreamedInputs) else ray.put(data)
                )
            spec = TaskSpec(
                [entry.recipe.to_toml() for entry in entries],
                [
                    {"predict": entry.recipe.predict}
                    if isinstance(entry.recipe.predict, given)
                    else {}
                    for entry in entries
                ],
                [entry.recipe.reasons for entry in entries],
                [names[number] for number in group.numbers],
                group.own_order,
                watch,
                keep_files,
                data.digest,
                None if data_dir is None else str(data_dir),
            )
            options = {
                **_task_resources(entries[0]),
                "max_retries": RETRIES,
                "scheduling_strategy": "SPREAD",
                "name": f"sevensteps {spec.names[0]}",
            }
            tasks[
                remote.options(**options).remote(versions(), spec, references[id(data)], train)
            ] = group
    except (TypeError, ValueError, AttributeError) as failure:
        raise ArgumentError(
            f"a network or the data cannot go to other machines: {first_line(failure)}; write the "
            'network as module("package:factory"), and the data as arrays or a name'
        ) from None
    return tasks


def _task_error(
    ray: Any, failure: Exception, group: LockstepPlan, names: Sequence[str], folder: Path | None
) -> Error:
    """The error of a failed task, in one line; `folder` has the runs that are finished, if any."""
    suffix = f"; what has finished is kept in {folder}" if folder is not None else ""
    cause = getattr(failure, "cause", None)
    if isinstance(cause, Error):
        return type(cause)(f"{cause}{suffix}")
    who = f"run {names[group.numbers[0]]}" + (
        f" to {names[group.numbers[-1]]}" if len(group.numbers) > 1 else ""
    )
    # RaySystemError: the machine cannot read what it was sent
    if isinstance(cause, ImportError | ray.exceptions.RaySystemError):
        return RunError(
            f"{who}: a machine of the cluster lacks what it needs: "
            f"{first_line(cause).removeprefix('System error: ')}; install the same on all "
            f"machines, sevensteps {__version__} too{suffix}"
        )
    if isinstance(failure, ray.exceptions.RayTaskError) and cause is not None:
        return RunError(f"{who} failed: {type(cause).__name__}: {first_line(cause)}{suffix}")
    return RunError(
        f"{who} was lost with its machine or process, {RETRIES + 1} times in a row: "
        f"{type(failure).__name__}: {first_line(failure)}{suffix}"
    )
