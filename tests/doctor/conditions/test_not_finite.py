"""Each cause of a number that is not finite is traced to its operation, line, sample and reason."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.api.watch import Watch
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import three_seeds

pytestmark = pytest.mark.draws

BATCH, FEATURES = 16, 6
BAD_SAMPLE = 5
Spoil = Callable[[Tensor, Tensor], tuple[Tensor, Tensor] | None]
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def line_of(mark: str) -> str:
    """The line of this file that ends with a comment `# mark`."""
    lines = Path(__file__).read_text().splitlines()
    numbers = [n for n, line in enumerate(lines, 1) if line.endswith(f"# {mark}")]
    return f"{Path(__file__).name}:{numbers[0]}"


def network(outputs: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, outputs))


def run(
    loss_of: Loss,
    spoil: Spoil,
    *,
    faulty: bool,
    seed: int,
    bad_step: int,
    model: nn.Module,
    lr: float = 0.01,
    steps: int = 45,
    report_target: bool = True,
) -> list[Finding]:
    """What is found in a training one batch of which is spoilt."""
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for step in range(steps):
            x = torch.randn(BATCH, FEATURES, generator=draw)
            y = (x[:, 0] > 0).long()
            if step == bad_step and faulty:
                x, y = spoil(x, y) or (x, y)
            loss = loss_of(model, x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y if report_target else None)
    assert watch.failure is None
    return watch.diagnose().findings


# -- what goes wrong, by itself or because of one sample -------------------------------------------


def log_of_zero(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    losses = F.cross_entropy(model(x), y, reduction="none")
    return (losses + 0.01 * x.abs().sum(1).log()).mean()  # log


def log_of_probability(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    p = model(x).mul(1 + 1e4 * (x == 0).any(1, keepdim=True)).softmax(1)
    return -p.log()[torch.arange(len(y)), y].mean()  # log softmax


def bce_by_hand(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    p = torch.sigmoid(model(x)[:, 0] * (1 + 1e6 * (x == 0).any(1)))
    t = y.float()
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()  # log sigmoid


def divergence(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    q = model(x).softmax(1)
    p = F.one_hot(y, 4).float() * (x.abs().sum(1, keepdim=True) == 0) + 0.25
    p = p * (x.abs().sum(1, keepdim=True) > 0)
    return (p * (p.log() - q.log())).sum(1).mean()  # log kl


def distance(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    a, b = model(x), model(x.roll(1, 0) * (x[:, :1] != 0) + x * (x[:, :1] == 0))
    return (a - b).pow(2).sum(1).sqrt().mean() + F.cross_entropy(a, y)  # sqrt


def half_power(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y) + (model(x) * x[:, :1]).abs().pow(0.5).mean()  # pow


def unit_length(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    code = model(x) * x[:, :1]
    return F.cross_entropy(code / code.norm(dim=1, keepdim=True), y)  # length


def masked_mean(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    answer, counts = model(x)[:, :1], (x != 0).float()
    each = (answer * counts).sum(1) / counts.sum(1)  # count
    return each.square().mean()


def mean_of_selected(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    losses = F.cross_entropy(model(x), y, reduction="none")
    return losses[x.abs().sum() > 0 * y + 1e-9].mean()  # empty


def spread_of_one(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    out = model(x)
    return F.cross_entropy(out, y) + out.std(0).mean()  # std


def gaussian(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    mean, log_var = model(x)[:, 0], model(x)[:, 1].abs() * (-1e5 * (x == 0).any(1))
    return ((y - mean) ** 2 * (-log_var).exp() + log_var).mean()  # exp


def angle(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    out = model(x)
    cosine = torch.where(x[:, 0] == 0, torch.tanh(out[:, 0] + 40), torch.tanh(out[:, 0]))
    return torch.acos(cosine).mean()  # acos


def where_hides(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    scale = model(x)[:, 0] * x[:, 1]
    return torch.where(scale.abs() > 0, 1 / (1 + (1 / scale).abs()), 0.0 * scale).mean()  # hidden


def ignored(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y)  # ignored


def zero_sample(x: Tensor, y: Tensor) -> None:
    x[BAD_SAMPLE] = 0


def zero_batch(x: Tensor, y: Tensor) -> None:
    x[:] = 0


def nan_sample(x: Tensor, y: Tensor) -> None:
    x[BAD_SAMPLE, 2] = math.nan


def log_of_zero_sample(x: Tensor, y: Tensor) -> None:
    x[BAD_SAMPLE, 2] = -math.inf


def only_one(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x[:1], y[:1]


def ignore_all(x: Tensor, y: Tensor) -> None:
    y[:] = -100


@dataclass(frozen=True)
class Fault:
    loss: Loss
    spoil: Spoil
    kind: str
    operation: str
    mark: str
    sample: int | None = BAD_SAMPLE


FAULTS = {
    "log of 0": Fault(log_of_zero, zero_sample, "log", "log", "log"),
    "log of a softmax": Fault(log_of_probability, zero_sample, "log", "log", "log softmax"),
    "cross-entropy by hand": Fault(bce_by_hand, zero_sample, "log", "log", "log sigmoid"),
    "Kullback-Leibler with zeros": Fault(divergence, zero_sample, "log", "log", "log kl"),
    "root of a distance": Fault(distance, zero_sample, "root", "sqrt", "sqrt"),
    "a power below 1": Fault(half_power, zero_sample, "root", "pow", "pow"),
    "length 0": Fault(unit_length, zero_sample, "division", "division", "length"),
    "nothing counts": Fault(masked_mean, zero_sample, "division", "division", "count"),
    "nothing selected": Fault(mean_of_selected, zero_batch, "empty", "mean", "empty", None),
    "spread of one": Fault(spread_of_one, only_one, "single", "std", "std", None),
    "exponential": Fault(gaussian, zero_sample, "exponential", "exp", "exp"),
    "angle of 0": Fault(angle, zero_sample, "arc", "acos", "acos"),
    "hidden by where": Fault(where_hides, zero_sample, "division", "division", "hidden"),
    "all targets ignored": Fault(ignored, ignore_all, "empty", "nll_loss", "ignored", None),
}


@pytest.mark.filterwarnings("ignore:std")
@three_seeds
@pytest.mark.parametrize("bad_step", [2, 37])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.sampled(8)
def test_the_cause_is_named(name: str, bad_step: int, seed: int) -> None:
    fault = FAULTS[name]
    torch.manual_seed(seed)
    model = network()
    findings = run(fault.loss, fault.spoil, faulty=True, seed=seed, bad_step=bad_step, model=model)
    finding = findings[0]
    assert finding.condition == "not_finite"
    where = finding.where
    assert (where["cause"], where["operation"]) == (fault.kind, fault.operation)
    assert where["line"] == line_of(fault.mark)
    assert where["step"] == bad_step
    assert where.get("sample") == fault.sample
    assert not any("clip=1" in remedy.change.get("gradient", "") for remedy in finding.remedies)


@three_seeds
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.sampled(5)
def test_its_twin_is_not(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    findings = run(FAULTS[name].loss, FAULTS[name].spoil, faulty=False, seed=seed, bad_step=2,
                   model=network())  # fmt: skip
    assert "not_finite" not in [finding.condition for finding in findings]


# -- within a network ------------------------------------------------------------------------------


class Texts(nn.Module):
    """Attention over tokens, of which 0 is padding."""

    def __init__(self, attention: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        if attention == "layer":
            self.encoder: nn.Module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        else:
            self.encoder = nn.MultiheadAttention(8, 2, batch_first=True)
        self.attention = attention
        self.head = nn.Linear(8, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        h, padding = self.embedding(tokens), tokens == 0
        if self.attention == "layer":
            h = self.encoder(h, src_key_padding_mask=padding)
        elif self.attention == "module":
            h, _ = self.encoder(h, h, h, key_padding_mask=padding)
        else:
            scores = (h @ h.transpose(1, 2)).masked_fill(padding[:, None, :], -math.inf)
            h = scores.softmax(-1) @ h  # by hand
        kept = (~padding)[..., None].float()
        answer: Tensor = self.head((h * kept).sum(1) / kept.sum(1).clamp(min=1))
        return answer


def texts(
    attention: str, *, faulty: bool, seed: int, bad_step: int, padding: int = 0
) -> tuple[list[Finding], int]:
    """The findings, and the row of the training data that is all padding."""
    torch.manual_seed(seed)
    model = Texts(attention)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tokens = torch.randint(1, 10, (60 * BATCH, 7))
    tokens[:, 5:] = 0
    labels = torch.randint(0, 4, (len(tokens),))
    order = torch.randperm(len(tokens))
    row = int(order[bad_step * BATCH + BAD_SAMPLE])
    if faulty:
        tokens[row] = padding
    with ss.watch(model, optimizer) as watch:
        for rows in order.split(BATCH):
            loss = F.cross_entropy(model(tokens[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=labels[rows])
    return watch.diagnose(train=(tokens, labels), loss_fn=F.cross_entropy).findings, row


@three_seeds
@pytest.mark.parametrize("bad_step", [3, 41])
@pytest.mark.parametrize("attention", ["module", "by hand"])
@pytest.mark.sampled(2)
def test_a_text_that_is_all_padding(attention: str, bad_step: int, seed: int) -> None:
    findings, row = texts(attention, faulty=True, seed=seed, bad_step=bad_step)
    assert findings[0].condition == "not_finite"
    where = findings[0].where
    assert (where["cause"], where["operation"], where["step"]) == ("masked", "softmax", bad_step)
    assert (where["sample"], where["row"]) == (BAD_SAMPLE, row)
    if attention == "module":
        assert where["layers"] == ["encoder"]
    else:
        assert where["line"] == line_of("by hand")
    healthy, _ = texts(attention, faulty=False, seed=seed, bad_step=bad_step)
    assert "not_finite" not in [finding.condition for finding in healthy]


class Normalised(nn.Module):
    """Standardises what may all be alike, without an eps."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 8, bias=False), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        answer: Tensor = self.last((h - h.mean(0)) / h.std(0))  # norm
        return answer


