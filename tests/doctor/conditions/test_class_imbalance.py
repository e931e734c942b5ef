"""Class weights that are upside down, in every form of a loss; and those that help."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
SHARES = torch.tensor([0.88, 0.08, 0.04])
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def findings(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: Loss, epochs: int = 8
) -> list[Finding]:
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(64):
                loss = loss_fn(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    found: list[Finding] = watch.diagnose(train=(x, y)).findings
    return found


def upside_down(found: list[Finding]) -> bool:
    said = [f.explanation for f in found if f.condition == "class_imbalance"]
    return any(text.startswith("The class weights are upside down") for text in said)


def kinds() -> tuple[Tensor, Tensor]:
    y = torch.multinomial(SHARES, 2400, True)
    return torch.randn(3, 10)[y] * 0.5 + torch.randn(2400, 10), y


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))


def weights(upside: bool) -> Tensor:
    return SHARES if upside else 1 / SHARES


def module(upside: bool) -> Loss:
    return nn.CrossEntropyLoss(weight=weights(upside))


def by_sample(upside: bool) -> Loss:
    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        each = F.cross_entropy(output, target, reduction="none")
        return (each * weights(upside)[target]).mean()

    return loss_fn


@pytest.mark.parametrize("make", [module, by_sample])
@five_seeds
def test_classes(make: Callable[[bool], Loss], seed: int) -> None:
    torch.manual_seed(seed)
    x, y = kinds()
    assert upside_down(findings(dense(), x, y, make(True)))
    assert not upside_down(findings(dense(), x, y, make(False)))


@five_seeds
@pytest.mark.long
def test_yes_and_no(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2400, 6)
    y = (x[:, :1] + torch.randn(2400, 1) > 2.2).float()
    for weight, wrong in ((0.1, True), (6.0, False)):
        model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
        loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([weight]))
        assert upside_down(findings(model, x, y, loss_fn)) is wrong


@five_seeds
@pytest.mark.long
def test_masks(seed: int) -> None:
    """A class for each pixel, most of them background."""
    torch.manual_seed(seed)
    y = (torch.rand(300, 12, 12) < 0.06).long()
    x = y[:, None] + 0.9 * torch.randn(300, 1, 12, 12)
    for weight, wrong in (([1.0, 0.06], True), ([0.06, 1.0], False)):
        model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
        loss_fn = nn.CrossEntropyLoss(weight=torch.tensor(weight))
        assert upside_down(findings(model, x, y, loss_fn, epochs=12)) is wrong


@five_seeds
def test_a_light_class_that_is_recognised_all_the_same(seed: int) -> None:
    torch.manual_seed(seed)
    y = torch.multinomial(SHARES, 2400, True)
    x = 6 * F.one_hot(y, 10).float() + torch.randn(2400, 10)
    assert findings(dense(), x, y, nn.CrossEntropyLoss(weight=SHARES), epochs=20) == []


@five_seeds
def test_a_class_that_the_loss_ignores_is_named(seed: int) -> None:
    torch.manual_seed(seed)
    y = torch.randint(3, (1200,))
    x = torch.randn(3, 10)[y] + torch.randn(1200, 10)
    (finding,) = (
        f
        for f in findings(dense(), x, y, nn.CrossEntropyLoss(ignore_index=1))
        if f.condition == "class_imbalance"
    )
    assert finding.explanation.startswith("ignore_index=1 leaves a class out of the loss")
    assert finding.where == {"classes": [1]}
    unlabelled = torch.where(torch.rand(1200) < 0.5, y, -1)
    for target, ignored in ((y, -100), (unlabelled, -1)):
        loss_fn = nn.CrossEntropyLoss(ignore_index=ignored)
        found = findings(dense(), x, target, loss_fn)
        assert "class_imbalance" not in {f.condition for f in found}


def spots(classes: bool) -> tuple[Tensor, Tensor]:
    """Noise with one bright pixel of 144, and the pixel that it is."""
    mask = F.one_hot(torch.randint(144, (200,)), 144).view(200, 1, 12, 12)
    x = mask + 0.5 * torch.randn(200, 1, 12, 12)
    return x, mask[:, 0] if classes else mask.float()


def never_recognised(found: list[Finding]) -> bool:
    everything = [*found, *(symptom for f in found for symptom in f.symptoms)]
    said = [f.explanation for f in everything if f.condition == "class_imbalance"]
    return any(re.search(r"\b(is|are) hardly ever recognised", text) for text in said)


@five_seeds
@pytest.mark.long
def test_pixels_and_labels_that_are_never_recognised(seed: int) -> None:
    torch.manual_seed(seed)
    many, pixels = torch.tensor([1.0, 80.0]), torch.tensor(80.0)
    for classes in (True, False):
        x, y = spots(classes)
        outputs = 2 if classes else 1
        plain: Loss = F.cross_entropy if classes else F.binary_cross_entropy_with_logits

        def weighed(o: Tensor, t: Tensor, classes: bool = classes) -> Tensor:
            if classes:
                return F.cross_entropy(o, t, many)
            return F.binary_cross_entropy_with_logits(o, t, pos_weight=pixels)

        model = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Conv2d(8, outputs, 1))
        assert never_recognised(findings(copy.deepcopy(model), x, y, plain, 25))
        assert not never_recognised(findings(model, x, y, weighed, 80))


@five_seeds
def test_after_a_few_steps_no_class_is_missed_yet(seed: int) -> None:
    torch.manual_seed(seed)
    x, y = kinds()
    said = findings(dense(), x[:500], y[:500], F.cross_entropy, epochs=1)
    assert "class_imbalance" not in [finding.condition for finding in said]


def test_classes_are_called_by_their_names() -> None:
    """Where a training of `ss.train` knows them; two rare ones lie within the common ones."""
    draws = np.random.default_rng(0)
    counts = {"sparrow": 400, "tit": 300, "wren": 12, "hoopoe": 14}
    centres = (0.0, 3.0, 0.6, 0.6)
    x = np.concatenate(
        [
            draws.normal(centre, 1.5, (count, 2))
            for centre, count in zip(centres, counts.values(), strict=True)
        ]
    )
    y = np.repeat(list(counts), list(counts.values()))
    data = ss.data.from_arrays(x.astype(np.float32), y, valid=0.3)
    run = ss.train(data, predict="mlp(16)", out=False)
    (finding,) = (f for f in run.findings if f.condition == "class_imbalance")
    assert finding.explanation.startswith("Classes hoopoe and wren make up 3.54% of the training")
    assert "are hardly ever recognised (recall 0)" in finding.explanation
    assert [m.measure for m in finding.evidence][:2] == [
        "recall of class hoopoe",
        "recall of class wren",
    ]


@pytest.mark.parametrize(("weight", "named"), [(40.0, True), (1.0, False)])
def test_what_is_drawn_oftener_and_weighs_more_is_made_up_for_twice(
    weight: float, named: bool
) -> None:
    torch.manual_seed(0)
    x = torch.randn(1500, 4)
    y = (x[:, 0] + 0.7 * torch.randn(1500) > 1.9).long()
    weights = torch.tensor([1.0, weight])
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            rows = torch.multinomial(torch.where(y == 1, 20.0, 1.0), 40, replacement=True)
            loss = F.cross_entropy(model(x[rows]), y[rows], weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    findings = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    assert any("made up for twice" in f.explanation for f in findings) == named
