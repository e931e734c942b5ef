"""Every loss of PyTorch is noted, and so are the ways to spell a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sevensteps.observe.call_kinds import ACCESSES, NOTED
from tests.observe.recorded_step import ONE, X, Y, network, of_kind, only_term, record

pytestmark = pytest.mark.draws


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "cross_entropy": lambda o: F.cross_entropy(o, Y),
    "nll_loss": lambda o: F.nll_loss(o.log_softmax(1), Y),
    "binary_cross_entropy": lambda o: F.binary_cross_entropy(o.sigmoid(), torch.ones(8, 3)),
    "binary_cross_entropy_with_logits": lambda o: nn.BCEWithLogitsLoss()(o, torch.ones(8, 3)),
    "mse_loss": lambda o: nn.MSELoss()(o, torch.ones(8, 3)),
    "l1_loss": lambda o: F.l1_loss(o, torch.ones(8, 3)),
    "smooth_l1_loss": lambda o: F.smooth_l1_loss(o, torch.ones(8, 3)),
    "huber_loss": lambda o: F.huber_loss(o, torch.ones(8, 3)),
    "kl_div": lambda o: F.kl_div(o.log_softmax(1), torch.full((8, 3), 1 / 3), reduction="sum"),
    "gaussian_nll_loss": lambda o: F.gaussian_nll_loss(o[:, 0], ONE, o[:, 1].exp()),
    "poisson_nll_loss": lambda o: F.poisson_nll_loss(o, torch.ones(8, 3)),
    "hinge_embedding_loss": lambda o: F.hinge_embedding_loss(o[:, 0], ONE),
    "margin_ranking_loss": lambda o: F.margin_ranking_loss(o[:, 0], o[:, 1], ONE),
    "multi_margin_loss": lambda o: F.multi_margin_loss(o, Y),
    "multilabel_margin_loss": lambda o: F.multilabel_margin_loss(o, Y.repeat(3, 1).T),
    "multilabel_soft_margin_loss": lambda o: F.multilabel_soft_margin_loss(o, torch.ones(8, 3)),
    "soft_margin_loss": lambda o: F.soft_margin_loss(o, torch.ones(8, 3)),
    "cosine_embedding_loss": lambda o: F.cosine_embedding_loss(o, o.roll(1, 0), ONE),
    "triplet_margin_loss": lambda o: nn.TripletMarginLoss()(o, o.roll(1, 0), o.roll(2, 0)),
    "ctc_loss": lambda o: F.ctc_loss(
        o.log_softmax(1)[:, None], torch.tensor([[1, 2]]), torch.tensor([8]), torch.tensor([2])
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_of_pytorch_is_noted_and_computed_from_the_output(name: str) -> None:
    look = record(network(), X, LOSSES[name])
    (call,) = of_kind(look, "loss")
    term = only_term(look)
    assert call.name == term.name == name
    assert look.calls[term.call or 0] is call
    assert term.network == ""
    assert term.factor == 1.0
    assert term.contribution == pytest.approx(look.loss, rel=1e-5)


def test_functions_and_methods_of_one_name_are_one_kind() -> None:
    for function in (F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax):
        assert (NOTED[function].name, NOTED[function].kind) == ("softmax", "softmax")
    assert NOTED[F.softmax].bind((X,), {"dim": 1})["dim"] == 1
    assert NOTED[torch.softmax].bind((X, 1), {})["dim"] == 1
    assert NOTED[F.dropout].bind((X,), {})["training"] is True
    assert NOTED[torch.dropout].bind((X, 0.5, False), {})["training"] is False
    assert not NOTED[torch.log].anywhere


def test_accesses_are_those_that_a_mode_is_told_of() -> None:
    told: list[Any] = []

    class Listener(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            told.append(func)
            return func(*args, **(kwargs or {}))

    x = torch.ones(2, requires_grad=True)
    with Listener():
        x.grad = x.detach()
        assert x.grad is not None
        assert (x.shape, x.dtype, x.requires_grad) == ((2,), torch.float32, True)
    told.remove(Tensor.detach)
    assert len(told) == 5
    assert ACCESSES.issuperset(told)
    assert not ACCESSES.intersection(NOTED)
