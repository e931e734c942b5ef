"""What a loss is the sum of, and how each term came of the output."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.observe.calls import CallRecorder
from sevensteps.observe.look import Look
from tests.observe.recorded_step import X, Y, network, only_term, record

pytestmark = pytest.mark.draws


def test_operations_between_output_and_loss() -> None:
    actions = (Y % 3)[:, None]
    look = record(network(), X, lambda q: F.smooth_l1_loss(q.gather(1, actions), torch.rand(8, 1)))
    assert [op.name for op in only_term(look).operations] == ["Gather"]
    tokens = nn.Sequential(nn.Unflatten(1, (3, 2)), nn.Linear(2, 5))
    flat = record(tokens, X, lambda o: F.cross_entropy(o.reshape(-1, 5), Y.repeat(3)), told=0.0)
    term = only_term(flat)
    assert {op.name for op in term.operations} <= {"View", "UnsafeView"}
    assert flat.calls[term.call or 0].shapes["input"] == (24, 5)


def test_the_terms_of_a_loss_with_their_factors_and_contributions() -> None:
    model = network()

    def compute(output: Tensor) -> Tensor:
        policy = torch.distributions.Categorical(logits=output)
        penalty = sum(p.abs().sum() for p in model.parameters())
        probability = output[:, 0].sigmoid()
        dice = 1 - (2 * probability.sum() + 1) / (probability.sum() + 9)
        return (
            F.cross_entropy(output, Y)
            + 0.5 * F.mse_loss(output[:, 0], torch.rand(8))
            - 0.01 * policy.entropy().mean()
            - (policy.log_prob(Y) * torch.linspace(-1, 1, 8)).mean()
            + 1e-3 * penalty
            + dice / 4
        )

    look = record(model, X, compute)
    terms = {term.name: term for term in look.loss_terms}
    factors = {name: term.factor for name, term in terms.items()}
    assert factors == pytest.approx(
        {
            "cross_entropy": 1.0,
            "mse_loss": 0.5,
            "Categorical.entropy": -0.01,
            "Categorical.log_prob": -1.0,
            "penalty": 1e-3,
            "Div": -0.25,
        }
    )
    assert [op.name for op in terms["Categorical.log_prob"].weighting] == ["SignedMul", "Mean"]
    assert terms["penalty"].sources == ()
    known = {name: term.contribution for name, term in terms.items() if name != "Div"}
    assert None not in known.values()
    # of 1 - x, PyTorch's graph has the part that depends on the network
    rest = look.loss - sum(value or 0.0 for value in known.values())
    assert (terms["Div"].contribution or 0.0) == pytest.approx(rest, abs=1e-5)


def test_factors_are_relative_to_the_loss_that_is_told_and_free_of_the_scaler() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    told: list[Tensor] = []

    def compute(output: Tensor) -> Tensor:
        told.append(2 * F.cross_entropy(output, Y))
        return scaler.scale(told[0] / 16)

    recorder = CallRecorder()
    recorder.arm()
    model = network()
    recorder.network_enters("", model, (X,), {})
    output = model(X)
    recorder.network_returns("", model, output)
    compute(output).backward()
    look = Look(0, 0.0)
    recorder.collect(look, told[0], None)
    recorder.disarm()
    term = only_term(look)
    assert term.factor == pytest.approx(2.0)
    assert term.contribution == pytest.approx(told[0].item())


def test_a_loss_within_a_root_is_still_that_loss() -> None:
    look = record(network(), X, lambda o: F.mse_loss(o, torch.rand(8, 3)).sqrt())
    term = only_term(look)
    assert term.name == "mse_loss"
    assert term.factor is None
    assert [op.name for op in term.weighting] == ["Sqrt"]


def test_a_loss_computed_in_the_network_itself_and_several_outputs() -> None:
    class WithLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(6, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            features = self.body(x)
            logits = self.head(features)
            return {"loss": F.cross_entropy(logits, Y), "features": features, "logits": logits}

    look = record(WithLoss(), X, lambda output: output["loss"])
    term = only_term(look)
    assert (term.name, term.output, term.network) == ("cross_entropy", "logits", "")
