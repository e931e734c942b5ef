"""The building blocks that PyTorch lacks."""

from __future__ import annotations

import copy
import gzip
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sevensteps.engine.modules import (
    Bins,
    Dropout,
    Neuron,
    PixelSimilarity,
    Powers,
    Step,
    use_generator,
)
from sevensteps.errors import ArgumentError, ShapeError


def dropout(p: float, seed: int = 0) -> Dropout:
    module = Dropout(p)
    module.generator = torch.Generator().manual_seed(seed)
    return module


def test_bins_are_filled_from_their_lower_edge_on() -> None:
    layer = Bins(2, 1, 2)
    x = torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [4.0, 0.0], [6.0, 0.0]])
    assert layer(x).tolist() == [[*row, -1, -1] for row in x.tolist()]  # not fitted: empty
    layer.fit(x)
    assert layer.places.tolist() == [0]  # the column of more values
    assert layer.lower.tolist() == [[0, 2]]
    assert layer(torch.tensor([[1.0, 1.0], [3.0, 0.0], [9.0, 0.5]])).tolist() == [
        [1, 1, 0, -1],
        [3, 0, 1, -0.5],
        [6, 0.5, 1, 1],  # cut off at the range of what it was fitted to
    ]
    layer.fit(torch.tensor([[5.0, 0.0], [5.0, 1.0], [5.0, 2.0]]))
    assert layer.places.tolist() == [1]
    assert set(layer.state_dict()) == {"places", "lower", "width", "lowest", "highest"}


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    y = dropout(0.3)(torch.ones(100_000))
    assert set(y.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.7))}
    assert float((y == 0).float().mean()) == pytest.approx(
        0.3, abs=5 * math.sqrt(0.3 * 0.7 / 100_000)
    )


def test_dropout_leaves_out_the_same_in_every_precision() -> None:
    a, b = (dropout(0.5)(torch.ones(50, dtype=kind)) for kind in (torch.float32, torch.float64))
    assert torch.equal(a, b.float())


def test_dropout_does_nothing_in_eval_or_at_0() -> None:
    module = dropout(0.5)
    before = module.generator.get_state()
    x = torch.arange(5.0)
    assert torch.equal(module.eval()(x), x)
    assert torch.equal(Dropout(0)(x), x)
    assert torch.equal(module.generator.get_state(), before)


def test_dropout_needs_its_generator_only_to_train() -> None:
    with pytest.raises(ArgumentError, match=r"Dropout\(0.5\) has no generator.*use_generator"):
        Dropout(0.5)(torch.ones(3))
    network = nn.Sequential(Dropout(0.5), nn.Sequential(Dropout(0.1)))
    generator = torch.Generator()
    use_generator(network, generator)
    assert network[0].generator is network[1][0].generator is generator


@pytest.mark.parametrize("p", [-0.1, 1, math.nan, "half"])
def test_dropout_refuses(p: object) -> None:
    with pytest.raises(ArgumentError, match="p must be"):
        Dropout(p)  # type: ignore[arg-type]


def test_powers_stand_highest_first_feature_by_feature() -> None:
    x = torch.tensor([[2.0, 3.0], [-1.0, 0.0]])
    assert Powers(3)(x).tolist() == [[8, 4, 2, 27, 9, 3], [-1, 1, -1, 0, 0, 0]]
    assert torch.equal(Powers(1)(x), x)
    assert list(Powers(3).state_dict()) == []


def test_a_neuron_is_a_weighted_sum_with_its_bias_spelled_either_way() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    plain, folded = Neuron(2), Neuron(2, "w0")
    with torch.no_grad():
        plain.weight.copy_(torch.tensor([[2.0, 3.0]]))
        plain.bias.fill_(5.0)
        folded.weight.copy_(torch.tensor([[5.0, 2.0, 3.0]]))
    assert plain(x).tolist() == folded(x).tolist() == [[13.0], [8.0]]
    assert folded.bias is None
    assert [p.shape for p in Neuron(4).parameters()] == [(1, 4), (1,)]


@pytest.mark.parametrize("bias", ["b", "w0"])
def test_a_neuron_starts_at_zero(bias: str) -> None:
    assert all((p == 0).all() for p in Neuron(3, bias).parameters())


