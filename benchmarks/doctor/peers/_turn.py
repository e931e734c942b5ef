"""One case for one seed, unwatched and then with every tool, in a worker process."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import torch
from torch import Tensor

from benchmarks.doctor.cases import CASES
from benchmarks.doctor.loop import Setup, run
from benchmarks.doctor.peers import tools


def turn(job: tuple[str, int, str]) -> dict[str, Any]:
    """The score and seconds of a training alone, and for each tool what it said, as plain values.

    `asked` is (case, seed, part of the tools' names). A tool that raises an error has said nothing,
    and `failure` says which error. `same`: the training ended in the same bits."""
    name, seed, only = job
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    setup = CASES[name].setup(seed)
    try:
        alone = run(setup, seed, watch=False)
    except Exception as failure:  # a case that fails is said, not lost
        return {"name": name, "seed": seed, "failure": f"{type(failure).__name__}: {failure}"}
    state = bits(setup)
    result: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "score": alone.score,
        "seconds": alone.seconds,
        "tools": {},
    }
    for label, tool in tools(only).items():
        gc.collect()
        setup = CASES[name].setup(seed)
        try:
            outcome = run(setup, seed, watch=tool.watch)
        except Exception as failure:
            result["tools"][label] = {"failure": f"{type(failure).__name__}: {failure}", "said": []}
            continue
        result["tools"][label] = {
            "said": [(finding.name, finding.loud, finding.means) for finding in outcome.diagnosis],
            "failure": outcome.watch.crashed,
            "seconds": outcome.seconds,
            "diagnosing": outcome.diagnosing,
            "same": torch.equal(bits(setup), state),
        }
    return result


def bits(setup: Setup) -> Tensor:
    """All numbers of the trained network in one row, those that are none made 0."""
    parameters = [tensor.reshape(-1).double() for tensor in setup.model.state_dict().values()]
    return torch.cat(parameters).nan_to_num()
