"""What an evaluation gave: the mean loss over all its samples, and the share of right answers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.observe.script.attributes import Attributes
from sevensteps.observe.script.evaluation import EvaluationReader


@pytest.mark.draws
def test_losses_are_weighted_by_their_samples_and_answers_counted() -> None:
    failures: list[Exception] = []
    reader = EvaluationReader(Attributes(failures.append))
    function = F.cross_entropy
    net, x = nn.Linear(3, 4), torch.linspace(-1, 1, 30).reshape(10, 3)
    y = torch.arange(10) % 4
    with torch.no_grad():
        for rows in (slice(0, 7), slice(7, 10)):
            output = reader.begin(net, lambda inputs: None)(x[rows])
            nn.CrossEntropyLoss(reduction="sum" if rows.stop == 10 else "mean")(output, y[rows])
        whole = net(x)
    evaluation = reader.finish()
    assert evaluation is not None
    assert F.cross_entropy is function
    assert evaluation.mean_loss() == pytest.approx(function(whole, y).item())
    assert evaluation.score() == pytest.approx((whole.argmax(1) == y).float().mean().item())
    samples = evaluation.samples()
    assert samples is not None
    assert torch.equal(samples[0], x)
    assert torch.equal(samples[1], y)
    assert failures == []
    assert reader.finish() is None


@pytest.mark.draws
def test_without_a_loss_nothing_is_known() -> None:
    attributes = Attributes(lambda failure: None)
    reader = EvaluationReader(attributes)
    with torch.no_grad():
        reader.begin(nn.Linear(2, 1))(torch.ones(1, 2))
    evaluation = reader.finish()
    attributes.restore_all()
    assert evaluation is not None
    assert (evaluation.mean_loss(), evaluation.score(), evaluation.samples()) == (None, None, None)


@pytest.mark.draws
def test_what_torch_compiles_is_the_function_itself() -> None:
    def loss_of(output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target)

    attributes = Attributes(lambda failure: None)
    reader = EvaluationReader(attributes)
    with torch.no_grad():
        reader.begin(nn.Linear(2, 1))(torch.ones(1, 2))
        assert F.mse_loss.__original_fn is not F.mse_loss  # type: ignore[attr-defined]
        assert loss_of(torch.ones(2), torch.zeros(2)) == 1
    reader.finish()
    attributes.restore_all()
    assert not hasattr(F.mse_loss, "__original_fn")
