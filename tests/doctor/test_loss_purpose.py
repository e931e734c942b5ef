"""Whether a loss measures an error follows from what it was computed from."""

from __future__ import annotations

import pytest

from sevensteps.doctor.loss_purpose import is_error
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.loss_graph import Operation

CLASSES = LossTerm("cross_entropy", 0, contribution=1.0, target="data")


def term(name: str, size: float | None = 1.0, call: int | None = None, **facts: object) -> LossTerm:
    return LossTerm(name, call, contribution=size, **facts)  # type: ignore[arg-type]


def answer(*terms: LossTerm) -> bool | None:
    return is_error([Look(0, 1.0), Look(1, 1.0, loss_terms=terms)])


@pytest.mark.parametrize(
    "terms",
    [
        (CLASSES,),
        (CLASSES, term("penalty", 0.2)),
        (CLASSES, term("Div", 0.7)),
        (CLASSES, term("Categorical.entropy", -0.01)),
        (term("mse_loss", call=0, target="input"), term("kl_divergence", 0.3)),
        (term("cross_entropy", call=0, target="shifted input"),),
        (term("cross_entropy", call=0, target="data", weighting=(Operation("MaskMul"),)),),
        (CLASSES, term("mse_loss", 0.5, 1, target="constant")),
    ],
)
def test_an_error_with_what_belongs_to_it(terms: tuple[LossTerm, ...]) -> None:
    assert answer(*terms) is True


@pytest.mark.parametrize(
    "terms",
    [
        (term("Categorical.log_prob", 0.001), term("mse_loss", 9.0, 0, target="data")),
        (term("cross_entropy", call=0, target="data", weighting=(Operation("SignedMul"),)),),
        (
            term("binary_cross_entropy_with_logits", call=0, target="constant"),
            term("binary_cross_entropy_with_logits", call=1, target="constant"),
        ),
        (term("binary_cross_entropy_with_logits", call=0, target="constant", count=2),),
        (term("output"), term("output", -1.0)),
        (term("smooth_l1_loss", call=0, target="network"),),
        (term("cross_entropy", call=0, target="positions"),),
        (term("triplet_margin_loss", call=0),),
        (term("gaussian_nll_loss", call=0, target="data"),),
        (CLASSES, term("penalty", 30.0)),
    ],
)
def test_a_loss_without_a_good_level(terms: tuple[LossTerm, ...]) -> None:
    assert answer(*terms) is False


@pytest.mark.parametrize(
    "terms",
    [
        (),
        (term("Relu"),),
        (CLASSES, term("Sub", 5.0)),
        (term("cross_entropy", call=0, target="data", weighting=(Operation("Mul"),)),),
    ],
)
def test_what_is_not_known_is_not_said(terms: tuple[LossTerm, ...]) -> None:
    assert answer(*terms) is None


def test_one_look_that_says_no_is_enough() -> None:
    policy = term("Normal.log_prob")
    looks = [Look(0, 1.0, loss_terms=(CLASSES,)), Look(1, 1.0, loss_terms=(policy,))]
    assert is_error(looks) is False


def test_batches_of_one_class_are_data() -> None:
    def look(value: float) -> Look:
        call = Call("mse_loss", "loss", where="train.py:3", content={"target.low": value})
        return Look(
            0, 1.0, calls=(call,), loss_terms=(term("mse_loss", call=0, target="constant"),)
        )

    assert is_error([look(0.0), look(1.0)]) is True
    assert is_error([look(1.0), look(1.0)]) is False
    one_class = (term("cross_entropy", call=0, target="constant"),)
    assert answer(*one_class) is True


def test_a_batch_without_the_rare_class_is_data_all_the_same() -> None:
    call = Call("binary_cross_entropy_with_logits", "loss", "train.py:9")
    looks = [
        Look(step, 1.0, calls=(call,), loss_terms=(term(call.name, call=0, target=target),))
        for step, target in enumerate(("constant", "data", "constant"))
    ]
    assert is_error(looks[::2]) is False  # it always says the same
    assert is_error(looks) is True
