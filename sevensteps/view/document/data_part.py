"""The data of a training: parts, classes, scale, duplicates, and some samples to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sevensteps.data import Data
from sevensteps.view.document.numbers import SAMPLES, facts, finite, number_text, pack_matrix, prose

Document = dict[str, Any]
SHOWN = 12  # samples of the training part
CLASSES, FEATURES, BINS = 200, 30, 24
NOISE = 1e-7
LARGEST_SIDE = 64  # pixels of a picture; larger ones are shown smaller
PARTS = {"train": "training", "valid": "validation"}


def data_document(data: Data, summary: Mapping[str, Any]) -> Document:
    """What the data are, with samples; `summary` is what run.json says of them."""
    known = data.facts()
    content = stored_data_document(summary)
    content["facts"] = _facts(known)
    if known["notes"]:
        content["notes"] = [str(note) for note in known["notes"][:20]]
    if classes := _classes(known):
        content["classes"] = classes
    elif isinstance(data.train.y, Tensor):
        content["histograms"] = [_histogram("targets", data.target_scaling.undo(data.train.y))]
    if isinstance(data.train.x, Tensor):
        content["samples"] = _samples(data)
    return content


def stored_data_document(summary: Mapping[str, Any]) -> Document:
    """What run.json says of the data, without the data themselves."""
    task = summary.get("task", {})
    rows = [("task", prose(str(task.get("reason", "")))), ("duplicates", _duplicates(summary))]
    return {
        "source": str(summary.get("source", "")),
        "parts": [
            {"name": title, "samples": int(summary[part])}
            for part, title in PARTS.items()
            if isinstance(summary.get(part), int)
        ],
        "facts": facts(rows),
    }


def _duplicates(facts: Mapping[str, Any]) -> str:
    count = facts.get("duplicates")
    if count is None:
        return ""
    return (
        "no validation sample is among the training samples"
        if not count
        else f"{count:,} validation samples are among the training samples, too"
    )


def _facts(known: Mapping[str, Any]) -> list[Document]:
    train = known["train"]
    inputs = dict(train["inputs"])
    if abs(inputs["mean"]) < NOISE * inputs["std"]:
        inputs["mean"] = 0.0
    spread = "from {min:.4g} to {max:.4g}, mean {mean:.4g}, standard deviation {std:.4g}"
    rows = [
        ("shape of a sample", " × ".join(map(str, known["shape"]))),
        ("kind", f"{known['kind']}, {known['dtype']}"),
        ("task", prose(known["task"]["reason"])),
        ("scaling", str(known["scaling"]["name"])),
        ("inputs as the network gets them", prose(spread.format(**inputs))),
        ("inputs that never vary", _constant(known)),
        ("duplicates", _duplicates(known)),
    ]
    if "targets" in train:
        rows.append(("targets as the network gets them", prose(spread.format(**train["targets"]))))
    return facts(rows)


def _constant(facts: Mapping[str, Any]) -> str:
    constant, zero = facts["constant_inputs"], facts["always_zero_inputs"]
    if not constant:
        return ""
    return f"{constant:,} of {facts['inputs']:,}" + (f", {zero:,} of them always 0" if zero else "")


def _classes(facts: Mapping[str, Any]) -> list[Document]:
    by_part = {
        title: facts[part].get("classes", facts[part].get("labels", {}))
        for part, title in PARTS.items()
    }
    names = list(dict.fromkeys(name for classes in by_part.values() for name in classes))
    return [
        {
            "name": str(name),
            "count": {
                title: int(classes.get(name, {"count": 0})["count"])
                for title, classes in by_part.items()
            },
        }
        for name in names[:CLASSES]
    ]


def _histogram(name: str, values: Tensor) -> Document:
    numbers = values.detach().double().flatten().cpu().numpy()
    counts, edges = np.histogram(numbers[np.isfinite(numbers)], bins=BINS)
    return {
        "name": name,
        "edges": [finite(edge) for edge in edges.tolist()],
        "counts": [counts.tolist()],
    }


def _samples(data: Data) -> list[Document]:
    part = data.train
    labels = data.task.classes
    chosen = range(min(SHOWN, len(part), SAMPLES))
    samples = []
    for index in chosen:
        raw = data.scaling.undo(part.x[index : index + 1].double())[0]
        target = part.y[index].flatten()
        label = ""
        if data.task.kind in ("binary", "multiclass") and len(target) == 1:
            label = str(labels[int(target[0])])
        elif data.task.kind == "regression" and len(target) == 1:
            target = data.target_scaling.undo(part.y[index : index + 1]).flatten()
            label = number_text(float(target[0]))
        samples.append(
            sample_document(
                index,
                "train",
                raw.flatten().tolist(),
                tuple(raw.shape),
                data.features,
                data.highest,
                label,
            )
        )
    return samples


def sample_document(
    index: int,
    part: str,
    raw: Sequence[float],
    shape: tuple[int, ...],
    names: Sequence[str],
    highest: float | None,
    label: str = "",
) -> Document:
    """A sample as a picture, where it is an image, else as named numbers."""
    content: Document = {"index": index, "part": PARTS.get(part, part)}
    if label:
        content["label"] = label
    if len(shape) == 3:
        values = torch.tensor(raw, dtype=torch.float64).reshape(shape)
        content["picture"] = pictures(values.mean(0, keepdim=True), highest=highest)
    else:
        # what scaling and its undoing left of a 0
        noise = NOISE if max(map(abs, raw), default=0.0) > 1e4 * NOISE else 0.0
        content["features"] = [
            {
                "name": str(names[i]) if i < len(names) else f"input {i}",
                "value": 0.0 if abs(value) < noise else finite(value),
            }
            for i, value in enumerate(raw[:FEATURES])
        ]
    return content


def pictures(values: Tensor, *, signed: bool = False, highest: float | None = None) -> Document:
    """Grey pictures [count, height, width]; those of weights have 0 in the middle of the colours.

    `highest` is the raw value of a fully lit pixel.
    """
    side = max(values.shape[-2:])
    if side > LARGEST_SIDE:
        factor = math.ceil(side / LARGEST_SIDE)
        values = torch.nn.functional.avg_pool2d(values[:, None], factor, ceil_mode=True)[:, 0]
    count, height, width = values.shape
    table = values.reshape(count * height, width).double().numpy()
    if highest is not None:
        # two corners more, cut off again, bring the scale of the bytes to that of the pixels
        packed = pack_matrix(np.vstack([table, [[0.0] * width], [[highest] * width]]))
        packed = _cut_rows(packed, len(table))
    else:
        packed = pack_matrix(table)
    content: Document = {"count": count, "height": height, "width": width, "pixels": packed}
    if signed:
        content["signed"] = True
    return content


def _cut_rows(packed: Document, rows: int) -> Document:
    import base64

    data = base64.b64decode(packed["data"])[: rows * packed["columns"]]
    return {**packed, "rows": rows, "data": base64.b64encode(data).decode()}
