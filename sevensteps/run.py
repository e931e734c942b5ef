"""The face: `train()` runs a recipe, `load()` reads a run back, and both give a `Run`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sevensteps import loop, process, state
from sevensteps.data import Data, from_loader, loadable, spelled
from sevensteps.data.inputs import Inputs
from sevensteps.doctor import Diagnosis, examine
from sevensteps.doctor.attending import Attending
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.stored import load as load_case
from sevensteps.doctor.stored import recall, seen
from sevensteps.engine import kernels
from sevensteps.errors import ArgumentError, DataError, Error, RunError, ShapeError, number
from sevensteps.loop import Observer
from sevensteps.notation import auto
from sevensteps.recipe import OBJECTS, Recipe, settle
from sevensteps.record.folder import find, hold, inside
from sevensteps.record.history import read as read_history
from sevensteps.record.reader import Stored, read_run, read_summary
from sevensteps.record.saved import read as read_state
from sevensteps.record.writer import EVERY, Writer, summarize
from sevensteps.state import Training, outputs_of
from sevensteps.task import Output
from sevensteps.view.terminal import progress_view

Trained = str | Data | Recipe | DataLoader[Any] | Dataset[Any]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network as it was at the end of an epoch, with the metrics of both parts there."""

    epoch: int
    metrics: dict[str, Any]
    network: nn.Module


@dataclass(frozen=True)
class Answers:
    """What a network says of some inputs: `outputs [N, O]`, `predictions [N, O]` through the output link, and the `answers`.

    An answer is a class name, for multilabel a tuple of label names, for a regression the number in the units of the raw target.
    """

    answers: list[Any]
    predictions: Tensor
    outputs: Tensor


class Run:
    """A finished training: its recipe, what came of it, and the networks.

    `metrics` are those of the last epoch, `best` those of the best validation metric; `network` has the last weights and is never
    swapped for the best. `history` has one row an evaluation. `diagnosis` is that of the end of a training of this session.
    """

    def __init__(self, recipe: Recipe, summary: dict[str, Any], history: list[dict[str, Any]], folder: Path | None,
                 last: nn.Module, best: nn.Module, output: Output, inputs: Inputs, diagnosis: Diagnosis | None = None) -> None:
        self.recipe, self.summary, self.history, self.folder = recipe, summary, history, folder
        self.network = last
        self.last = Snapshot(summary["epochs"], summary["metrics"], last)
        self.best = Snapshot(summary["best"]["epoch"], summary["best"]["metrics"], best)
        self.output, self.inputs, self.diagnosis = output, inputs, diagnosis

    @property
    def metrics(self) -> dict[str, Any]:
        """`metrics["valid"]["accuracy"]` and the like, of the last epoch."""
        metrics: dict[str, Any] = self.summary["metrics"]
        return metrics

    @property
    def findings(self) -> list[Finding]:
        """What was found wrong with the training, most likely cause first. Raises `RunError` where the run's file is damaged."""
        try:
            return [Finding.from_dict(held) for held in self.summary["findings"]]
        except (KeyError, TypeError) as failure:
            raise RunError(f"the findings of {self.folder} are damaged: {type(failure).__name__}: {failure}") from None

    @property
    def healed(self) -> list[dict[str, Any]]:
        """What `heal` changed on the way to this run: condition, change, the run it came from, and the trial that proves it."""
        healed: list[dict[str, Any]] = self.summary.get("healed", [])
        return healed

    def predict(self, raw: Any, which: Literal["last", "best"] = "last") -> Answers:
        """What the network answers to raw inputs `[N, …]`, as they were before the training's own scaling.

        Raises `ShapeError` where an input is not of the shape that was trained on, `DataError` where it is no finite number.
        """
        try:
            x = torch.as_tensor(np.asarray(raw) if not isinstance(raw, Tensor) else raw)
        except (TypeError, ValueError) as failure:
            raise DataError(f"inputs must be numbers, one row per sample: {failure}") from None
        if tuple(x.shape[1:]) != self.inputs.shape:
            raise ShapeError(f"inputs of shape {list(x.shape)} do not fit a network trained on {['N', *self.inputs.shape]}; "
                             f"give one row per sample, each of shape {list(self.inputs.shape)}")
        if not bool((finite := x.isfinite()).all()):
            row = int(torch.nonzero(~finite)[0, 0])
            raise DataError(f"the inputs hold a number that is not finite, the first in row {row}; fill it in or leave the row out")
        network = (self.last if which == "last" else self.best).network
        like = next(network.parameters(), torch.empty(0))
        outputs = outputs_of(network, self.inputs.scaling(x).to(like.device, like.dtype)).cpu()
        predictions, classes = self.output.predict(outputs), self.output.task.classes
        if self.output.task.kind == "regression":
            values = self.inputs.target_scaling.undo(predictions)
            return Answers([row[0] if len(row) == 1 else tuple(row) for row in values.tolist()], predictions, outputs)
        decided = self.output.decide(outputs)
        if self.output.task.kind == "multilabel":
            return Answers([tuple(c for c, on in zip(classes, row, strict=True) if on) for row in decided.tolist()], predictions, outputs)
        return Answers([classes[index] for index in decided.tolist()], predictions, outputs)

    def __repr__(self) -> str:
        valid = self.metrics["valid"]
        name = "accuracy" if "accuracy" in valid else "r2" if "r2" in valid else "loss"
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        value = "not a number" if valid[name] is None else f"{valid[name]:.4f}"
        return f"<Run of {self.recipe.source}: {name} {value} after {self.summary['epochs']} epochs{where}>"