@pytest.mark.parametrize("seed", range(3))
def test_a_norm_of_numbers_that_are_all_alike(seed: int) -> None:
    torch.manual_seed(seed)
    findings = run(ignored, zero_batch, faulty=True, seed=seed, bad_step=9, model=Normalised())
    where = findings[0].where
    assert (findings[0].condition, where["cause"]) == ("not_finite", "division")
    assert where["line"] == line_of("norm")
    assert "the spread of numbers that are all alike" in findings[0].explanation


# -- what is not the operation's fault -------------------------------------------------------------


def clean_sample(x: Tensor, y: Tensor) -> None:
    pass


@three_seeds
@pytest.mark.parametrize("bad_step", [2, 37])
@pytest.mark.parametrize("spoil", [nan_sample, log_of_zero_sample])
@pytest.mark.sampled(2)
def test_a_bad_input_is_the_input_s(spoil: Spoil, bad_step: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, 4))
    findings = run(ignored, spoil, faulty=True, seed=seed, bad_step=bad_step, model=model)
    finding = findings[0]
    if finding.condition == "inputs_not_finite":
        (finding,) = [one for one in finding.symptoms if one.condition == "not_finite"]
    assert finding.where["cause"] == "input"
    assert (finding.where["sample"], finding.where["step"]) == (BAD_SAMPLE, bad_step)


