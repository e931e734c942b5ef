"""The toy data are what their formulas say."""

from __future__ import annotations

import pytest
import torch

from sevensteps import data


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_speed_is_the_books_formula(noise: float) -> None:
    loaded, clean = data.load("speed", noise=noise, seed=5), data.load("speed(noise=0)", seed=5)
    t = loaded.train.x
    assert t[:, 0].tolist() == list(range(20))
    assert torch.equal(loaded.valid.x, t)
    assert torch.equal(clean.train.y, 0.75 * (t - 9.5).square() + 1)
    residual = torch.cat([loaded.train.y - clean.train.y, loaded.valid.y - clean.valid.y])
    once = torch.cat(
        [data.load("speed(noise=1)", seed=5).train.y, data.load("speed(noise=1)", seed=5).valid.y]
    )
    unit = once - torch.cat([clean.train.y, clean.valid.y])
    torch.testing.assert_close(residual, noise * unit, atol=1e-4, rtol=1e-4)
    assert torch.equal(loaded.train.y, loaded.valid.y) is (noise == 0)


def test_speed_of_another_curve() -> None:
    t = data.load("speed").train.x
    for a, b, c in ((2.0, -3.0, 5.0), (0.0, 2.0, 1.0)):
        y = data.load("speed", noise=0, a=a, b=b, c=c).train.y
        torch.testing.assert_close(y, a * t.square() + b * t + c)


@pytest.mark.parametrize(
    ("scale", "condition"), [("none", 218_451), ("standardize", 7.4)]
)  # FIGURES, point 3
def test_speed_is_as_well_conditioned_as_published(scale: str, condition: float) -> None:
    t = data.load("speed", scale=scale).train.x.double()[:, 0]
    powers = torch.stack([t * t, t, torch.ones(20, dtype=torch.float64)], 1)
    assert float(torch.linalg.cond(2 * powers.T @ powers / 20)) == pytest.approx(
        condition, rel=0.01
    )


def test_xor_can_be_the_truth_table() -> None:
    loaded = data.load("xor(n=4, noise=0)")
    assert loaded.train.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert loaded.train.y[:, 0].tolist() == [0, 1, 1, 0]
    assert torch.equal(loaded.train.x, loaded.valid.x)
    assert "same four points" in loaded.about


def test_xor_labels_the_corners() -> None:
    loaded = data.load("xor(noise=0)")
    for part in (loaded.train, loaded.valid):
        assert torch.equal(part.y[:, 0], (part.x[:, 0] != part.x[:, 1]).float())
        corners = torch.unique(part.x, dim=0, return_counts=True)[1]
        assert corners.tolist() == [len(part) // 4] * 4


def test_circles_and_spirals_lie_where_they_should() -> None:
    circles, spirals = (
        data.load("circles(noise=0, factor=0.3)"),
        data.load("spirals(noise=0, turns=1)"),
    )
    radius = torch.where(circles.train.y[:, 0] == 1, 0.3, 1.0)
    torch.testing.assert_close(circles.train.x.norm(dim=1), radius)
    r = spirals.train.x.norm(dim=1)
    angle = 2 * torch.pi * (r + spirals.train.y[:, 0] / 2)
    torch.testing.assert_close(
        spirals.train.x, torch.stack([r * angle.cos(), r * angle.sin()], 1), atol=1e-5, rtol=0
    )
