"""`Run`: a finished training, which `train`, `resume`, `load` and `race` give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.api.export import Exported, card, export
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.doctor.case import Case
from sevensteps.doctor.case_folder import read_observation
from sevensteps.doctor.diagnosis import Diagnosis, diagnose
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.stored_diagnosis import diagnose_folder
from sevensteps.errors import DataError, RunError, ShapeError
from sevensteps.explain.questions import Explain
from sevensteps.explain.subject import Subject
from sevensteps.head import Output
from sevensteps.metrics import primary
from sevensteps.record.history import History, Metrics, number
from sevensteps.record.run_folder import find_diagnosed
from sevensteps.record.summary import RunSummary
from sevensteps.render.text import count_text
from sevensteps.training.evaluation import outputs_of
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import ResolvedRecipe
from sevensteps.view import faces as faces  # enters how diagnoses and explanations become pages


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network as it was at the end of an epoch, with the metrics of both parts there."""

    epoch: int
    metrics: dict[str, Any]
    network: nn.Module

    def __repr__(self) -> str:
        train, valid = self.metrics["train"], self.metrics["valid"]
        return (
            f"<Snapshot after epoch {self.epoch}: training loss {number(train['loss'])}, "
            f"validation {Metrics(valid)!r}>"
        )


@dataclass(frozen=True)
class Answers:
    """A network's answers to N inputs: its `outputs [N, O]`, the `predictions [N, O]` that the
    output link makes of them, and the `answers`.

    An answer is a class name, for multilabel a tuple of label names, for a regression the number in
    the units of the raw target."""

    answers: list[Any]
    predictions: Tensor
    outputs: Tensor


