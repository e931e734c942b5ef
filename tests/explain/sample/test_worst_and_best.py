"""The samples with the largest and the smallest losses, against a sort of all of them."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

from tests.explain.conftest import MADE, Runs, made


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("part", ["train", "valid"])
def test_the_ranking(runs: Runs, name: str, part: str) -> None:
    run = runs(name)
    x, y = run.explain.subject.part(part)
    with torch.no_grad():
        expected = run.recipe.loss.value(
            run.network(x).double(), y.double() if y.is_floating_point() else y
        )
    worst = run.explain.samples(worst=4, part=part)
    best = run.explain.samples(best=4, part=part)
    assert [row.loss for row in worst.ranked] == pytest.approx(
        expected.sort(descending=True).values[:4].tolist(), rel=1e-5, abs=1e-7
    )
    assert [row.loss for row in best.ranked] == pytest.approx(
        expected.sort().values[:4].tolist(), rel=1e-5, abs=1e-7
    )
    assert worst.mean == pytest.approx(float(expected.mean()), rel=1e-5)
    assert worst.total == len(y)
    for row in worst.ranked:
        one = run.explain.sample(row.index, part)
        assert (one.loss, one.truth) == (pytest.approx(row.loss, rel=1e-4, abs=1e-6), row.truth)
        if type(run.recipe.loss).__name__ in ("cross_entropy", "negative_log_likelihood"):
            assert -math.log(row.p) == pytest.approx(row.loss, rel=1e-6)
    json.dumps(worst.to_dict())
    assert all(len(line) <= 80 for line in worst.text().splitlines())


def test_a_loss_that_is_not_a_number_is_the_worst() -> None:
    run = copy.copy(made("diabetes", predict="linear()", stop="epochs(1)"))
    run.network = copy.deepcopy(run.network)
    with torch.no_grad():
        run.network[1].weight.fill_(math.nan)
    assert (
        run.explain.samples(worst=1).ranked[0].loss != run.explain.samples(worst=1).ranked[0].loss
    )
