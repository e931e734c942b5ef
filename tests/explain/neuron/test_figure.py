"""A neuron drawn: every weight, sample and class of the answer is in the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sevensteps as ss

pytest.importorskip("matplotlib")


def axes_of(figure: Any) -> list[Any]:
    return list(figure.get_axes())


def test_a_first_layer_over_images(tmp_path: Path) -> None:
    neuron = ss.train("digits", predict="mlp(5)", stop="epochs(2)", out=False).explain.neuron(
        "layer1", 2
    )
    figure = neuron.plot(tmp_path / "unit.png")
    assert (tmp_path / "unit.png").stat().st_size > 10_000
    images = [np.asarray(image.get_array()) for axes in axes_of(figure) for image in axes.images]
    assert np.array_equal(images[0], neuron.weights[0].numpy())
    assert len(images) == 1 + len(neuron.top)
    assert neuron.pictures is not None
    assert np.array_equal(images[1], neuron.pictures[0, 0].numpy())
    titles = [axes.get_title() for axes in axes_of(figure)]
    assert f"#{neuron.top[0].sample} ({neuron.top[0].target}): {neuron.top[0].sum:.3g}" in titles


@pytest.mark.parametrize(
    ("data", "predict", "layer"), [("iris", "mlp(4)", "layer1"), ("diabetes", "linear()", "output")]
)
def test_a_table_has_a_bar_for_each_weight_and_group(data: str, predict: str, layer: str) -> None:
    neuron = ss.train(data, predict=predict, stop="epochs(2)", out=False).explain.neuron(layer, 0)
    figure = neuron.plot()
    weights, groups, life = axes_of(figure)
    assert sorted(bar.get_width() for bar in weights.patches) == pytest.approx(
        sorted(neuron.weights.tolist())
    )
    assert {label.get_text() for label in weights.get_yticklabels()} == set(neuron.names)
    assert [bar.get_width() for bar in groups.patches][::-1] == pytest.approx(
        [group.mean for group in neuron.groups]
    )
    assert list(life.lines[0].get_ydata()) == [moment.firing for moment in neuron.life.moments]
    assert all(axes.get_xlabel() for axes in (weights, groups, life))


def test_kernels_and_a_life_that_is_not_known() -> None:
    run = ss.train("digits", predict="cnn(3, 4)", stop="epochs(1)", watch=0, out=False)
    figure = run.explain.neuron("layer2", 1, again=False).plot()
    kernels = [
        image
        for axes in axes_of(figure)
        for image in axes.images
        if np.asarray(image.get_array()).shape == (3, 3)
    ]
    assert len(kernels) == 3
    assert any("not known" in text.get_text() for axes in axes_of(figure) for text in axes.texts)
