"""Faults of small networks that no curve names: each is named by its mechanism, and its cured twin
is left in peace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def conditions(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: Loss, lr: float = 0.05, epochs: int = 20
) -> list[str]:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(epochs):
            for chosen in torch.randperm(len(x)).split(32):
                loss = loss_fn(model(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[chosen])
    findings = watch.diagnose(train=(x, y), loss_fn=loss_fn).findings
    return [finding.condition for finding in findings if finding.severity != "info"]


class Own(nn.Module):
    """A network of matrices, in no layer that PyTorch knows."""

    def __init__(self, start: Callable[[int, int], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(start(3, 24)), nn.Parameter(start(24, 1))
        self.bias = nn.Parameter(torch.zeros(24))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.first + self.bias) @ self.second


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (lambda a, b: torch.zeros(a, b), True),
        (lambda a, b: torch.full((a, b), 0.1), True),
        (lambda a, b: torch.randn(a, b) / a**0.5, False),
    ],
    ids=["zeros", "constant", "random"],
)
@pytest.mark.sampled(1)
def test_matrices_of_ones_own_are_symmetric(
    start: Callable[[int, int], Tensor], named: bool
) -> None:
    x = torch.randn(320, 3)
    y = torch.sin(2 * x[:, :1]) * x[:, 1:2]
    names = conditions(Own(start), x, y, F.mse_loss)
    assert (names[:1] == ["symmetric_units"]) == named


class Thrown(nn.Module):
    """Its activation's answer is used, or thrown away."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.first, self.second, self.kept = nn.Linear(2, 32), nn.Linear(32, 2), kept

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        bent = F.gelu(h)
        answer: Tensor = self.second(bent if self.kept else h)
        return answer


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.long
def test_an_activation_whose_answer_is_not_used(kept: bool) -> None:
    x = torch.randn(400, 2)
    y = (x.square().sum(1) > 1.4).long()
    names = conditions(Thrown(kept), x, y, F.cross_entropy)
    assert ("no_nonlinearity" in names) != kept


@pytest.mark.long
def test_dead_units_are_no_straight_line() -> None:
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    nn.init.constant_(model[0].bias, -1e4)  # type: ignore[arg-type]
    x = torch.randn(400, 2)
    names = conditions(model, x, (x.square().sum(1) > 1.4).long(), F.cross_entropy)
    assert "no_nonlinearity" not in names
    assert "dead_units" in names


@pytest.mark.parametrize("width", [1, 24])
@pytest.mark.long
def test_a_neck_of_one_unit(width: int) -> None:
    kinds = torch.arange(600) % 12
    x = 3 * F.one_hot(kinds, 12).float() @ torch.randn(12, 8) + torch.randn(600, 8)
    model = nn.Sequential(
        *(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, width), nn.Linear(width, 32), nn.Tanh())
    )
    model.append(nn.Linear(32, 12))
    names = conditions(model, x, kinds, F.cross_entropy, lr=0.01, epochs=12)
    assert ("too_small" in names) == (width == 1)


@pytest.mark.long
def test_a_neck_of_one_rectified_unit_is_too_small_even_where_it_is_off() -> None:
    kinds = torch.arange(600) % 12
    x = 3 * F.one_hot(kinds, 12).float() @ torch.randn(12, 8) + torch.randn(600, 8)
    neck = nn.Linear(32, 1)
    nn.init.constant_(neck.bias, -30.0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), neck, nn.ReLU(), nn.Linear(1, 12))
    names = conditions(model, x, kinds, F.cross_entropy, lr=0.01, epochs=6)
    assert names[0] == "too_small"


def hinge(output: Tensor, y: Tensor) -> Tensor:
    return F.relu(1 - y * output.squeeze(1)).mean()


def half_a_likelihood(output: Tensor, y: Tensor) -> Tensor:
    return -(y * F.logsigmoid(output.squeeze(1))).mean()


@pytest.mark.parametrize(
    ("loss_fn", "named"),
    [
        (hinge, True),
        (half_a_likelihood, True),
        (lambda output, y: hinge(output, 2 * y - 1), False),
    ],
    ids=["hinge of 0 and 1", "no term for 0", "hinge of -1 and 1"],
)
@pytest.mark.long
def test_a_loss_that_is_deaf_to_one_of_two_classes(loss_fn: Loss, named: bool) -> None:
    x = torch.randn(400, 4)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).float()
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    names = conditions(model, x, y, loss_fn)
    assert ("loss_unsuited" in names) == named


