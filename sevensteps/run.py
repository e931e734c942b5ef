"""The face: `train()` runs a recipe, `load()` reads a run back, and both give a `Run`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sevensteps import loop, process
from sevensteps.data import Data, from_loader, loadable, spelled
from sevensteps.data.inputs import Inputs
from sevensteps.doctor import Diagnosis
from sevensteps.doctor.attending import Attending
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.stored import seen
from sevensteps.engine import kernels
from sevensteps.engine.fully_sharded import FullySharded
from sevensteps.engine.sharded import Sharded
from sevensteps.errors import ArgumentError, DataError, RunError, ShapeError, number
from sevensteps.evaluation import outputs_of
from sevensteps.group import agreeing, join, leads
from sevensteps.loop import Observer
from sevensteps.recipe import Recipe, Settled, settle
from sevensteps.record.folder import find
from sevensteps.record.history import read as read_history
from sevensteps.record.reader import Stored, read_run
from sevensteps.record.writer import EVERY, Partner, Writer, summarize
from sevensteps.state import Training
from sevensteps.task import Output
from sevensteps.together import begun, objects, opened, prepared, staying
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
        self.settled: Settled | None = None  # of a training of this session: its data, wherever they came from

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

    @property
    def explain(self) -> Any:
        """The questions that can be asked about this run: `run.explain.sample(3)`."""
        from sevensteps.explaining import explain

        return explain(self)

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
    `run.findings`. With 0 nobody looks. The processes that `torchrun` starts share each step. The global state of PyTorch
    is as it was afterwards, generators included.
    Raises `sevensteps.Error`, one line with the fix, for anything that does not fit, before the first step and before a folder is made.

    >>> run = train("digits", stop="epochs(2)", out=False)
    >>> run.summary["stop"]["rule"], len(run.history)
    ('epochs', 2)
    """
    group = join()
    with agreeing(group):
        recipe = as_recipe(data, {**steps, "seed": seed, "device": device, "threads": threads, "precision": precision})
    folder, job = begun(out, recipe, group)
    if folder is not None:
        budget = watch.watching.schedule.budget if isinstance(watch, Attending) else watch
        return resume(folder, **objects(recipe), data_dir=data_dir, allow_code=True, save_every=save_every, progress=progress, watch=budget,
                      observers=observers, again=True)
    with agreeing(group):
        settled = settle(recipe, data_dir)
    with prepared(settled, group) as training, progress_view(leads() and progress) as views:
        return run_training(training, out, [*observers, *views], watch, save_every, job=job)


def resume(run: Path | str, *, stop: Any = None, data: Data | None = None, predict: nn.Module | None = None, repeat: Any = None,
           data_dir: Path | str | None = None, allow_code: bool = False, save_every: float = EVERY, progress: bool | None = None,
           watch: float = 0.02, observers: Sequence[Observer] = (), say: Callable[[str], None] = warnings.warn, again: bool = False) -> Run:
    """Go on with a training that was interrupted or killed, to the same bits as if it never had been; `run` as for `load`.

    It goes on from the last state that was saved, or from the start where none was, in the same folder. `stop` lets it go further
    than it was to, or one that has finished go on. Data, network or batches that were Python objects are given again, as `data`,
    `predict` and `repeat`. `say(text)` is told where the last state was damaged and the one before it is taken. Raises `RunError`
    where the training runs elsewhere, has finished (with `again` it only ends once more), or its state is damaged, `DataError` where the
    data are others.
    """
    group = join()
    found = opened(run, group)
    folder, kept = found.folder, found.kept
    try:
        with agreeing(group):
            given = {"stop": stop, "data": data, "predict": predict, "repeat": repeat}
            recipe = Recipe.from_toml(found.recipe, allow_code=allow_code, **{key: it for key, it in given.items() if it is not None})
            if isinstance(recipe.data, str) and not loadable(recipe.data):
                raise RunError(f"the data of {folder}, {recipe.data}, came from Python; give them again, as in ss.resume(run, data=…)")
            settled = settle(recipe, data_dir)
            if not again:
                found.refuse_finished(settled.recipe)
            attending = number("watch", watch, at_least=0, at_most=1) * leads() and \
                Attending(watch, seen=seen(folder, kept.step) if kept else None)
        with kernels.decided(kept.kernels if kept else {}), prepared(settled, group, kept) as training, \
                progress_view(leads() and progress) as views:
            for wrong in found.wrong:
                say(wrong)
            return run_training(training, folder, [*observers, *views], attending, save_every, again=True)
    finally:
        found.release()


def run_training(training: Training, out: Path | str | Literal[False] | None, observers: Sequence[Observer],
                 watch: float | Attending = 0.02, save_every: float = EVERY, again: bool = False, job: dict[str, str] | None = None) -> Run:
    """Run a training that has been set up, and give its `Run`; a folder is made unless `out` is False, or `again` is one's own.

    Of a group of processes the first alone writes, watches and has observers; the `Run` of the others has no folder.
    """
    group = training.group
    attending = watch if isinstance(watch, Attending) else Attending(watch) if number("watch", watch, at_least=0, at_most=1) else None
    number("save_every", save_every, above=0)
    attending, observers = (attending, observers) if leads() else (None, ())
    if isinstance(training.engine, FullySharded):  # nobody looks at a network in parts
        attending, observers = None, observers if leads() or out is False else [Partner()]
    writer = Writer(out, training.settled.data.source, attending, save_every, again, job) if out is not False and leads() else None
    summary: dict[str, Any] = {}
    try:
        with staying(group):
            with process.interruptible(training.engine if isinstance(training.engine, Sharded) else training.progress):
                ended = loop.train(training, [*([attending] if attending else []), *([writer] if writer else []), *observers])
            if leads():
                summary = summary_of(training, ended, writer, attending)
            summary = summary if group is None else group.said(summary)
    except (KeyboardInterrupt, RunError) as failure:
        if writer is None or writer.saved is None:
            raise
        raise type(failure)(f"{str(failure) or 'stopped at once'}; the state of step {writer.saved:,} is kept: sevensteps resume "
                            f"{writer.folder}") from None
    finally:
        if writer is not None:
            writer.close()
    return ended_run(training, summary, writer, attending)


def summary_of(training: Training, ended: tuple[str, str], writer: Writer | None, attending: Attending | None) -> dict[str, Any]:
    """What is said of a training that has ended, by whoever looked on."""
    return writer.summary if writer else {**summarize(training, *ended, ""), **(attending.report(None) if attending else {})}


def ended_run(training: Training, summary: dict[str, Any], writer: Writer | None, attending: Attending | None) -> Run:
    """The `Run` of a training that has ended."""
    settled = training.settled
    run = Run(settled.recipe, summary, training.progress.history, writer.folder if writer else None,
              training.network.eval(), training.best_network().eval(),
              settled.output, settled.data.inputs, attending.after if attending else None)
    run.settled = settled
    return run


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