@three_seeds
@pytest.mark.parametrize("lr", [5.0, 1e4])
@pytest.mark.sampled(1)
def test_a_rate_that_throws_the_weights_off_is_told_apart(lr: float, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, 1))

    def squares(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return (model(x)[:, 0] - x.sum(1)).square().mean()

    findings = run(squares, clean_sample, faulty=False, seed=seed, bad_step=0, model=model, lr=lr)
    every = [one for finding in findings for one in (finding, *finding.symptoms)]
    (finding,) = [one for one in every if one.condition == "not_finite"]
    assert "cause" not in finding.where
    assert findings[0].condition == "learning_rate_too_high"


@pytest.mark.parametrize("seed", range(3))
def test_half_precision_that_overflows(seed: int) -> None:
    torch.manual_seed(seed)
    model = network()

    def half(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.float16):
            return F.cross_entropy(model(300 * x) @ (1e5 * torch.eye(4)), y)  # half

    findings = run(half, clean_sample, faulty=False, seed=seed, bad_step=0, model=model)
    where = findings[0].where
    assert (findings[0].condition, where["cause"], where["line"]) == (
        "not_finite",
        "half",
        line_of("half"),
    )


# -- loops of other kinds --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_loop_that_leaves_bad_steps_out_is_warned_only(seed: int) -> None:
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with ss.watch(model, optimizer) as watch:
        for step in range(60):
            x = torch.randn(BATCH, FEATURES)
            if step in (20, 33):
                x[BAD_SAMPLE] = 0
            loss = unit_length(model, x, (x[:, 0] > 0).long())
            optimizer.zero_grad()
            if math.isfinite(loss.item()):
                loss.backward()
                optimizer.step()
            watch.step(loss)
    (finding,) = [f for f in watch.diagnose().findings if f.condition == "not_finite"]
    assert (finding.severity, finding.where["step"]) == ("warning", 20)
    assert (finding.where["sample"], finding.where["line"]) == (BAD_SAMPLE, line_of("length"))


def test_an_infinite_gradient_that_a_scaler_skips_is_healthy() -> None:
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100, growth_interval=5)
    skipped = 0
    with ss.watch(model, optimizer) as watch:
        for _ in range(90):
            x = torch.randn(BATCH, FEATURES)
            with torch.autocast("cpu", dtype=torch.float16):
                loss = F.cross_entropy(model(x), (x[:, 0] > 0).long())
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            before = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped += scaler.get_scale() < before
            watch.step(loss)
    assert skipped > 10
    assert "not_finite" not in [finding.condition for finding in watch.diagnose().findings]