@pytest.mark.parametrize("difference", [0.02, 1.0])
@pytest.mark.long
def test_columns_that_are_nearly_copies(difference: float) -> None:
    common, own = torch.randn(600, 3), torch.randn(600, 3)
    x = torch.cat([common + difference * own, common - difference * own], 1)
    y = own.sum(1, keepdim=True) + 0.1 * common[:, :1]
    names = conditions(nn.Linear(6, 1), x, y, F.mse_loss, lr=0.002, epochs=10)
    assert ("ill_conditioned" in names) == (difference < 1)


class Loop(nn.Module):
    """One matrix, used at every place of a sequence."""

    def __init__(self, length: float) -> None:
        super().__init__()
        self.take, self.again, self.out = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 1)
        nn.init.orthogonal_(self.again.weight, length)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 16)
        for at in range(x.shape[1]):
            h = self.take(x[:, at]) + self.again(h)
        answer: Tensor = self.out(h)
        return answer


@pytest.mark.parametrize("length", [1.7, 0.7])
@pytest.mark.long
def test_a_loop_that_multiplies_its_signal(length: float) -> None:
    x = torch.randn(320, 24, 2)
    y = x[:, -1, :1] - x[:, -2, 1:]
    names = conditions(Loop(length), x, y, F.mse_loss, lr=0.005, epochs=10)
    assert ("signal_explodes" in names) == (length > 1)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.sampled(1)
def test_equal_weights_that_rounding_and_dropout_drive_apart(constant: bool) -> None:
    x = torch.randn(400, 6)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
    model += nn.Sequential(nn.Dropout(0.05), nn.Linear(24, 2))
    if constant:
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.1)
    names = conditions(model, x, y, F.cross_entropy, lr=0.02, epochs=8)
    assert ("symmetric_units" in names) == constant


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.long
def test_whole_numbers_are_classes_or_grades(ordered: bool) -> None:
    """One output, rounded, answers grades; it does not answer classes that have no order."""
    x = torch.randn(500, 4)
    grades = (x[:, 0] * 1.5 + 2).round().clamp(0, 4).long()
    y = grades if ordered else torch.tensor([3, 0, 4, 1, 2])[grades]
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    squared: Loss = lambda output, y: F.mse_loss(output.squeeze(1), y.float())  # noqa: E731
    names = conditions(model, x, y, squared, lr=0.01)
    assert ("loss_unsuited" in names) != ordered


@pytest.mark.parametrize("length", [2.0, 0.9])
@pytest.mark.long
def test_a_loop_that_is_sure_of_wrong_classes(length: float) -> None:
    x = torch.randn(320, 24, 2)
    y = (x[:, -1, 0] > 0).long() + (x[:, -2, 1] > 0).long()
    model = Loop(length)
    model.out = nn.Linear(16, 3)
    names = conditions(model, x, y, F.cross_entropy, lr=0.005, epochs=8)
    assert ("signal_explodes" in names) == (length > 1)


def test_a_loss_that_is_large_as_a_sum_says_nothing_of_the_signal() -> None:
    x = torch.randn(320, 8)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    summed: Loss = lambda output, y: F.cross_entropy(output, y, reduction="sum")  # noqa: E731
    names = conditions(model, x, y, lambda output, y: 5 * summed(output, y), lr=0.3, epochs=8)
    assert "signal_explodes" not in names
    assert "loss_scale" in names


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.long
def test_a_rounding_before_the_loss_has_no_slope(rounded: bool) -> None:
    x = 2 * torch.rand(320, 3)
    y = (1 + x[:, :1] + 2 * x[:, 1:2] * x[:, 2:]).round()
    model = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 1))

    def error(output: Tensor, target: Tensor) -> Tensor:
        return ((output.round() if rounded else output) - target).square().mean()

    assert (conditions(model, x, y, error, lr=0.01) == ["vanishing_gradient"]) == rounded


@pytest.mark.parametrize("size", [0.001, 1.0])
def test_targets_that_are_lost_in_the_first_answers(size: float) -> None:
    x = torch.randn(320, 4)
    y = size * (torch.tanh(x[:, :1] * x[:, 1:2]) + x[:, 2:3])
    model = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1))
    names = conditions(model, x, y, F.smooth_l1_loss, lr=0.01, epochs=10)
    assert names[:1] == (["targets_unscaled"] if size < 1 else [])


