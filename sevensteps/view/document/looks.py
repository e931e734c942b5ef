"""The layers over time: of each quantity a matrix of layers and looks, and of units and looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts, NetworkFacts
from sevensteps.view.document.numbers import (
    LAYERS,
    LOOKS,
    ROWS,
    Floats,
    finite,
    group_rows,
    pack_matrix,
)

CELLS = 700_000  # of the matrices of all layers together, a byte each
Measured = Callable[[Look, LayerFacts, Look | None], Tensor | None]  # the last: the look before


@dataclass(frozen=True)
class QuantityKind:
    """What is measured of a layer at a look: a number for each of its units, None where there is
    none. `total` makes one number of them, for each as much as its `weight` where it has one.
    """

    id: str
    name: str
    unit: str
    meaning: str
    measure: Measured
    total: Callable[[Floats, Floats], float]
    scale: str = "linear"
    expected: tuple[float | None, float | None] | None = None
    weight: Measured | None = None  # of each unit in the total


def _rms(values: Floats, weights: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _length(values: Floats, weights: Floats) -> float:
    return float(np.sqrt(np.sum(values**2)))


def _ratio(values: Floats, weights: Floats) -> float:
    """Of units whose ratios have these denominators, the ratio of the lengths of all together."""
    length = max(float(np.linalg.norm(weights)), 1e-12)
    return float(np.linalg.norm(values * weights)) / length


def _mean(values: Floats, weights: Floats) -> float:
    return float(np.mean(values))


def _all_silent(values: Floats, weights: Floats) -> float:
    return float(np.mean(values >= 1))


def _spread(look: Look, layer: LayerFacts, before: Look | None) -> Tensor | None:
    signal = look.signals.get(layer.name)
    return None if signal is None else signal.std


def _gradient(look: Look, layer: LayerFacts, before: Look | None) -> Tensor | None:
    signal = look.signals.get(layer.name)
    return None if signal is None else signal.gradient


def _update(look: Look, layer: LayerFacts, before: Look | None) -> Tensor | None:
    for name in layer.parameters:
        change, weights = look.changes.get(name), _weights(look, layer, before)
        if change is not None and change.update is not None and name.endswith("weight"):
            return None if weights is None else change.update / weights
    return None


def _weights(look: Look, layer: LayerFacts, before: Look | None) -> Tensor | None:
    for name in layer.parameters:
        change = look.changes.get(name)
        if change is not None and change.update is not None and name.endswith("weight"):
            # of the weights before the step: after one that is far too long they are as long as it
            known = before.changes.get(name) if before and before.step == look.step - 1 else None
            return (change.weight if known is None else known.weight).clamp(min=1e-12)
    return None


def _silent(look: Look, layer: LayerFacts, before: Look | None) -> Tensor | None:
    signal = look.signals.get(layer.name)
    if signal is None or layer.role != "activation" or not layer.function.rectifies:
        return None
    return 1 - signal.firing


def _flat(look: Look, layer: LayerFacts, before: Look | None) -> Tensor | None:
    signal = look.signals.get(layer.name)
    return None if signal is None else signal.flat


KINDS = (
    QuantityKind(
        "signal",
        "signal",
        "standard deviation over samples",
        "How much a unit's output differs between samples. A healthy network has about the same in "
        "every layer: what shrinks from layer to layer vanishes, what grows explodes.",
        _spread,
        _rms,
        "log",
    ),
    QuantityKind(
        "gradient",
        "gradient",
        "dL/d(output)",
        "How much the loss depends on a layer's output. Layers that get next to nothing learn "
        "nothing; a gradient that grows from step to step explodes.",
        _gradient,
        _length,
        "log",
    ),
    QuantityKind(
        "update",
        "update ratio",
        "length of the update / length of the weights",
        "By how much a step changed the weights of a layer, as a share of them. About 0.001 is "
        "usual; from 0.1 on a step overwrites what was learned.",
        _update,
        _ratio,
        "log",
        (None, 0.1),
        _weights,
    ),
    QuantityKind(
        "dead",
        "silent units",
        "share of samples on which a unit gives 0",
        "A unit that is silent on every sample of every batch is dead: no gradient passes it, and "
        "it does not come back. A layer that is often silent is sparse, and healthy. Of a layer: "
        "the share of its units that were silent on the whole batch.",
        _silent,
        _all_silent,
        "linear",
    ),
    QuantityKind(
        "saturated",
        "saturated units",
        "share of outputs within 1 % of the ends",
        "A sigmoid or tanh at its ends is flat: its slope is near 0, and the gradient vanishes on "
        "its way back through it.",
        _flat,
        _mean,
        "linear",
        (None, 0.7),
    ),
)


def looks_document(looks: Sequence[Look], facts: NetworkFacts) -> dict[str, Any] | None:
    """The looks at a training; None where there are none at layers."""
    looks = thin(looks, LOOKS)
    present = {name for look in looks for name in (*look.signals, *look.changes)}
    layers = [
        layer
        for layer in facts.layers.values()
        if layer.name in present or any(name in present for name in layer.parameters)
    ]
    if not looks or not layers:
        return None
    shown = thin(layers, LAYERS)
    tables = {
        kind.id: {layer.name: _table(looks, layer, kind.measure) for layer in shown}
        for kind in KINDS
    }
    count = sum(table is not None for by_layer in tables.values() for table in by_layer.values())
    rows = max(1, min(ROWS, CELLS // max(1, count * len(looks))))
    return {
        "steps": [look.step for look in looks],
        "loss": [finite(look.loss) for look in looks],
        "layers": [_layer(layer, tables, rows, looks) for layer in shown],
        "quantities": [
            _quantity(kind, tables[kind.id], shown, looks)
            for kind in KINDS
            if any(table is not None for table in tables[kind.id].values())
        ],
    }


def thin(rows: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the rows, evenly spaced, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place)] for place in np.linspace(0, len(rows) - 1, most)]


def _table(looks: Sequence[Look], layer: LayerFacts, measure: Measured) -> Floats | None:
    """[units, looks] of one quantity of one layer; None where it has none."""
    columns: list[Floats | None] = []
    for before, look in zip([None, *looks], looks, strict=False):
        values = measure(look, layer, before)
        columns.append(None if values is None else values.double().flatten().cpu().numpy())
    units = max((len(column) for column in columns if column is not None), default=0)
    if not units:
        return None
    table = np.full((units, len(looks)), math.nan)
    for number, column in enumerate(columns):
        if column is not None and len(column) == units:
            table[:, number] = column
    table[~np.isfinite(table)] = math.nan
    return table


def _layer(
    layer: LayerFacts, tables: Mapping[str, Mapping[str, Floats | None]], rows: int, looks: Any
) -> dict[str, Any]:
    over, units, width = {}, 0, 1
    for kind in KINDS:
        table = tables[kind.id][layer.name]
        if table is None:
            continue
        grouped, width_here = group_rows(table, rows)
        over[kind.id] = pack_matrix(grouped, kind.scale)
        units, width = max(units, len(table)), max(width, width_here)
    content = {"name": layer.name or layer.kind, "kind": layer.kind, "units": units, "over": over}
    if width > 1:
        content["rows"] = f"the mean of {width} units"
    return content


def _quantity(
    kind: QuantityKind,
    tables: Mapping[str, Floats | None],
    layers: Sequence[LayerFacts],
    looks: Sequence[Look],
) -> dict[str, Any]:
    summary = np.full((len(layers), len(looks)), math.nan)
    for row, layer in enumerate(layers):
        table = tables[layer.name]
        if table is not None:
            summary[row] = _totals(kind, table, looks, layer)
    content: dict[str, Any] = {
        "id": kind.id,
        "name": kind.name,
        "unit": kind.unit,
        "meaning": kind.meaning,
        "summary": pack_matrix(summary, kind.scale),
    }
    if kind.expected is not None:
        content["expected"] = list(kind.expected)
    return content


def _totals(
    kind: QuantityKind, table: Floats, looks: Sequence[Look], layer: LayerFacts
) -> list[float]:
    """One number of each column of a table [units, looks]; NaN where it has none."""
    weights = None if kind.weight is None else _table(looks, layer, kind.weight)
    if weights is None or weights.shape != table.shape:
        weights = np.ones_like(table)
    totals = []
    for values, own in zip(table.T, weights.T, strict=True):
        known = np.isfinite(values) & np.isfinite(own)
        totals.append(kind.total(values[known], own[known]) if known.any() else math.nan)
    return totals


def quantity_curves(
    looks: Sequence[Look], facts: NetworkFacts
) -> dict[str, dict[str, dict[str, Any]]]:
    """Each quantity over the steps, by its id and the layer, as evidence of a finding is drawn."""
    curves: dict[str, dict[str, dict[str, Any]]] = {}
    looks = thin(looks, LOOKS)
    for kind in KINDS:
        for layer in facts.layers.values():
            table = _table(looks, layer, kind.measure)
            if table is None:
                continue
            curve: dict[str, Any] = {
                "name": f"{kind.name} of {layer.name or layer.kind}",
                "unit": kind.unit,
                "steps": [look.step for look in looks],
                "values": [finite(total) for total in _totals(kind, table, looks, layer)],
            }
            if kind.expected is not None:
                curve["expected"] = list(kind.expected)
            if kind.scale == "log":
                curve["log"] = True
            curves.setdefault(kind.id, {})[layer.name] = curve
    return curves
