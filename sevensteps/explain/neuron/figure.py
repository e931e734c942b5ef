"""One neuron drawn: its weights, the samples that make it fire most, its activation by class, and
its life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sevensteps.explain.neuron.answer import Neuron
from sevensteps.render.figures import draw_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

ABOVE, BELOW, LINE = "#b2182b", "#2166ac", "#333333"
BARS = 20  # weights that are drawn as bars
KERNELS = 16  # input channels whose kernels are drawn


@draw_figure.register(Neuron)
def draw_neuron(answer: Neuron, figure: Figure) -> None:
    """Weights on the left; samples, classes and life on the right."""
    figure.set_size_inches(11, 5.6)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.25)).flat
    _weights(left, answer)
    if answer.pictures is not None:
        top, below = right.subfigures(2, 1, squeeze=False, height_ratios=(1.2, 1)).flat
        _samples(top, answer)
        groups, life = below.subplots(1, 2)
    else:
        groups, life = right.subplots(2, 1)
    _groups(groups, answer)
    _life(life, answer)
    state = "" if answer.dead is None else " (dead)" if answer.dead else " (alive)"
    figure.suptitle(f"{answer.layer}, unit {answer.unit} of {answer.units}{state}", fontsize=12)


def _weights(part: SubFigure, answer: Neuron) -> None:
    top = float(answer.weights.abs().max()) or 1.0
    if answer.image or answer.conv:
        pictures = answer.weights.reshape(-1, *answer.shape[-2:]).numpy()
        if answer.conv and len(pictures) > KERNELS:
            pictures = pictures[np.sort(np.argsort([-np.abs(p).sum() for p in pictures])[:KERNELS])]
        side = int(np.ceil(len(pictures) ** 0.5))
        places = part.subplots(-(-len(pictures) // side), side, squeeze=False)
        for place in places.flat:
            place.axis("off")
        for place, picture in zip(places.flat, pictures, strict=False):
            shown = place.imshow(
                picture, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest"
            )
        part.colorbar(
            shown,
            ax=places,
            shrink=0.7,
            location="bottom",
            label="weight" + (", by input channel" if len(pictures) > 1 else ""),
        )
        return
    axes = part.subplots()
    order = answer.weights.abs().argsort(descending=True, stable=True)[:BARS].flip(0).tolist()
    values = [float(answer.weights[index]) for index in order]
    axes.barh(range(len(order)), values, color=[ABOVE if value > 0 else BELOW for value in values])
    axes.set_yticks(
        range(len(order)),
        [answer.names[index] if answer.names else f"input {index}" for index in order],
        fontsize=8,
    )
    axes.axvline(0, color=LINE, linewidth=0.8)
    axes.set_xlabel(
        "weight"
        + (
            f" (the {len(order)} largest of {answer.weights.numel()})"
            if answer.weights.numel() > len(order)
            else ""
        )
    )
    _plain(axes)


def _samples(part: SubFigure, answer: Neuron) -> None:
    assert answer.pictures is not None
    part.suptitle("What it fires on most", fontsize=10)
    places = part.subplots(2, -(-max(len(answer.top), 2) // 2), squeeze=False)
    for place in places.flat:
        place.axis("off")
    for place, strong, picture in zip(places.flat, answer.top, answer.pictures, strict=False):
        shown: Any = (
            picture[0]
            if len(picture) != 3
            else (picture - picture.min()) / (picture.max() - picture.min()).clamp_min(1e-9)
        )
        place.imshow(
            (shown if len(picture) != 3 else shown.permute(1, 2, 0)).numpy(),
            cmap="gray_r",
            interpolation="nearest",
        )
        place.set_title(f"#{strong.sample} ({strong.target}): {strong.sum:.3g}", fontsize=7)


def _groups(axes: Axes, answer: Neuron) -> None:
    shown = answer.groups[:12][::-1]
    axes.barh(
        range(len(shown)),
        [group.mean for group in shown],
        color=[ABOVE if group.mean > 0 else BELOW for group in shown],
    )
    axes.set_yticks(
        range(len(shown)),
        [f"{group.name[:20]} ({group.firing:.0%})" for group in shown],
        fontsize=8,
    )
    axes.axvline(0, color=LINE, linewidth=0.8)
    axes.set_xlabel("mean activation (in brackets: fires on)")
    _plain(axes)


def _life(axes: Axes, answer: Neuron) -> None:
    moments = answer.life.moments
    _plain(axes)
    axes.set_xlabel("step")
    axes.set_ylabel("fires on, share")
    axes.set_ylim(-0.03, 1.03)
    if not moments:
        axes.text(
            0.5,
            0.5,
            "its life is not known:\nnobody watched",
            ha="center",
            va="center",
            transform=axes.transAxes,
            fontsize=9,
        )
        return
    axes.plot(
        [moment.step for moment in moments],
        [moment.firing for moment in moments],
        color=LINE,
        marker=".",
        linewidth=1,
    )
    for step, what in answer.life.events[:12]:
        axes.axvline(step, color=BELOW if what == "silent" else ABOVE, linewidth=0.8, linestyle=":")
    axes.set_title(
        "its life" + (" (dotted: blue falls silent, red fires)" if answer.life.events else ""),
        fontsize=10,
    )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
