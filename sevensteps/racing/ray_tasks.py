"""A race on a Ray cluster: each group of networks is a task on one of its machines, and comes back
as results and the files of its runs.

A task that is lost with its machine is run again on another one; whatever a task brings back is
written here, once and whole. Source: Moritz et al. 2018, Ray: A Distributed Framework for Emerging
AI Applications; https://docs.ray.io"""

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
from sevensteps.record.tensors import pack
from sevensteps.steps.predict import given
from sevensteps.steps.repeat import loader
from sevensteps.steps.stop import Progress
from sevensteps.training import interrupts
from sevensteps.training.recipe import Recipe, resolve_device
from sevensteps.training.resolve import Settled, settle

RETRIES = 3  # of a task whose machine or process is lost
POLL_SECONDS = 0.25  # seconds between two looks at what is done


@dataclass(frozen=True)
class TaskSpec:
    """What a task is to do: recipes as TOML, what TOML does not hold of them, and the names of their runs."""

    recipes: list[str]
    objects: list[dict[str, Any]]
    reasons: list[dict[str, str]]
    names: list[str]
    own: bool
    watch: float
    keep_files: bool  # whether the files of the runs are brought back
    digest: str
    data_dir: str | None


@dataclass(frozen=True)
class TaskResult:
    """What became of one recipe: its summary and history, both weights as safetensors, and the files of its run folder by name."""

    summary: dict[str, Any]
    history: list[dict[str, Any]]
    last: bytes
    best: bytes
    files: dict[str, bytes] = field(repr=False)


@dataclass
class RayProgress:
    """How far a race on Ray is. `best` are the best validation metrics so far; `groups` counts the tasks."""

    done: int
    groups: int
    nodes: int
    cpus: int
    best: dict[str, Any] | None = None


Train = Callable[
    [Sequence[Settled], list[LockstepPlan], Path | None, list[str], float], Sequence[Any]
]


def require_movable(settled: Sequence[Settled]) -> None:
    """Refuse what cannot go to another machine, each with the fix."""
    for number, one in enumerate(settled, 1):
        if isinstance(one.recipe.repeat, loader):
            raise ArgumentError(
                f"recipe {number}: its batches come from a loader of yours, which cannot go to "
                "other machines; give "
                "repeat=batches(…), or leave on out"
            )
        if isinstance(one.data.train.x, StreamedInputs) and not is_loadable(one.data.source):
            raise ArgumentError(
                f"recipe {number}: its data stay on the disk of this machine; give them by a path "
                "that every machine has, "
                "or leave on out"
            )
        if resolve_device(one.recipe.device).type not in ("cpu", "cuda"):
            raise ArgumentError(
                f"recipe {number}: Ray knows no device {one.recipe.device!r}; use device='cpu'"
            )


def run_on_ray(
    settled: Sequence[Settled],
    parted: Sequence[LockstepPlan],
    names: Sequence[str],
    train: Train,
    address: str | None,
    watch: float,
    folder: Path | None,
    data_dir: Path | str | None,
    report: Callable[[RayProgress], None] | None = None,
) -> tuple[list[LockstepPlan], dict[int, TaskResult]]:
    """Train the groups as tasks, and return the groups as they were trained and the results by
    number.

    The run folders are written into `folder` as their group is done. After Ctrl-C what is not done
    is missing from the results. Raises `RunError` where the cluster does not answer, where it has
    other versions, and where a task fails."""
    asked = Progress()
    with connection(address, asked) as ray:
        machines = _node_resources(ray)
        for group in parted:
            _require_room(_task_resources(settled[group.numbers[0]]), machines)
        groups = split_groups(
            parted, _cpu_count(machines) // max(one.recipe.threads or 1 for one in settled)
        )
        tally = RayProgress(0, len(groups), len(machines), _cpu_count(machines))
        tasks = _submit_tasks(
            ray, settled, groups, names, train, watch, folder is not None, data_dir
        )
        found: dict[int, TaskResult] = {}
        # What is not done when this ends is ended by the cluster with the connection. ray.cancel()
        # may end this process too, where a task ends just then:
        # https://github.com/ray-project/ray/pull/54798, seen with 2.60.
        with interrupts.interruptible(asked):
            while tasks and not asked.interrupted:
                if report is not None:
                    machines = _node_resources(ray)
                    tally.nodes, tally.cpus = len(machines), _cpu_count(machines)
                    report(tally)
                for ref in ray.wait(list(tasks), timeout=POLL_SECONDS)[0]:
                    group = tasks.pop(ref)
                    try:
                        results = ray.get(ref)
                    except Exception as failure:
                        raise _task_error(
                            ray, failure, group, names, folder if found else None
                        ) from None
                    for number, result in zip(group.numbers, results, strict=True):
                        if folder is not None:
                            write_run_folder(folder / names[number], result.files)
                        found[number] = result
                        valid = result.summary["metrics"]["valid"]
                        tally.best = (
                            valid if tally.best is None else max(tally.best, valid, key=score)
                        )
                    tally.done += 1
        if report is not None:
            report(tally)
        return groups, found