class Run:
    """A finished training: its recipe, what came of it, and the networks.

    `last` and `best` are the network and its metrics at the last epoch and at the best validation
    metric; `network` has the last weights and is never swapped for the best. `history` has a
    row for each evaluation, and `history.frame()` is a pandas frame. `diagnosis` is the
    doctor's, where the training ran in this session and was watched; `folder` is None for a run
    without one."""

    def __init__(
        self,
        recipe: Recipe,
        summary: RunSummary,
        history: list[dict[str, Any]],
        folder: Path | None,
        last: nn.Module,
        best: nn.Module,
        output: Output,
        inputs: Preprocessing,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        self.recipe, self.history, self.folder = recipe, History(history), folder
        self._summary = summary
        self.network = last
        self.last = Snapshot(summary.epochs, summary.metrics, last)
        self.best = Snapshot(summary.best.epoch, summary.best.metrics, best)
        self.output, self.inputs, self.diagnosis = output, inputs, diagnosis
        # of a member of a race that was watched and not examined: what `ss.diagnose` examines
        self.unexamined: Case | None = None
        # of a training of this session: it has the data, wherever they came from
        self.resolved: ResolvedRecipe | None = None

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `run.json`: stop reason, metrics, versions, findings and the like."""
        return self.outcome.to_dict()

    @property
    def outcome(self) -> RunSummary:
        """The summary with typed fields: `run.outcome.stop.rule`."""
        return replace(self._summary, **(self.diagnosis.to_dict() if self.diagnosis else {}))

    @property
    def metrics(self) -> dict[str, Any]:
        """`metrics["valid"]["accuracy"]` and the like, at the last epoch."""
        return {part: Metrics(values) for part, values in self._summary.metrics.items()}

    @cached_property
    def findings(self) -> list[Finding]:
        """What is wrong with the training, most likely cause first.

        Raises `RunError` where the run's file is damaged.
        """
        if self.diagnosis is not None:
            return self.diagnosis.findings
        try:
            return [Finding.from_dict(finding) for finding in self._summary.findings]
        except (KeyError, TypeError) as failure:
            raise RunError(
                f"the findings of {self.folder} are damaged: {type(failure).__name__}: {failure}"
            ) from None

    def diagnosed(self, *, allow_code: bool = False) -> Diagnosis:
        """What the doctor says: the `diagnosis` of this session, or that of the run's folder.

        Raises `RunError` where the training was not watched, or its files are damaged.
        """
        if self.diagnosis is None and self.unexamined is not None:
            self.diagnosis = diagnose(self.unexamined)
        if self.diagnosis is not None:
            return self.diagnosis
        if self.folder is None:
            raise RunError(
                "this run was not watched, so there is nothing to diagnose; train again without "
                "watch=0"
            )
        return diagnose_folder(find_diagnosed(self.folder), allow_code=allow_code)

    @property
    def healed(self) -> list[dict[str, Any]]:
        """What `heal` changed on the way to this run: condition, change, the run it came from, and
        the trial that proves it.
        """
        return self._summary.healed or []

    def predict(self, raw: Any, which: Literal["last", "best"] = "last") -> Answers:
        """The network's answers to raw inputs `[N, …]`: not scaled yet, that is done here.

        Raises `ShapeError` where the inputs have another shape than in the training, `DataError`
        where they have a number that is not finite."""
        try:
            x = torch.as_tensor(np.asarray(raw) if not isinstance(raw, Tensor) else raw)
        except (TypeError, ValueError) as failure:
            raise DataError(f"inputs must be numbers, one row per sample: {failure}") from None
        if tuple(x.shape[1:]) != self.inputs.shape:
            raise ShapeError(
                f"inputs of shape {list(x.shape)} do not fit a network trained on "
                f"{['N', *self.inputs.shape]}; "
                f"give one row per sample, each of shape {list(self.inputs.shape)}"
            )
        if not bool((finite := x.isfinite()).all()):
            row = int(torch.nonzero(~finite)[0, 0])
            raise DataError(
                f"the inputs hold a number that is not finite, the first in row {row}; fill it in "
                "or leave the row out"
            )
        network = (self.last if which == "last" else self.best).network
        like = next(network.parameters(), torch.empty(0))
        outputs = outputs_of(network, self.inputs.scaling(x).to(like.device, like.dtype)).cpu()
        answers = self.output.decode(outputs, self.inputs.target_scaling.undo)
        return Answers(answers, self.output.predict(outputs), outputs)

    def export(
        self, path: Path | str, *, raw: bool = True, which: Literal["last", "best"] = "last"
    ) -> Exported:
        """Write the run as one file for others: `.onnx`, a model card `.md`, its history `.csv`;
        see `sevensteps.api.export.export`.
        """
        return export(self, path, raw=raw, which=which)

    def report(self, path: Path | str) -> Path:
        """Write the run as one HTML file that opens anywhere: what is wrong and why, its curves,
        layers, samples and data. `ss.read_report(path)` gives the numbers in it back.

        Raises `ArgumentError` where `path` does not end in .html.
        """
        from sevensteps.view.report import require_html, write_report

        require_html(Path(path))
        return write_report(self.document(), path)

    def plot(self, path: Path | str | None = None) -> Any:
        """Draw loss and metric by step: a matplotlib figure, also saved to `path` (.png or .svg).

        Raises `ArgumentError` where matplotlib is not installed.
        """
        from sevensteps.view.run_figure import plot_run

        return plot_run(self.history, self._headline(), path, self.findings)

    def document(
        self,
        data_dir: Path | str | None = None,
        *,
        allow_code: bool = False,
        report: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """What a page shows of the run, as plain JSON; with the files of the data in `data_dir`.

        `report(text)` is called before each part that takes a while.
        """
        from sevensteps.view.document.run import run_document

        diagnosis, why = None, ""
        try:
            diagnosis = self.diagnosed(allow_code=allow_code)
        except RunError as failure:
            why = str(failure)
        return run_document(self, self.explained(data_dir), diagnosis, why, report)

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from sevensteps.view.notebook import remembered, show_document

        def show() -> dict[str, Any]:
            return show_document(self.document, repr(self), self.plot)

        # trials change what the diagnosis says
        return remembered.show(self, lambda: (repr(self), str(self.diagnosis)), show)

    def card(self) -> str:
        """A model card as Markdown: data, results, findings, limits, and how to repeat it."""
        return card(self)

    @property
    def explain(self) -> Explain:
        """The questions that can be asked about this run: `run.explain.sample(3)`."""
        return self.explained()

    def explained(self, data_dir: Path | str | None = None) -> Explain:
        """The same questions as `explain`, with the files of the data in `data_dir`."""
        observation = None
        if self.diagnosis is not None:
            observation = self.diagnosis.case.observation
        elif self.unexamined is not None:
            observation = self.unexamined.observation
        elif self.folder is not None:
            watched = read_observation(self.folder, self._summary.steps + 1)
            observation = watched[0] if watched is not None else None
        return Explain(
            Subject(
                self.recipe,
                self.network,
                self.outcome,
                self.history,
                self.folder,
                observation,
                data_dir,
                self.resolved,
            )
        )

    def __getstate__(self) -> dict[str, Any]:
        """What a pickled or copied run has: everything but the data it was trained on, and the
        doctor's notes, of which the findings stay.
        """
        recipe = replace(self.recipe, data=self.recipe.source)
        left_out: dict[str, Any] = dict.fromkeys(("resolved", "unexamined", "diagnosis"))
        return {**vars(self), **left_out, "recipe": recipe, "_summary": self.outcome}

    def _headline(self) -> str:
        """The run in a line: `digits: accuracy 0.9722 after 3 epochs`."""
        valid = self.metrics["valid"]
        name = primary(valid)
        value = "not a number" if valid[name] is None else f"{valid[name]:.4f}"
        epochs = count_text(self._summary.epochs, "epoch")
        return f"{self.recipe.source}: {name} {value} after {epochs}"

    def __repr__(self) -> str:
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        return f"<Run of {self._headline()}{where}>"