def train(data: Trained, *, seed: int | None = None, device: str | None = None, threads: int | None = None,
          precision: str | None = None, data_dir: Path | str | None = None, out: Path | str | Literal[False] | None = None,
          save_every: float = EVERY, progress: bool | None = None, watch: float | Attending = 0.02, observers: Sequence[Observer] = (),
          **steps: Any) -> Run:
    """Train in seven steps and keep what happened.

    `data` is a name (`"digits"`), a path, `Data`, a `DataLoader` or `Dataset` of PyTorch, or a whole `Recipe`; the steps are keywords
    (`predict=mlp(30)`), and whatever is left out is chosen, with the reason in `run.recipe.reasons`. `out` is the run folder (default
    `runs/<date>-<name>`, False for none); the state is saved there every `save_every` seconds and at the end, for `resume`. `progress`
    shows a live line (default: on a terminal). `watch` is the share of time that looking inside may cost; what is found wrong stands in
    `run.findings`. With 0 nobody looks. The global state of PyTorch is as it was afterwards, generators included.
    Raises `sevensteps.Error`, one line with the fix, for anything that does not fit, before the first step and before a folder is made.

    >>> run = train("digits", stop="epochs(2)", out=False)
    >>> run.summary["stop"]["rule"], len(run.history)
    ('epochs', 2)
    """
    recipe = as_recipe(data, {**steps, "seed": seed, "device": device, "threads": threads, "precision": precision})
    settled = settle(recipe, data_dir)
    with process.threads(recipe.threads or process.usual_threads(settled)) as used, progress_view(progress) as views:
        training = state.start(replace(settled, recipe=replace(settled.recipe, threads=used)))
        return run_training(training, out, [*observers, *views], watch, save_every)


def resume(run: Path | str, *, stop: Any = None, data: Data | None = None, predict: nn.Module | None = None, repeat: Any = None,
           data_dir: Path | str | None = None, allow_code: bool = False, save_every: float = EVERY, progress: bool | None = None,
           watch: float = 0.02, observers: Sequence[Observer] = (), say: Callable[[str], None] = warnings.warn) -> Run:
    """Go on with a training that was interrupted or killed, to the same bits as if it never had been; `run` as for `load`.

    It goes on from the last state that was saved, or from the start where none was, in the same folder. `stop` lets it go further
    than it was to, or one that has finished go on. Data, network or batches that were Python objects are given again, as `data`,
    `predict` and `repeat`. `say(text)` is told where the last state was damaged and the one before it is taken. Raises `RunError`
    where the training has finished, runs elsewhere, or its state is damaged, `DataError` where the data are others.
    """
    folder = find(run, "recipe.toml")
    lock = hold(folder)
    try:
        kept = read_state(folder)
        given = {"stop": stop, "data": data, "predict": predict, "repeat": repeat}
        recipe = Recipe.from_toml(folder / "recipe.toml", allow_code=allow_code, **{key: it for key, it in given.items() if it is not None})
        if isinstance(recipe.data, str) and not loadable(recipe.data):
            raise RunError(f"the data of {folder}, {recipe.data}, came from Python; give them again, as in ss.resume(run, data=…)")
        settled = settle(recipe, data_dir)
        if (folder / "run.json").is_file():
            refuse_finished(folder, settled.recipe)
        attending = number("watch", watch, at_least=0, at_most=1) and Attending(watch, seen=seen(folder, kept.step) if kept else None)
        with process.threads(recipe.threads or process.usual_threads(settled)) as used, progress_view(progress) as views, \
                kernels.decided(kept.kernels if kept else {}):
            training = state.start(replace(settled, recipe=replace(settled.recipe, threads=used)))
            if kept:
                kept.restore(training)
                for wrong in kept.wrong:
                    say(f"{wrong}; going on from step {kept.step:,}, which is whole")
            return run_training(training, folder, [*observers, *views], attending, save_every, again=True)
    finally:
        lock.release()


def refuse_finished(folder: Path, recipe: Recipe) -> None:
    """Raise `RunError` where the training in `folder` has ended for good: by its own stop, or because it diverged."""
    summary = read_summary(folder)
    rule, reason = summary["stop"]["rule"], summary["stop"]["reason"]
    if rule == "not_finite":
        raise RunError(f"{folder} cannot go on: {reason}; find out why with: sevensteps diagnose {folder}")
    if rule != "interrupt" and summary["recipe"]["stop"] == repr(recipe.stop):
        raise RunError(f"{folder} has finished: {reason}; to go on, give a stop that is further away (--stop)")