def checked(watch: Watch, model: nn.Module, check: str, bad_step: int) -> None:
    """A training that looks for NaN itself."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watch, torch.autograd.set_detect_anomaly(check == "anomaly"):
        for step in range(50):
            x = torch.randn(BATCH, FEATURES)
            y = (x[:, 0] > 0).long()
            if step == bad_step:
                x[BAD_SAMPLE] = 0
            loss = (distance if check == "anomaly" else unit_length)(model, x, y)
            if check == "assert":
                assert not torch.isnan(loss)
            elif check == "raise" and not torch.isfinite(loss):
                raise ValueError(f"loss is {loss.item()}, stopping training")
            elif check == "other" and step == bad_step:
                raise KeyError("nan")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)


@pytest.mark.filterwarnings("ignore:Error detected")
@pytest.mark.parametrize("bad_step", [2, 37])
@pytest.mark.parametrize("check", ["anomaly", "assert", "raise"])
@pytest.mark.sampled(2)
def test_a_check_of_its_own_that_ends_the_training(check: str, bad_step: int) -> None:
    torch.manual_seed(0)
    model = network()
    watch = ss.watch(model)
    with pytest.raises((RuntimeError, AssertionError, ValueError)):
        checked(watch, model, check, bad_step)
    finding = watch.diagnose().findings[0]
    assert (finding.condition, finding.onset) == ("not_finite", bad_step)
    assert finding.where["line"] == line_of("sqrt" if check == "anomaly" else "length")
    assert finding.where["sample"] == BAD_SAMPLE


def test_another_exception_says_nothing_of_the_numbers() -> None:
    torch.manual_seed(0)
    model = network()
    watch = ss.watch(model)
    with pytest.raises(KeyError):
        checked(watch, model, "other", 37)
    assert "not_finite" not in [finding.condition for finding in watch.diagnose().findings]


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_that_become_0_or_1_in_the_course_of_the_training(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x = 3 * torch.randn(400, 4)
    y = (x[:, 0] > 0).float()
    with ss.watch(model, optimizer) as watch:
        for _ in range(1000):
            rows = torch.randint(400, (64,))
            p = torch.sigmoid(model(x[rows]))[:, 0]
            loss = -(y[rows] * p.log() + (1 - y[rows]) * (1 - p).log()).mean()  # slowly
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
            if not math.isfinite(loss.item()):
                break
    finding = watch.diagnose().findings[0]
    assert (finding.condition, finding.where["line"]) == ("not_finite", line_of("slowly"))
    assert "with_logits" in finding.remedies[0].advice


@three_seeds
@pytest.mark.sampled(1)
def test_steps_of_several_backward_passes_and_of_closures(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(120, FEATURES)
    x[77] = 0
    y, whole = (x[:, 0] > 0).long(), torch.arange(120)
    for kind in (torch.optim.LBFGS, torch.optim.SGD):
        model = network()
        optimizer = kind(model.parameters(), lr=0.05)
        with ss.watch(model, optimizer) as watch:
            for rows in torch.randperm(120).split(40) if kind is torch.optim.SGD else 3 * [whole]:

                def passes(rows: Tensor = rows) -> Tensor:
                    optimizer.zero_grad()  # noqa: B023
                    for part in rows.split(len(rows) if kind is torch.optim.LBFGS else 10):  # noqa: B023
                        loss = half_power(model, x[part], y[part])  # noqa: B023
                        loss.backward()
                    return loss.detach()

                if kind is torch.optim.LBFGS:
                    loss = optimizer.step(passes)  # type: ignore[arg-type]
                else:
                    loss = passes()
                    optimizer.step()
                watch.step(loss, target=y[rows])
        finding = watch.diagnose(train=(x, y)).findings[0]
        assert (finding.where["line"], finding.where["row"]) == (line_of("pow"), 77)


def test_targets_that_are_not_reported() -> None:
    torch.manual_seed(0)
    findings = run(
        distance,
        zero_sample,
        faulty=True,
        seed=0,
        bad_step=37,
        model=network(),
        report_target=False,
    )
    assert findings[0].where["line"] == line_of("sqrt")
    assert re.search("distance between two equal inputs", findings[0].explanation)