def split_groups(parted: Sequence[LockstepPlan], wanted: int) -> list[LockstepPlan]:
    """Groups halved, the largest first, until there are as many as `wanted`; none is made smaller
    than is worth training together.
    """
    found = list(parted)
    while len(found) < wanted:
        largest = max(found, key=lambda group: len(group.numbers))
        half = -(-len(largest.numbers) // 2)
        if half < SMALLEST_GROUP or len(largest.numbers) < 2 * SMALLEST_GROUP:
            break
        found.remove(largest)
        found += [
            replace(largest, numbers=largest.numbers[:half]),
            replace(largest, numbers=largest.numbers[half:]),
        ]
    return sorted(found, key=lambda group: group.numbers[0])


def write_run_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a run folder whole or not at all; in place of one that is there already."""
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, content in files.items():
                write(beside / name, content)
            beside.chmod(folder.parent.stat().st_mode)
            if folder.exists():
                shutil.rmtree(folder)
            beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as failure:
        raise RunError(f"{folder} cannot be written: {failure.strerror or failure}") from None


def load_weights(network: nn.Module, weights: bytes) -> nn.Module:
    """`network` with these weights, ready to answer."""
    network.load_state_dict(safetensors.torch.load(weights))
    return network.eval()


# -- on the worker ---------------------------------------------------------------------------------


def train_task(
    wanted: Mapping[str, str], work: TaskSpec, data: Data | None, train: Train
) -> list[TaskResult]:
    """Train the recipes of one group, on whatever machine this is. `data` are None where they are
    read here.
    """
    if (here := versions()) != dict(wanted):
        differing = ", ".join(
            f"{name} {here[name]} instead of {wanted[name]}"
            for name in wanted
            if here.get(name) != wanted[name]
        )
        raise RunError(
            f"the machine {socket.gethostname()} has {differing}; install the same on all "
            "machines of the cluster"
        )
    if data is None:
        data = load(
            Recipe.from_toml(work.recipes[0], allow_code=True, **work.objects[0]).source,
            work.data_dir,
        )
        if data.digest != work.digest:
            raise DataError(
                f"{data.source} on the machine {socket.gethostname()} is not what it is here; "
                "give all machines the same files"
            )
    settled = []
    for text, objects, reasons in zip(work.recipes, work.objects, work.reasons, strict=True):
        # Whoever made the recipe has allowed its code where the race was started.
        one = settle(Recipe.from_toml(text, allow_code=True, **objects), data=data)
        settled.append(replace(one, recipe=replace(one.recipe, reasons=reasons)))
    with tempfile.TemporaryDirectory() as place:
        group = LockstepPlan(list(range(len(settled))), work.own)
        runs = train(
            settled, [group], Path(place) if work.keep_files else None, work.names, work.watch
        )
        return [
            TaskResult(
                run_on_ray.summary,
                run_on_ray.history,
                pack(run_on_ray.network.state_dict()),
                pack(run_on_ray.best.network.state_dict()),
                {}
                if run_on_ray.folder is None
                else {
                    path.name: path.read_bytes()
                    for path in sorted(run_on_ray.folder.iterdir())
                    if not path.name.startswith(".")
                },
            )
            for run_on_ray in runs
        ]


def versions() -> dict[str, str]:
    """What has to be the same on all machines; builds of PyTorch for other processors count as the
    same.
    """
    return {"sevensteps": __version__, "torch": torch.__version__.partition("+")[0]}


# -- in the cluster --------------------------------------------------------------------------------


def _task_resources(one: Settled) -> dict[str, float]:
    """What a task takes of a machine: a processor a thread."""
    return {
        "num_cpus": one.recipe.threads or 1,
        "num_gpus": int(resolve_device(one.recipe.device).type == "cuda"),
    }


def _node_resources(ray: Any) -> list[dict[str, float]]:
    """What each machine that can train has."""
    return [
        node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")
    ]


def _cpu_count(machines: Sequence[Mapping[str, float]]) -> int:
    return int(sum(held["CPU"] for held in machines))


def _require_room(needs: Mapping[str, float], machines: Sequence[Mapping[str, float]]) -> None:
    """Refuse a task that no machine has room for: Ray would wait for such a machine without end."""
    for name, what in (("CPU", "processors"), ("GPU", "graphics cards")):
        most = max((held.get(name, 0) for held in machines), default=0)
        if (asked := needs[f"num_{name.lower()}s"]) > most:
            raise ArgumentError(
                f"a group takes {asked:g} {what}, and no machine of the cluster has more than "
                f"{most:g}; give fewer threads "
                "(--threads), or add a machine"
            )


def _submit_tasks(
    ray: Any,
    settled: Sequence[Settled],
    groups: Sequence[LockstepPlan],
    names: Sequence[str],
    train: Train,
    watch: float,
    keep_files: bool,
    data_dir: Path | str | None,
) -> dict[Any, LockstepPlan]:
    """Every group as a task. What they are trained on travels once, however many tasks take it; a
    machine gets it when it needs it.
    """
    remote, sent, tasks = ray.remote(train_task), dict[int, Any](), dict[Any, LockstepPlan]()
    try:
        for group in groups:
            chosen = [settled[number] for number in group.numbers]
            data = chosen[0].data
            if id(data) not in sent:
                sent[id(data)] = None if isinstance(data.train.x, StreamedInputs) else ray.put(data)
            work = TaskSpec(
                [one.recipe.to_toml() for one in chosen],
                [
                    {"predict": one.recipe.predict} if isinstance(one.recipe.predict, given) else {}
                    for one in chosen
                ],
                [one.recipe.reasons for one in chosen],
                [names[number] for number in group.numbers],
                group.own,
                watch,
                keep_files,
                data.digest,
                None if data_dir is None else str(data_dir),
            )
            options = {
                **_task_resources(chosen[0]),
                "max_retries": RETRIES,
                "scheduling_strategy": "SPREAD",
                "name": f"sevensteps {work.names[0]}",
            }
            tasks[remote.options(**options).remote(versions(), work, sent[id(data)], train)] = group
    except (TypeError, ValueError, AttributeError) as failure:
        raise ArgumentError(
            f"a network or the data cannot go to other machines: {first_line(failure)}; write the "
            "network as "
            'module("package:factory"), and the data as arrays or a name'
        ) from None
    return tasks


def _task_error(
    ray: Any, failure: Exception, group: LockstepPlan, names: Sequence[str], folder: Path | None
) -> Error:
    """What went wrong with a task, in one line."""
    kept = f"; what has finished is kept in {folder}" if folder is not None else ""
    cause = getattr(failure, "cause", None)
    if isinstance(cause, Error):
        return type(cause)(f"{cause}{kept}")
    who = f"run {names[group.numbers[0]]}" + (
        f" to {names[group.numbers[-1]]}" if len(group.numbers) > 1 else ""
    )
    if isinstance(
        cause, ImportError | ray.exceptions.RaySystemError
    ):  # the latter where it cannot read what it is sent
        return RunError(
            f"{who}: a machine of the cluster lacks what it needs: "
            f"{first_line(cause).removeprefix('System error: ')}; install "
            f"the same on all machines, sevensteps {__version__} too{kept}"
        )
    if isinstance(failure, ray.exceptions.RayTaskError) and cause is not None:
        return RunError(f"{who} failed: {type(cause).__name__}: {first_line(cause)}{kept}")
    return RunError(
        f"{who} was lost with its machine or process, {RETRIES + 1} times in a row: "
        f"{type(failure).__name__}: "
        f"{first_line(failure)}{kept}"
    )
