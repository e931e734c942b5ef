"""A loss is known by the call of its function: with its layout, weights and scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.identify_loss import identify
from sevensteps.doctor.loss_from_calls import (
    baseline_from_calls,
    clamps_outputs,
    identify_from_calls,
    main_term,
    recodes_classes,
    transforms_targets,
)
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.loss_graph import Operation
from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.observation import Observation
from tests.observe.recorded_step import record


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


LABELS = torch.arange(8) % 3
TOKENS = torch.arange(24).view(8, 3) % 5


def look_at(
    name: str,
    output: Tensor,
    given: Tensor,
    target: Tensor,
    told: Tensor,
    *operations: Operation,
    factor: float = 1.0,
    weighting: tuple[Operation, ...] = (),
    **options: object,
) -> Look:
    """A look at a step where `name(given, target)` was called with these options, `given` computed
    from `output` by `operations`.
    """
    shapes = {"input": tuple(given.shape), "target": tuple(target.shape)}
    shapes |= {key: (len(value),) for key, value in options.items() if isinstance(value, list)}
    dtype = str(target.dtype).removeprefix("torch.")
    call = Call(
        name, "loss", shapes=shapes, dtypes={"input": "float32", "target": dtype},
        options={"reduction": "mean"} | options,
    )  # fmt: skip
    term = LossTerm(
        name, 0, factor, 1.0, network="", sources=(":",), operations=operations,
        weighting=weighting, target="data",
    )  # fmt: skip
    return Look(
        0, 1.0, batch=len(output), output=output, target=told, calls=(call,), loss_terms=(term,),
        shapes={"output": tuple(output.shape), "target": tuple(told.shape)},
    )  # fmt: skip


VIEW, TRANSPOSE = Operation("View"), Operation("Transpose")
# output, its layout for the loss, target as the loss has it, target as the loop tells it, and the
# loss by PyTorch itself
Example = tuple[Look, Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]]


def examples() -> dict[str, Example]:
    classes, one, columns = draw(8, 3), draw(8, 1), draw(8, 2)
    tokens, picture = draw(8, 3, 5), draw(2, 1, 4, 4)
    mask = (picture > 0).float()
    flat = tokens.reshape(-1, 5)
    return {
        "classes": (
            look_at("cross_entropy", classes, classes, LABELS, LABELS),
            classes, LABELS, F.cross_entropy,
        ),
        "weights, smoothing and a factor": (
            look_at(
                "cross_entropy", classes, classes, LABELS, LABELS, factor=0.5,
                weight=[1.0, 2.0, 3.0], label_smoothing=0.1,
            ),
            classes, LABELS,
            lambda o, t: 0.5 * F.cross_entropy(
                o, t, weight=torch.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1
            ),
        ),
        "tokens, flattened, some ignored": (
            look_at(
                "cross_entropy", tokens, flat, TOKENS.flatten(), TOKENS, VIEW, ignore_index=2
            ),
            tokens, TOKENS,
            lambda o, t: F.cross_entropy(o.reshape(-1, 5), t.reshape(-1), ignore_index=2),
        ),
        "tokens, classes moved": (
            look_at("cross_entropy", tokens, tokens.mT, TOKENS, TOKENS, TRANSPOSE),
            tokens, TOKENS, lambda o, t: F.cross_entropy(o.mT, t),
        ),
        "a picture of yes and no": (
            look_at("binary_cross_entropy_with_logits", picture, picture, mask, mask),
            picture, mask, F.binary_cross_entropy_with_logits,
        ),
        "one output, squeezed": (
            look_at("mse_loss", one, one[:, 0], draw(8), draw(8), Operation("Squeeze")),
            one, draw(8), lambda o, t: F.mse_loss(o[:, 0], t),
        ),
        "a sum": (
            look_at("l1_loss", columns, columns, columns + 1, columns + 1, reduction="sum"),
            columns, columns + 1, lambda o, t: F.l1_loss(o, t, reduction="sum"),
        ),
        "one-hot within the loss": (
            look_at("mse_loss", classes, classes, F.one_hot(LABELS, 3).float(), LABELS),
            classes, LABELS, lambda o, t: F.mse_loss(o, F.one_hot(t, 3).float()),
        ),
        "log-softmax before": (
            look_at(
                "nll_loss", classes, classes, LABELS, LABELS, Operation("LogSoftmax", 1)
            ),
            classes, LABELS, F.cross_entropy,
        ),
        "no reduction, then the mean": (
            look_at(
                "cross_entropy", classes, classes, LABELS, LABELS, reduction="none",
                weighting=(Operation("Mean"),),
            ),
            classes, LABELS, F.cross_entropy,
        ),
    }  # fmt: skip


def test_numbers_made_of_the_targets_are_not_those_that_were_reported() -> None:
    output, reported = draw(8, 1), draw(8, 1).exp()
    for given, another in ((reported, False), (reported.log(), True)):
        look = look_at("mse_loss", output, output, given, reported)
        assert not transforms_targets([look])  # its numbers were not noted
        assert identify_from_calls([look]) is not None
        look.calls[0].content["target.first"] = given.flatten().tolist()
        assert transforms_targets([look]) == another
        assert (identify_from_calls([look]) is None) == another
    assert not clamps_outputs([look])
    clamped = look_at("mse_loss", output, output, reported, reported, Operation("Clamp"))
    assert clamps_outputs([clamped])


GRADES = torch.tensor([0, 1, 3, 2, 0, 2, 1, 3])


@pytest.mark.parametrize(
    ("target", "recoded"),
    [
        (GRADES[:, None] > torch.arange(3), True),  # a threshold each
        (GRADES[:, None] >= torch.arange(4), True),
        (F.one_hot(GRADES, 4), False),
        (0.9 * F.one_hot(GRADES, 4) + 0.025, False),
    ],
)
def test_classes_in_order_are_no_one_hot_rows(target: Tensor, recoded: bool) -> None:
    output, rows = torch.zeros(8, target.shape[1]), target.float()
    look = look_at("binary_cross_entropy_with_logits", output, output, rows, GRADES)
    assert not recodes_classes([look])  # its numbers were not noted
    look.calls[0].content["target.first"] = rows.flatten()[:16].tolist()
    assert recodes_classes([look]) == recoded


@pytest.mark.parametrize("name", examples())
def test_the_loss_that_was_called_is_computed_again(name: str) -> None:
    look, output, target, oracle = examples()[name]
    identified = identify_from_calls([look])
    assert identified is not None
    torch.testing.assert_close(identified(output, target), oracle(output, target))
    # on another batch, too
    torch.testing.assert_close(identified(output[1:], target[1:]), oracle(output[1:], target[1:]))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "binary_cross_entropy_with_logits"])
def test_scale_and_name_are_those_that_the_gradient_tells(name: str, reduction: str) -> None:
    output = draw(8, 3).requires_grad_()
    target = LABELS if name == "cross_entropy" else (draw(8, 3) > 0.3).float()
    loss: Tensor = -0.25 * getattr(F, name)(output, target, reduction=reduction)
    (gradient,) = torch.autograd.grad(loss, output)
    by_gradient = identify(output.detach(), target, gradient, 8)
    by_call = identify_from_calls(
        [look_at(name, output, output, target, target, factor=-0.25, reduction=reduction)]
    )
    assert by_gradient is not None
    assert by_call is not None
    assert by_call.name == by_gradient.name
    assert by_call.loss.link == by_gradient.loss.link
    assert by_call.scale == pytest.approx(by_gradient.scale, rel=1e-4)


def test_faults_that_the_call_shows() -> None:
    tokens = draw(8, 3, 5)
    look = look_at(
        "cross_entropy", tokens, tokens.reshape(-1, 5), TOKENS.flatten(), TOKENS,
        Operation("Softmax", 2), VIEW,
    )  # fmt: skip
    identified = identify_from_calls([look])
    assert identified is not None
    assert identified.name == "cross_entropy of softmax"
    assert "twice" in identified.loss.fault
    one, target = draw(8, 1), draw(8)
    identified = identify_from_calls([look_at("mse_loss", one, one, target, target)])
    assert identified is not None
    assert identified.loss.broadcasts
    torch.testing.assert_close(identified(one, target), (one - target).square().mean())


def test_what_cannot_be_computed_from_output_and_target_is_not_identified() -> None:
    classes, actions = draw(8, 3), draw(8, 1)
    gathered = look_at("mse_loss", classes, actions, draw(8, 1), draw(8, 1), Operation("Gather", 1))
    assert identify_from_calls([gathered]) is None
    over_batch = look_at("nll_loss", classes, classes, LABELS, LABELS, Operation("LogSoftmax", 0))
    assert identify_from_calls([over_batch]) is None
    weighed = look_at(
        "cross_entropy", classes, classes, LABELS, LABELS, reduction="none",
        weighting=(Operation("Mul"), Operation("Mean")),
    )  # fmt: skip
    assert identify_from_calls([weighed]) is None
    assert identify_from_calls([Look(0, 1.0)]) is None


def test_of_several_terms_the_largest_is_the_main_one() -> None:
    small = LossTerm("mse_loss", 0, contribution=0.1, sources=(":",))
    large = LossTerm("cross_entropy", 1, contribution=-2.0, sources=(":",))
    penalty = LossTerm("penalty", None, contribution=5.0)
    assert main_term(Look(0, 1.0, loss_terms=(small, large, penalty))) is large


def test_the_best_answer_without_the_input() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    output = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    weight = [1.0, 2.0, 0.5]
    look = look_at("cross_entropy", output, output, labels, labels, weight=weight, ignore_index=2)
    # of constant logits, found by descent
    constant = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(
            constant.expand(8, 3), labels, weight=torch.tensor(weight), ignore_index=2
        )
        loss.backward()
        return loss

    for _ in range(5):
        best = optimizer.step(closure)
    assert baseline_from_calls([look], labels) == pytest.approx(float(best.detach()), abs=1e-3)
    mask = torch.tensor([[[0.0, 1.0]], [[0.0, 0.0]]])
    picture = look_at("binary_cross_entropy_with_logits", mask, mask, mask, mask)
    assert baseline_from_calls([picture], mask) == pytest.approx(math.log(2) / 2)
    squares = look_at("mse_loss", mask, mask, mask, mask, factor=3.0)
    assert baseline_from_calls([squares], mask) == pytest.approx(3 * 0.125)


@pytest.mark.draws
def test_a_loss_of_sequences_that_are_not_aligned_has_no_baseline() -> None:
    targets = torch.tensor([[1, 2], [2, 1]])

    def loss(output: Tensor) -> Tensor:
        steps = output.log_softmax(1).view(-1, 2, 3)
        return F.ctc_loss(steps, targets, torch.tensor([2, 2]), torch.tensor([2, 2]))

    look = record(nn.Linear(3, 3), torch.randn(4, 3), loss)
    look.shapes["target"] = (2, 2)
    assert baseline_from_calls([look], targets) is None


def test_a_loss_with_other_terms_has_no_baseline() -> None:
    output = draw(8, 3)
    look = look_at("cross_entropy", output, output, LABELS, LABELS)
    look.loss_terms = (*look.loss_terms, LossTerm("penalty"))
    assert baseline_from_calls([look], LABELS) is None
    assert baseline_from_calls([], LABELS) is None


def test_of_several_outputs_the_one_that_the_loss_was_called_with() -> None:
    features, logits = draw(8, 7), draw(8, 3)
    look = look_at("cross_entropy", features, logits, LABELS, LABELS)
    look.outputs = {"0": features, "1": logits}
    look.loss_terms = (replace(look.loss_terms[0], output="1"),)
    identified = identify_from_calls([look])
    assert identified is not None
    torch.testing.assert_close(identified(logits, LABELS), F.cross_entropy(logits, LABELS))
    case = Case(Observation(NetworkFacts("", {}, {}, ()), looks=[look]))
    assert case.answer_path == "1"


def two_heads(reported: Tensor, *, same_line: bool = False) -> Look:
    """A look at a step with a loss on each of two outputs, the second by far the larger; `reported`
    is the target that the loop told.
    """
    logits, price = draw(8, 3), draw(8)
    first = look_at("cross_entropy", logits, logits, LABELS, reported)
    second = look_at("mse_loss", price, price, 100 * draw(8), reported)
    calls = tuple(
        replace(call, content={"target.first": target.tolist()})
        for call, target in zip((*first.calls, *second.calls), (LABELS, 100 * draw(8)), strict=True)
    )
    terms = (
        replace(first.loss_terms[0], output="0"),
        replace(
            second.loss_terms[0], call=0 if same_line else 1, output="1", contribution=9e3
        ),
    )  # fmt: skip
    return Look(
        0, 9e3, batch=8, output=logits, target=reported, calls=calls, loss_terms=terms,
        outputs={"0": logits, "1": price},
        shapes={"output": (8, 3), "target": tuple(reported.shape)},
    )  # fmt: skip


@pytest.mark.parametrize(("reported", "path"), [(LABELS, "0"), (100 * draw(8), "1")])
def test_of_losses_on_several_outputs_the_one_of_the_reported_targets(
    reported: Tensor, path: str
) -> None:
    term = main_term(two_heads(reported))
    assert term is not None
    assert term.output == path


@pytest.mark.parametrize(
    "look",
    [
        two_heads(draw(8)),  # targets that no loss was called with
        two_heads(LABELS.flip(0)),
        two_heads(LABELS.float()),  # numbers, and the loss of these numbers is of classes
        two_heads(LABELS, same_line=True),  # one call for both outputs
        replace(two_heads(LABELS), target=None),
    ],
)
def test_of_losses_on_several_outputs_none_where_it_is_not_known_which(look: Look) -> None:
    assert main_term(look) is None


@pytest.mark.draws
def test_the_score_of_a_two_headed_network_is_that_of_the_head_with_the_reported_targets() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kind, self.price = nn.Linear(6, 3), nn.Linear(6, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.kind(x), self.price(x).squeeze(1)

    x, model = torch.randn(60, 6), Heads()
    kind, price = x[:, :3].argmax(1), 5 * x[:, 3]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(30):
            logits, value = model(x)
            loss = F.cross_entropy(logits, kind) + F.mse_loss(value, price)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=kind)
    with torch.no_grad():
        right = float((model(x)[0].argmax(1) == kind).double().mean())
    case = Case(watch.observation, model, (x, kind))
    assert case.answer_path == "0"
    assert case.scores["train"] == pytest.approx(right)
