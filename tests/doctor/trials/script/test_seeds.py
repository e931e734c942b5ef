"""New seeds in a process of its own, where PyTorch, NumPy and Python draw."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sevensteps.observe.script.launch import PACKAGE

DRAW = """
import json, random, sys
from sevensteps.doctor.trials.script import seeds
by = int(sys.argv[1])
if by >= 0:
    seeds.shift_random(by); seeds.shift_numpy(by); seeds.shift_torch(by)
import numpy, torch
unset = [random.random(), float(numpy.random.rand()), float(torch.rand(()))]
own = int(sys.argv[2])
random.seed(own); numpy.random.seed(own); torch.manual_seed(own)
generator = torch.Generator()
generator.manual_seed(own)
assert isinstance(generator, torch.Generator)
print(json.dumps([unset, [
    random.random(), float(numpy.random.rand()), float(torch.rand(())),
    float(torch.rand((), generator=generator)),
    float(torch.rand((), generator=torch.Generator().manual_seed(own))),
    float(numpy.random.default_rng(own).random()), float(numpy.random.RandomState(own).rand()),
]]))
"""


def drawn(by: int, own: int) -> list[list[float]]:
    done = subprocess.run(
        [sys.executable, "-c", DRAW, str(by), str(own)],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    result: list[list[float]] = json.loads(done.stdout)
    return result


@pytest.mark.long
def test_seeds_are_moved_and_set_where_there_are_none() -> None:
    shifted, plain = drawn(3, 10), drawn(-1, 13)
    assert shifted[1] == plain[1]  # 10 + 3
    assert shifted[0] == drawn(3, 99)[0]
