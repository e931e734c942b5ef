"""The largest report that is promised to respond at once: 20 layers × 256 looks × 5,000 units and
100,000 steps, with weights, histograms and a confusion matrix at every look.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sevensteps.view.document.curves import curve
from sevensteps.view.document.looks import CELLS, KINDS
from sevensteps.view.document.numbers import ROWS, SCHEMA, group_rows, pack_matrix
from sevensteps.view.report import write_report

LAYERS, LOOKS, UNITS, STEPS, CLASSES = 20, 256, 5_000, 100_000, 10
MEASURED = ("signal", "gradient", "update")


def large_document() -> dict[str, Any]:
    """A document of that size, its numbers drawn."""
    draw = np.random.default_rng(0)
    steps = [round(step) for step in np.linspace(0, STEPS - 1, LOOKS)]
    kinds = [kind for kind in KINDS if kind.id in MEASURED]
    rows = min(ROWS, CELLS // (LAYERS * len(kinds) * LOOKS))
    layers = []
    for number in range(LAYERS):
        table = np.exp(draw.normal(size=(UNITS, LOOKS)) * 0.3 - number / 4)
        grouped, width = group_rows(table, rows)
        packed = {kind.id: pack_matrix(grouped, kind.scale) for kind in kinds}
        layers.append(
            {
                "name": f"blocks.{number}.linear",
                "kind": "Linear",
                "units": UNITS,
                "over": packed,
                "rows": f"the mean of {width} units",
            }
        )
    summary = np.exp(-np.arange(LAYERS)[:, None] / 4 + draw.normal(size=(LAYERS, LOOKS)) * 0.1)
    quantities = [
        {
            "id": kind.id,
            "name": kind.name,
            "unit": kind.unit,
            "meaning": kind.meaning,
            "summary": pack_matrix(summary, kind.scale),
        }
        for kind in kinds
    ]
    losses = 2 / (1 + np.arange(STEPS) / 5_000) + 0.1 * draw.random(STEPS)
    validation = 2.2 / (1 + np.arange(STEPS) / 5_000) + 0.1 * draw.random(STEPS)
    accuracy = 1 - 0.9 / (1 + np.arange(STEPS) / 5_000)
    curves = [
        {**curve(name, group, list(enumerate(values.tolist()))), "group": group}
        for name, group, values in (
            ("training loss", "loss", losses),
            ("validation loss", "loss", validation),
            ("validation accuracy", "accuracy", accuracy),
        )
    ]
    edges = np.linspace(-1, 1, 31)
    histograms = [
        {
            "name": f"weights of blocks.{number}",
            "edges": edges.tolist(),
            "counts": [
                np.histogram(draw.normal(size=2_000) / 4, edges)[0].tolist() for _ in range(LOOKS)
            ],
        }
        for number in range(4)
    ]
    confusion = {
        "part": "validation",
        "classes": [str(name) for name in range(CLASSES)],
        "steps": steps,
        "counts": draw.integers(0, 40, size=(LOOKS, CLASSES, CLASSES)).tolist(),
    }
    weights = {
        "layer": "blocks.0.linear",
        "at": [
            {
                "count": 24,
                "height": 8,
                "width": 8,
                "signed": True,
                "pixels": pack_matrix(draw.normal(size=(24, 64)), "linear"),
            }
            for _ in range(LOOKS)
        ],
    }
    return {
        "schema": SCHEMA,
        "kind": "watched",
        "title": "large",
        "version": "0",
        "curves": curves,
        "looks": {
            "steps": steps,
            "loss": [float(losses[step]) for step in steps],
            "layers": layers,
            "quantities": quantities,
            "weights": weights,
            "histograms": histograms,
            "confusion": confusion,
        },
    }


def large(folder: Path) -> Path:
    """The report of that document."""
    return write_report(large_document(), folder / "report.html")