def run_training(training: Training, out: Path | str | Literal[False] | None, observers: Sequence[Observer],
                 watch: float | Attending = 0.02, save_every: float = EVERY, again: bool = False) -> Run:
    """Run a training that has been set up, and give its `Run`; a folder is made unless `out` is False, or `again` is one's own."""
    settled = training.settled
    attending = watch if isinstance(watch, Attending) else Attending(watch) if number("watch", watch, at_least=0, at_most=1) else None
    number("save_every", save_every, above=0)
    writer = None if out is False else Writer(out, settled.data.source, attending, save_every, again)
    try:
        with process.interruptible(training.progress):
            ended = loop.train(training, [*([attending] if attending else []), *([writer] if writer else []), *observers])
    except (KeyboardInterrupt, RunError) as failure:
        if writer is None or writer.saved is None:
            raise
        raise type(failure)(f"{str(failure) or 'stopped at once'}; the state of step {writer.saved:,} is kept: sevensteps resume "
                            f"{writer.folder}") from None
    finally:
        if writer is not None:
            writer.close()
    summary = writer.summary if writer else {**summarize(training, *ended, ""), **(attending.report(None) if attending else {})}
    return Run(settled.recipe, summary, training.progress.history, writer.folder if writer else None,
               training.network.eval(), training.best_network().eval(),
               settled.output, settled.data.inputs, attending.after if attending else None)


def diagnose(run: Path | str | Run, *, allow_code: bool = False) -> Diagnosis:
    """What is wrong with a training that was kept: a run folder, its name under `runs/`, `"last"`, or a folder of `watch.save`.

    Raises `RunError` where there is none, where it was not watched, or where it is damaged.
    """
    if isinstance(run, Run) and run.diagnosis is not None:
        return run.diagnosis
    place = run.folder if isinstance(run, Run) else run
    if place is None:
        raise RunError("this run was not watched, so there is nothing to diagnose; train again without watch=0")
    folder = diagnosed(place)
    try:
        return _diagnosed(folder, allow_code)
    except Error:
        raise
    except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError, RuntimeError) as failure:
        raise RunError(f"what was seen in {folder} makes no sense: {type(failure).__name__}: {failure}; its files are damaged") from failure


def _diagnosed(folder: Path, allow_code: bool) -> Diagnosis:
    case = load_case(folder)
    if (folder / "recipe.toml").is_file():
        objects = _objects(folder)
        case.recipe = Recipe.from_toml(folder / "recipe.toml", allow_code=allow_code, **objects)
        case.history = read_history(folder)["history"]
        if objects or not loadable(case.recipe.source):
            case.lacking = (f"{' and '.join(objects) or 'the data'} of this run came from Python, so it cannot be trained again from its "
                            "folder; in Python: ss.diagnose(run).try_remedies()")
    diagnosis = examine(case)
    recall(folder, diagnosis)
    return diagnosis


def diagnosed(run: Path | str) -> Path:
    """The folder that `diagnose` reads for `run`."""
    with suppress(OSError):  # a name that is too long, which `find` says
        if (Path(run) / "watch.json").is_file():
            inside(Path(run) / "recipe.toml")
            return Path(run)
    return find(run)


def _objects(folder: Path) -> dict[str, Any]:
    """Stand-ins for what a recipe cannot hold: a network or batches that were Python objects."""
    steps = read_summary(folder)["recipe"]
    return {step: auto() for step, text in OBJECTS.items() if str(steps[step]).startswith(text)}


def as_recipe(data: Trained, given: dict[str, Any]) -> Recipe:
    """One recipe from a name, `Data` or a recipe, and from keywords that replace what it says. None means not given."""
    given = {key: item for key, item in given.items() if item is not None}
    if isinstance(data, str):
        data = spelled(data)
    elif isinstance(data, DataLoader | Dataset):
        data = from_loader(data)
    try:
        return replace(data, **given) if isinstance(data, Recipe) else Recipe(data, **given)
    except TypeError as failure:
        raise ArgumentError(f"train: {str(failure).removeprefix('Recipe.__init__() ')}; the steps are initialize, predict, loss, gradient, "
                            "step, repeat, stop") from None


def load(run: Path | str, *, allow_code: bool = False, predict: nn.Module | None = None) -> Run:
    """Read a finished run back from its folder, from its name under `runs/`, or as `"last"`.

    A run whose network comes from `module("package:factory")` is refused unless `allow_code`; one whose network was given as a
    Python object needs such a network again as `predict`. Raises `RunError` where the folder is missing or damaged.
    """
    stored: Stored = read_run(find(run), allow_code=allow_code, predict=predict)
    return Run(stored.recipe, stored.summary, read_history(stored.folder)["history"], stored.folder,
               stored.network("weights.safetensors"), stored.network("best.safetensors"), stored.output, stored.inputs)