def test_a_neuron_refuses() -> None:
    with pytest.raises(ArgumentError, match="features must be at least 1"):
        Neuron(0)
    with pytest.raises(ArgumentError, match="bias has no option 'w1'"):
        Neuron(2, "w1")


def test_step_is_1_from_0_on() -> None:
    assert Step()(torch.tensor([-1.0, -0.0, 0.0, 1e-30, math.inf])).tolist() == [0, 1, 1, 1, 1]


@given(
    samples=st.integers(1, 6),
    classes=st.integers(2, 4),
    metric=st.sampled_from(["l1", "l2"]),
    seed=st.integers(0, 99),
)
def test_pixel_similarity_is_minus_the_distance(
    samples: int, classes: int, metric: str, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.rand(4 * classes, 1, 3, 2, generator=draw), torch.arange(4 * classes) % classes
    new = torch.rand(samples, 1, 3, 2, generator=draw)
    module = PixelSimilarity((1, 3, 2), classes, metric)
    module.fit(x, y)
    means = torch.stack([x[y == c].mean(0) for c in range(classes)])
    difference = new[:, None] - means
    wanted = (
        difference.abs().mean((2, 3, 4))
        if metric == "l1"
        else difference.square().mean((2, 3, 4)).sqrt()
    )
    assert torch.allclose(module(new), -wanted, atol=1e-6)


def test_pixel_similarity_of_two_classes_has_one_output() -> None:
    module = PixelSimilarity((2,), 2, binary=True)
    module.fit(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0], [1.0]]))
    assert module(torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.5, 0.5]])).tolist() == [
        [1.0],
        [-1.0],
        [0.0],
    ]
    assert torch.equal(copy.deepcopy(module)(torch.ones(1, 2)), torch.ones(1, 1))
    assert list(module.parameters()) == []


def test_pixel_similarity_refuses() -> None:
    module = PixelSimilarity((1, 2, 2), 2)
    with pytest.raises(ArgumentError, match=r"no mean images yet; call fit"):
        module(torch.zeros(1, 1, 2, 2))
    with pytest.raises(ArgumentError, match="no image of class 1"):
        module.fit(torch.zeros(2, 1, 2, 2), torch.zeros(2))
    with pytest.raises(
        ShapeError, match=r"images \[1, 3, 3\] for a PixelSimilarity of \[1, 2, 2\]"
    ):
        module.fit(torch.zeros(2, 1, 3, 3), torch.tensor([0, 1]))
    module.fit(torch.zeros(2, 1, 2, 2), torch.tensor([0, 1]))
    with pytest.raises(ShapeError, match=r"images \[1, 3, 3\] against mean images \[1, 2, 2\]"):
        module(torch.zeros(2, 1, 3, 3))
    with pytest.raises(ArgumentError, match="2 classes apart, not 3"):
        PixelSimilarity((4,), 3, binary=True)
    with pytest.raises(ArgumentError, match="metric has no option 'l3'"):
        PixelSimilarity((4,), 2, "l3")


def threes_and_sevens(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Pixels / 255 [N, 1, 28, 28], and 1 for a 3, 0 for a 7; read here by hand, so that this test
    needs nothing else.
    """
    files = [folder / f"{part}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    raw = [bytearray(gzip.decompress(file.read_bytes())) for file in files]
    images = torch.frombuffer(raw[0], dtype=torch.uint8, offset=16).view(-1, 1, 28, 28)
    labels = torch.frombuffer(raw[1], dtype=torch.uint8, offset=8)
    chosen = (labels == 3) | (labels == 7)
    return images[chosen] / 255, (labels[chosen] == 3).float()


@pytest.mark.parametrize(
    ("metric", "threes", "sevens"), [("l1", 0.9168, 0.9854), ("l2", 0.9584, 0.9737)]
)
def test_the_book_s_baseline(mnist_dir: Path, metric: str, threes: float, sevens: float) -> None:
    module = PixelSimilarity((1, 28, 28), 2, metric, binary=True)
    module.fit(*threes_and_sevens(mnist_dir, "train"))
    x, y = threes_and_sevens(mnist_dir, "t10k")
    right = (module(x)[:, 0] > 0) == (y == 1)
    # to one picture of a thousand, whose distances may be equal but for rounding
    assert float(right[y == 1].double().mean()) == pytest.approx(threes, abs=0.0011)
    assert float(right[y == 0].double().mean()) == pytest.approx(sevens, abs=0.0011)
