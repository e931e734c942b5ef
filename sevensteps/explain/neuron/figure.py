"""A neuron drawn: its weights, its strongest samples, its activation by class, and its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sevensteps.explain.neuron.answer import Neuron
from sevensteps.render.figures import current_palette, diverging, draw_figure, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MAX_BARS = 20  # weights that are drawn as bars
MAX_KERNELS = 16  # input channels whose kernels are drawn


@draw_figure.register(Neuron)
def draw_neuron(neuron: Neuron, figure: Figure) -> None:
    """Weights on the left; samples, classes and history on the right."""
    figure.set_size_inches(11, 5.6)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.25)).flat
    _weights(left, neuron)
    if neuron.pictures is not None:
        top, below = right.subfigures(2, 1, squeeze=False, height_ratios=(1.2, 1)).flat
        _samples(top, neuron)
        groups, history = below.subplots(1, 2)
    else:
        groups, history = right.subplots(2, 1)
    _groups(groups, neuron)
    _history(history, neuron)
    state = "" if neuron.dead is None else " (dead)" if neuron.dead else " (alive)"
    headline(figure, f"{neuron.layer}, unit {neuron.unit} of {neuron.units}{state}")


def _weights(part: SubFigure, neuron: Neuron) -> None:
    top = float(neuron.weights.abs().max()) or 1.0
    if neuron.image or neuron.conv:
        pictures = neuron.weights.reshape(-1, *neuron.shape[-2:]).numpy()
        if neuron.conv and len(pictures) > MAX_KERNELS:
            pictures = pictures[
                np.sort(np.argsort([-np.abs(p).sum() for p in pictures])[:MAX_KERNELS])
            ]
        side = int(np.ceil(len(pictures) ** 0.5))
        panels = part.subplots(-(-len(pictures) // side), side, squeeze=False)
        for panel in panels.flat:
            panel.axis("off")
        for panel, picture in zip(panels.flat, pictures, strict=False):
            shown = panel.imshow(
                picture, cmap=diverging(), vmin=-top, vmax=top, interpolation="nearest"
            )
        part.colorbar(
            shown,
            ax=panels,
            shrink=0.7,
            location="bottom",
            label="weight" + (", by input channel" if len(pictures) > 1 else ""),
        )
        return
    axes = part.subplots()
    order = neuron.weights.abs().argsort(descending=True, stable=True)[:MAX_BARS].flip(0).tolist()
    values = [float(neuron.weights[index]) for index in order]
    axes.barh(range(len(order)), values, color=_by_sign(values))
    axes.set_yticks(
        range(len(order)),
        [neuron.names[index] if neuron.names else f"input {index}" for index in order],
    )
    axes.axvline(0, color=current_palette()["ink-soft"], linewidth=0.8)
    axes.set_xlabel(
        "weight"
        + (
            f" (the {len(order)} largest of {neuron.weights.numel()})"
            if neuron.weights.numel() > len(order)
            else ""
        )
    )


def _samples(part: SubFigure, neuron: Neuron) -> None:
    assert neuron.pictures is not None
    part.suptitle("What it fires on most", fontsize=10, fontweight="normal")
    panels = part.subplots(2, -(-max(len(neuron.top), 2) // 2), squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    for panel, strong, picture in zip(panels.flat, neuron.top, neuron.pictures, strict=False):
        shown: Any = (
            picture[0]
            if len(picture) != 3
            else (picture - picture.min()) / (picture.max() - picture.min()).clamp_min(1e-9)
        )
        panel.imshow(
            (shown if len(picture) != 3 else shown.permute(1, 2, 0)).numpy(),
            cmap="gray_r",
            interpolation="nearest",
        )
        panel.set_title(
            f"#{strong.sample} ({strong.target}): {strong.sum:.3g}", fontsize=7, loc="center", pad=3
        )


def _groups(axes: Axes, neuron: Neuron) -> None:
    shown = neuron.groups[:12][::-1]
    axes.barh(
        range(len(shown)),
        [group.mean for group in shown],
        color=_by_sign([group.mean for group in shown]),
    )
    axes.set_yticks(
        range(len(shown)),
        [f"{group.name[:20]} ({group.firing:.0%})" for group in shown],
    )
    axes.axvline(0, color=current_palette()["ink-soft"], linewidth=0.8)
    axes.set_xlabel("mean activation (in brackets: share it fires on)")


def _history(axes: Axes, neuron: Neuron) -> None:
    moments = neuron.life.moments
    axes.set_xlabel("step")
    axes.set_ylabel("share of samples it fires on")
    axes.set_ylim(-0.03, 1.03)
    if not moments:
        axes.text(
            0.5,
            0.5,
            "its history is not known:\nthe training was not watched",
            ha="center",
            va="center",
            transform=axes.transAxes,
            fontsize=9,
        )
        return
    axes.plot(
        [moment.step for moment in moments],
        [moment.firing for moment in moments],
        color=current_palette()["expected"],
        marker=".",
        linewidth=1,
    )
    colours = current_palette()
    for step, what in neuron.life.events[:12]:
        axes.axvline(
            step,
            color=colours["expected" if what == "silent" else "observed"],
            linewidth=0.8,
            linestyle=":",
        )
    axes.set_title(
        "its history"
        + (" (dotted: blue falls silent, orange fires)" if neuron.life.events else ""),
    )


def _by_sign(values: Sequence[float]) -> list[str]:
    colours = current_palette()
    return [colours["observed" if value > 0 else "expected"] for value in values]