@pytest.mark.parametrize("length", [1.9, 0.9])
def test_a_loop_over_words_that_multiplies_its_signal(length: float) -> None:
    x = torch.randint(26, (320, 40))
    y = x[:, -1] % 4
    words, memory, out = (
        nn.Embedding(26, 12),
        nn.RNN(12, 24, nonlinearity="relu", batch_first=True),
        nn.Linear(24, 4),
    )
    with torch.no_grad():
        memory.get_parameter("weight_hh_l0").copy_(torch.eye(24) * length)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.memory, self.out = words, memory, out

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.out(self.memory(self.words(x))[0][:, -1])
            return answer

    names = conditions(Reader(), x, y, F.cross_entropy, lr=1e-3, epochs=4)
    assert ("signal_explodes" in names) == (length > 1)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_shared_out_among_samples(axis: int) -> None:
    """Money that each day shares out among six papers, or each paper among the days of a batch."""
    signal = torch.randn(320, 6, 3)
    returns = signal[..., 0] + 0.5 * torch.randn(320, 6)

    class Trader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))

        def forward(self, signal: Tensor) -> Tensor:
            return self.scores(signal)[..., 0].softmax(axis)

    model = Trader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for days in (part for _ in range(6) for part in torch.randperm(320).split(40)):
            loss = -(model(signal[days]) * returns[days]).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = [finding.condition for finding in watch.diagnose().findings]
    assert ("samples_mixed" in found) == (axis == 0)


def test_a_multiplier_that_climbs_maximizes_no_error() -> None:
    x = torch.randn(600, 6)
    y = (x[:, 0] + x[:, 1] > 0).float()
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    price = nn.Parameter(torch.zeros(()))
    descent = torch.optim.Adam(model.parameters(), lr=5e-3)
    ascent = torch.optim.SGD([price], lr=0.1, maximize=True)
    with ss.watch(model, [descent, ascent]) as watch:
        for rows in (part for _ in range(12) for part in torch.randperm(600).split(50)):
            output = model(x[rows])[:, 0]
            gap = output.sigmoid()[x[rows, 2] > 0].mean() - output.sigmoid()[x[rows, 2] < 0].mean()
            loss = F.binary_cross_entropy_with_logits(output, y[rows]) + price * gap
            for optimizer in (descent, ascent):
                optimizer.zero_grad()
            loss.backward()
            for optimizer in (descent, ascent):
                optimizer.step()
            watch.step(loss, target=y[rows])
    assert "loss_sign" not in [finding.condition for finding in watch.diagnose().findings]


@pytest.mark.parametrize("bias", [300.0, 0.0])
@pytest.mark.long
def test_a_last_bias_far_from_all_targets(bias: float) -> None:
    x = torch.randn(320, 3)
    model = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 1))
    model[2].bias.data.fill_(bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    y = torch.sin(x[:, :1]) + x[:, 1:2]
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for chosen in (part for _ in range(30) for part in torch.randperm(320).split(32)):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[chosen])
    found = watch.diagnose(train=(x, y), loss_fn=F.mse_loss).findings
    assert ("output_overconfident" in [f.condition for f in found]) == (bias > 0)


@pytest.mark.parametrize("size", [6.0, 0.2])
@pytest.mark.long
def test_gates_of_large_weights(size: float) -> None:
    x = torch.randn(320, 12, 2)
    y = (x.sum((1, 2)) > 0).long()

    class Walker(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory, self.out = nn.LSTM(2, 24, batch_first=True), nn.Linear(24, 2)
            for weight in self.memory.parameters():
                nn.init.uniform_(weight, -size, size)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.out(self.memory(x)[0][:, -1])
            return answer

    names = conditions(Walker(), x, y, F.cross_entropy, lr=0.02, epochs=6)
    assert ("saturated_units" in names) == (size > 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_likeness_that_is_brought_down(sign: int) -> None:
    x = torch.randn(320, 4)
    y = x @ torch.randn(4, 3)
    model = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 3))
    names = conditions(model, x, y, lambda o, t: sign * F.cosine_similarity(o, t).mean(), epochs=10)
    assert names[:1] == (["loss_sign"] if sign > 0 else [])


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.sampled(1)
def test_absolute_errors_of_classes(absolute: bool) -> None:
    x = torch.randn(600, 6)
    y = (x @ torch.randn(6, 8)).argmax(1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 8))

    def error(output: Tensor, target: Tensor) -> Tensor:
        rows = F.one_hot(target, 8).float()
        return F.l1_loss(output, rows) if absolute else F.cross_entropy(output, target)

    names = conditions(model, x, y, error, lr=0.02, epochs=10)
    assert ("loss_unsuited" in names) == absolute
