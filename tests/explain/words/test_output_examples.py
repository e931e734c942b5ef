"""Examples of the words for outputs and probabilities, against PyTorch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


@pytest.mark.parametrize(
    ("data", "steps"),
    [("digits", {}), ("digits37", {}), ("digits", {"loss": "negative_log_likelihood()"})],
)
@pytest.mark.sampled(1)
def test_probabilities_and_the_loss_of_a_sample(data: str, steps: dict[str, Any]) -> None:
    run = trained(data, **steps)
    held = ss.data.load(data)
    output = run.network(held.valid.x[:1])[0].detach()
    binary = data == "digits37"
    chances = (
        torch.stack([1 - output[0].sigmoid(), output[0].sigmoid()])
        if binary
        else output.softmax(-1)
    )
    found = numbers(run, "cross-entropy")
    losses = run.explain.samples(worst=1).ranked
    assert found["sample"] == losses[0].index, "where p is almost 1, 1 − p is the loss too"
    assert found["loss"] == pytest.approx(losses[0].loss, rel=1e-4)
    assert found["loss"] == pytest.approx(-math.log(found["probability"]), rel=1e-6)
    if binary:
        assert numbers(run, "logit")["logit"] == pytest.approx(float(output[0]), rel=1e-5)
        assert numbers(run, "sigmoid")["output"] == pytest.approx(
            float(output[0].sigmoid()), rel=1e-5
        )
    else:
        assert numbers(run, "softmax")["probabilities"] == pytest.approx(chances.tolist(), abs=1e-5)
