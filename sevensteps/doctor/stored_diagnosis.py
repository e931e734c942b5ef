"""The diagnosis of a training from its folder, on this machine or another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sevensteps.data import is_loadable
from sevensteps.doctor.case_folder import SAMPLES, add_recorded_trials, load_case
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.diagnosis import diagnose as diagnose_case
from sevensteps.doctor.observer import output_scorer
from sevensteps.errors import Error, RunError
from sevensteps.notation import auto
from sevensteps.record.database import read as read_history
from sevensteps.record.reader import read_run
from sevensteps.record.summary import read_summary
from sevensteps.training.recipe import PYTHON_OBJECTS, Recipe, was_python_object


def diagnose_folder(folder: Path, *, allow_code: bool = False) -> Diagnosis:
    """What is wrong with the training in `folder`, of a run or of `watch.save`.

    Raises `RunError` where it was not watched, or where its files are damaged.
    """
    try:
        return _diagnose(folder, allow_code)
    except Error:
        raise
    except (
        TypeError,
        AttributeError,
        ValueError,
        LookupError,
        ArithmeticError,
        RuntimeError,
    ) as failure:
        raise RunError(
            f"the record of the training in {folder} makes no sense: {type(failure).__name__}: "
            f"{failure}; its files are damaged"
        ) from failure


def _diagnose(folder: Path, allow_code: bool) -> Diagnosis:
    case = load_case(folder)
    if (folder / SAMPLES).is_file():  # not examined when it was trained: its network answers now
        stored = read_run(folder, allow_code=allow_code)
        loss = stored.recipe.loss
        case.network = stored.network("weights.safetensors")
        case.loss_fn = lambda output, target: loss(output, target).mean()
        case.score_output = output_scorer(stored.output)
    if (folder / "recipe.toml").is_file():
        objects = _stand_ins(folder)
        case.recipe = Recipe.from_toml(folder / "recipe.toml", allow_code=allow_code, **objects)
        case.history = read_history(folder)["history"]
        if objects or not is_loadable(case.recipe.source):
            case.why_not_retrainable = (
                f"{' and '.join(objects) or 'the data'} of this run came from Python, so it "
                "cannot be trained again from its "
                "folder; in Python: ss.diagnose(run).try_remedies()"
            )
    diagnosis = diagnose_case(case)
    add_recorded_trials(folder, diagnosis.findings)
    return diagnosis


def _stand_ins(folder: Path) -> dict[str, Any]:
    """Values in place of a network or batches that were Python objects, which no recipe holds."""
    recipe = read_summary(folder).recipe
    return {step: auto() for step in PYTHON_OBJECTS if was_python_object(step, recipe[step])}
