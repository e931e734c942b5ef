"""inputs_not_finite: an input or a target is missing or infinite.

A single such number makes every number computed from it useless. Measured: every sample kept and
all data given; the finding names rows and columns. Exact, without a threshold.

Remedies: fill the numbers in, with the column's mean for instance, or leave those rows out.
Silent on: numbers that are large but finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.data.checks import all_finite
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.observe.replay_recorder import bad_numbers
from sevensteps.observe.structure import tensors_of

STEP = "repeat"
EXPLAINS = (
    "not_finite",
    "learning_rate_too_high",
    "exploding_gradient",
    "dead_units",
    "underfitting",
    "signal_explodes",
    "parameters_not_updated",
    "symmetric_units",
    "train_valid_mismatch",
    "loss_scale",
    "optimizer_setting",
    "saturated_units",
    "too_small",
    "mode_mismatch",
)


def examine(case: Case) -> Finding | None:
    observed = case.examples or (case.observation.x, case.observation.y)
    (x, y), (xv, yv) = case.part("train") or observed, case.part("valid") or (None, None)
    parts = {
        f"{name} ({path})" if len(tensors_of(value)) > 1 else name: tensor
        for name, value in (
            ("training inputs", x),
            ("training targets", y),
            ("validation inputs", xv),
            ("validation targets", yv),
        )
        for path, tensor in tensors_of(value).items()
    }
    parts |= _fed_badly(case)
    if case.of_data("finite", lambda: all(map(_is_finite, parts.values()))):
        return None
    for name, tensor in parts.items():
        if _is_finite(tensor):
            continue
        bad = (
            ~tensor.detach().flatten(1).isfinite()
            if tensor.ndim > 1
            else ~tensor.detach()[:, None].isfinite()
        )
        rows, columns = bad.any(1), bad.any(0)
        first = int(torch.nonzero(rows)[0, 0])
        where = torch.nonzero(columns).flatten().tolist()
        return Finding(
            "inputs_not_finite",
            STEP,
            "error",
            0.99,
            f"{int(bad.sum())} of the numbers in the {name} are {_what(tensor)}, the first in row "
            f"{first}, {_columns(where)}. One of them in a batch is enough to make its loss, its "
            "gradient and then all weights not a number.",
            [
                Measure(
                    f"rows of the {name} with a number that is not finite",
                    int(rows.sum()),
                    0,
                    f"{len(rows):,} rows",
                )
            ],
            [
                Remedy(
                    {"data": "finite()"},
                    "only finite numbers can be learned from",
                    "leave those rows out, or fill them in (with the column's mean, say)",
                )
            ],
            {
                "part": name,
                "rows": torch.nonzero(rows).flatten().tolist()[:16],
                "columns": where[:16],
            },
            0,
        )
    return None


def _fed_badly(case: Case) -> dict[str, Tensor]:
    """What was fed at the first bad step and is not finite, by name."""
    replay = case.observation.replay
    return {
        f"{part} of step {batch.step}": tensor
        for batch in (replay.batches if replay is not None else ())
        if batch.step == case.diverged_at
        for part, tensor in batch.data()
        if bad_numbers(tensor) is not None
    }


def _what(tensor: Tensor) -> str:
    """The numbers that are not finite, in words."""
    missing, infinite = bool(tensor.isnan().any()), bool(tensor.isinf().any())
    if missing and infinite:
        return "missing (NaN) or infinite"
    if missing:
        return "missing (NaN)"
    below = bool((tensor == -torch.inf).any())
    return "infinite" + (" (−inf, as the logarithm of 0 is)" if below else "")


def _columns(columns: list[int]) -> str:
    """ "all in column 3", "in 4 columns"."""
    return f"all in column {columns[0]}" if len(columns) == 1 else f"in {len(columns)} columns"


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or all_finite(tensor)
