"""`export()`: a run as a file for others: ONNX, a model card, its history as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from torch import nn

from sevensteps.arguments import one_of
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.errors import ArgumentError
from sevensteps.head import Output
from sevensteps.record.history import History, Metrics
from sevensteps.record.run_folder import write
from sevensteps.record.summary import RunSummary
from sevensteps.training.recipe import Recipe
from sevensteps.view.model_card import model_card

ENDINGS = (".onnx", ".md", ".csv")


class Weights(Protocol):
    """A network as it was after an epoch, as a `Snapshot` is."""

    @property
    def epoch(self) -> int: ...
    @property
    def metrics(self) -> dict[str, Any]: ...
    @property
    def network(self) -> nn.Module: ...


class Run(Protocol):
    """What of a `Run` is exported."""

    recipe: Recipe
    history: History
    folder: Path | None
    output: Output
    inputs: Preprocessing

    @property
    def outcome(self) -> RunSummary: ...
    @property
    def last(self) -> Weights: ...
    @property
    def best(self) -> Weights: ...


@dataclass(frozen=True)
class Exported:
    """The file that was written, and a sentence about what is in it. Of ONNX, `difference` is that
    of onnxruntime's answers from the network's, as a share of the largest; None where onnxruntime
    is not installed.
    """

    path: Path
    about: str
    difference: float | None = None


def export(
    run: Run,
    path: Path | str,
    *,
    raw: bool = True,
    which: Literal["last", "best"] = "last",
) -> Exported:
    """Write a run as one file, of the kind that the ending of `path` says.

    `.onnx`: the network, for any number of samples at once. With `raw` it takes raw inputs, as
    `run.predict` does, and gives probabilities, or amounts in raw units; without, it takes scaled
    inputs and gives the network's outputs. `which` has the weights of the last or the best epoch.
    `.md`: a model card. `.csv`: the history, a row an evaluation. Raises `ArgumentError` for
    another ending, or where a library is missing.
    """
    one_of("which", which, ("last", "best"))
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".onnx":
        return _export_onnx(run, path, raw, which)
    if ending == ".md":
        write(path, card(run).encode())
        return Exported(path, "a model card: data, results, findings, limits, recipe")
    if ending == ".csv":
        rows = run.history.flat()
        content = io.StringIO(newline="")
        table = csv.DictWriter(content, list(dict.fromkeys(key for row in rows for key in row)))
        table.writeheader()
        table.writerows(rows)
        write(path, content.getvalue().encode())
        return Exported(path, f"the history: {len(rows):,} evaluations")
    raise ArgumentError(
        f"{path}: there is no export of kind '{ending}'; give a file that ends in "
        f"{', '.join(ENDINGS)}. The weights are {run.folder or 'RUN'}/weights.safetensors"
    )


def card(run: Run) -> str:
    """The model card of a run, as Markdown."""
    return model_card(run.outcome, run.recipe.to_toml())


def _export_onnx(run: Run, path: Path, raw: bool, which: Literal["last", "best"]) -> Exported:
    from sevensteps.record.onnx_file import write_onnx

    snapshot = run.last if which == "last" else run.best
    summary = run.outcome
    facts = {
        "made_by": f"sevensteps {summary.versions.get('sevensteps', '')}",
        "data": summary.recipe["data"],
        "predict": summary.recipe["predict"],
        "task": run.output.task.kind,
        "classes": list(run.output.task.classes),
        "columns": list(run.inputs.features),
        "epoch": snapshot.epoch,
        "valid": repr(Metrics(snapshot.metrics["valid"])),
        "takes": "raw inputs" if raw else "scaled inputs",
        "gives": _gives(run) if raw else "outputs of the network, before their link",
    }
    difference = write_onnx(path, snapshot.network, run.inputs, run.output, raw=raw, facts=facts)
    kind = "float32" if run.inputs.kind == "image" or not raw else "float64"
    shape = ", ".join(map(str, ("batch", *run.inputs.shape)))
    return Exported(
        path, f"takes {facts['takes']} [{shape}] {kind}, gives {facts['gives']}", difference
    )


def _gives(run: Run) -> str:
    if run.output.task.kind == "regression":
        return "amounts in raw units"
    if run.output.link == "identity":
        return "scores"
    one = run.output.size == 1 and run.output.task.kind == "binary"
    return (
        f"the probability of {run.output.task.classes[1]}"
        if one
        else "a probability for each class"
    )
