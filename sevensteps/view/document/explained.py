"""What a page explains, computed beforehand: the worst samples, the chain rule of the largest
weight, the loss surface, and the words of the field with this run's numbers.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from sevensteps.explain.gradient.answer import Gradient
from sevensteps.explain.gradient.backward import Backward
from sevensteps.explain.questions import Explain
from sevensteps.explain.sample.answer import Sample
from sevensteps.explain.sample.worst_and_best import Samples
from sevensteps.explain.surface.answer import Surface
from sevensteps.explain.words.answer import Words
from sevensteps.view.document.data_part import sample_document
from sevensteps.view.document.numbers import WORDS, finite, pack_matrix

Document = dict[str, Any]
WORST, OUTPUTS, LINKS = 12, 24, 24
NOTABLE = 1e-3  # of the largest gradient: less explains nothing


def worst_document(explain: Explain) -> list[Document]:
    """The worst validation samples, each with the numbers of `explain sample` and `gradient`."""
    ranked: Samples = explain.samples(worst=WORST)
    documents = []
    for entry in ranked.ranked:
        sample = explain.sample(entry.index, ranked.part)
        documents.append(sample_explained(sample))
        try:
            passed = explain.gradient(entry.index, part=ranked.part)
        except Exception as failure:  # a network without gradients still has samples
            documents[-1].setdefault("why", []).append(f"No gradient here: {failure}")
            continue
        if isinstance(passed, Backward):
            documents[-1]["layers"] = layer_gradients(passed)
    return documents


def sample_explained(sample: Sample) -> Document:
    """One sample with its answer, its outputs and why."""
    values = sample.input
    content: Document = {
        "sample": sample_document(
            sample.index, sample.part, values.raw, values.shape, values.names, values.highest
        ),
        "loss": finite(sample.loss),
        "truth": _answer_text(sample.truth),
        "answer": _answer_text(sample.answer),
        "outputs": [
            {
                "name": str(row.name),
                "output": finite(row.output),
                "probability": finite(row.probability),
                "target": finite(row.target),
                "gradient": finite(row.slope),
            }
            for row in _leading(sample)
        ],
        "why": list(sample.why),
    }
    if sample.right is not None:
        content["right"] = sample.right
    return content


def _leading(sample: Sample) -> list[Any]:
    """The outputs with the largest gradients, in their order."""
    rows = list(sample.rows)
    if len(rows) <= OUTPUTS:
        return rows
    order = sorted(rows, key=lambda row: -abs(row.slope or 0.0))[:OUTPUTS]
    return [row for row in rows if row in order]


def _answer_text(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{answer:.4g}"
    if isinstance(answer, tuple | list):
        return ", ".join(map(_answer_text, answer)) or "none"
    return str(answer)


def layer_gradients(passed: Backward) -> list[Document]:
    """The backward pass, layer by layer from the loss back."""
    return [
        {
            "name": layer.name,
            "kind": layer.kind,
            "gradient": finite(layer.slope),
            "factor": finite(layer.factor),
        }
        for layer in passed.layers
    ]


def chain_document(explain: Explain, sample: int) -> Document:
    """The chain rule of the largest weight for one validation sample. Raises `Error`."""
    name, place = _largest_weight(explain, sample)
    answer = explain.gradient(sample, name, place)
    assert isinstance(answer, Gradient)
    return gradient_document(answer)


def _largest_weight(explain: Explain, sample: int) -> tuple[str, list[int]]:
    """The name and the place of the largest weight among those whose gradient is not next to
    nothing for this sample.
    """
    passed = explain.gradient(sample)
    assert isinstance(passed, Backward)
    gradients = passed.gradients
    least = NOTABLE * max((float(slope.abs().max()) for slope in gradients.values()), default=0.0)
    sizes = {
        name: torch.where(gradients[name].abs() > least, parameter.detach().abs().cpu(), 0.0)
        for name, parameter in explain.subject.network.named_parameters()
        if parameter.dim() > 1 and name in gradients
    }
    name = max(sizes, key=lambda name: float(sizes[name].max()))
    place = torch.unravel_index(sizes[name].argmax(), sizes[name].shape)
    return name, [int(index) for index in place]


def gradient_document(answer: Gradient) -> Document:
    """One gradient, factor by factor along its strongest path, checked by two other means."""
    links: list[Document] = []
    running = 1.0
    factors = answer.paths[0].factors if answer.paths else ()
    for factor in factors[:LINKS]:
        running *= factor.value
        links.append(
            {
                "name": f"∂{factor.of}/∂{factor.by}",
                "formula": factor.why,
                "value": finite(factor.value),
                "running": finite(running),
            }
        )
    checks = [
        ("chain rule", answer.chain_rule),
        ("autograd", answer.autograd),
        ("finite differences", answer.finite_difference),
    ]
    return {
        "parameter": answer.name,
        "sentence": _chain_sentence(answer),
        "links": links,
        "checks": [
            {"name": name, "value": finite(value)} for name, value in checks if value is not None
        ],
    }


def _chain_sentence(answer: Gradient) -> str:
    place = f"{answer.part} sample {answer.sample:,}"
    start = f"{answer.name} is {answer.value:.4g}, and its gradient for {place} is "
    start += f"{answer.autograd:.4g}"
    if not answer.paths:
        return start + (f". {answer.lacking}" if answer.lacking else ".")
    path = answer.paths[0]
    ways = "" if answer.ways is None else f" of {answer.ways:,}"
    return f"{start}. The strongest path{ways} from the loss back to it carries {path.share:.0%}."


def surface_document(answer: Surface) -> Document:
    """A slice of the loss surface with the path of the training. Raises `ValueError` without."""
    plane = answer.plane
    if plane is None:
        raise ValueError("no slice was computed: it would take more than a few seconds")
    notes = []
    if plane.share is not None:
        notes.append(
            f"{plane.share:.1%} of the squared distance from start to end lies in this slice"
            + ("." if plane.again else "; of the path only its ends are known.")
        )
    if answer.stable < float("inf"):
        notes.append(
            f"The steepest direction has curvature {answer.eigenvalues[0]:.4g}: plain SGD is "
            f"stable up to a learning rate of {answer.stable:.3g}."
        )
    notes.append(f"Computed on {plane.samples:,} of {answer.total:,} training samples.")
    return {
        "names": list(plane.names),
        "across": [finite(value) for value in plane.across],
        "up": [finite(value) for value in plane.up],
        "losses": pack_matrix(plane.losses, "log"),
        "path": [
            {"step": step, "across": finite(across), "up": finite(up)}
            for step, across, up in plane.path
        ],
        "notes": notes,
    }


def words_document(answer: Words) -> list[Document]:
    """The glossary, each word with this run's own numbers where it has some."""
    words = []
    for entry in answer.entries[:WORDS]:
        content: Document = {"word": entry.word, "definition": entry.definition}
        if entry.example:
            content["example"] = entry.example
        if forms := _forms(entry.word):
            content["forms"] = forms
        words.append(content)
    return words


def _forms(word: str) -> list[str]:
    """The plural under which a word stands in texts; none of words that are no plain nouns."""
    if not re.fullmatch(r"[a-z]+( [a-z]+)?", word) or word.endswith("s"):
        return []
    return [word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"]
