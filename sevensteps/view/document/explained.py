"""What a page explains, computed beforehand: the worst samples, the chain rule of one
weight, the loss surface, and the words of the field with this run's numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from sevensteps.explain.gradient.answer import Gradient
from sevensteps.explain.gradient.backward import Backward
from sevensteps.explain.questions import Explain
from sevensteps.explain.sample.answer import Sample
from sevensteps.explain.sample.worst_and_best import Samples
from sevensteps.explain.surface.answer import Surface
from sevensteps.explain.words.answer import Words
from sevensteps.view.document.data_part import PARTS, sample_document
from sevensteps.view.document.numbers import WORDS, finite, number_text, pack_matrix

Document = dict[str, Any]
WORST, OUTPUTS, LINKS = 12, 24, 24
SAMPLES_TRIED = 4  # for a chain rule that says something
PLAIN_RATE = re.compile(r"sgd\(lr=([\d.e-]+)\)")


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
        return number_text(answer)
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


def chain_document(explain: Explain, samples: Sequence[int]) -> Document:
    """The chain rule of one weight for one of these validation samples, the first that has one that
    says something. Raises `Error`, and `ValueError` where every gradient is 0.
    """
    for sample in samples[:SAMPLES_TRIED]:
        passed = explain.gradient(sample)
        assert isinstance(passed, Backward)
        for name, place in _telling_weights(explain, passed):
            answer = explain.gradient(sample, name, place)
            assert isinstance(answer, Gradient)
            if answer.paths and answer.autograd:
                return gradient_document(answer, _why_this_weight(passed, name))
    raise ValueError(
        "For the worst samples the gradient of every weight is 0: there is nothing to multiply."
    )


def _why_this_weight(passed: Backward, name: str) -> str:
    layer = name.rpartition(".")[0] or name
    weights = [other for other, slope in passed.gradients.items() if slope.dim() > 1]
    reached = "" if weights[0] == name else " that its gradient reaches"
    return (
        f"It was chosen because it has the largest gradient of all weights of {layer}, the layer "
        f"farthest from the loss{reached}"
    )


def _telling_weights(explain: Explain, passed: Backward) -> Iterator[tuple[str, list[int]]]:
    """In each layer the weight with the largest gradient, from the layer that is farthest from the
    loss on: its chain has the most factors. Layers that no gradient reaches are left out, and those
    so far away that their chain would be cut.
    """
    weights = [
        (name, passed.gradients[name].abs())
        for name, parameter in explain.subject.network.named_parameters()
        if parameter.dim() > 1 and name in passed.gradients
    ]
    for name, sizes in weights[-LINKS // 2 :]:
        if float(sizes.max()) > 0:
            place = numpy.unravel_index(int(sizes.argmax()), sizes.shape)
            yield name, [int(index) for index in place]


def gradient_document(answer: Gradient, why: str = "") -> Document:
    """One gradient, factor by factor along its strongest path, checked by two other means.

    `why`: the reason for which this weight was chosen.
    """
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
        "sentence": _chain_sentence(answer, why),
        "links": links,
        "checks": [
            {"name": name, "value": finite(value)} for name, value in checks if value is not None
        ],
    }


def _chain_sentence(answer: Gradient, why: str) -> str:
    place = f"{PARTS.get(answer.part, answer.part)} sample {answer.sample:,}"
    text = f"{answer.name} is {number_text(answer.value)}, and its gradient for {place} is "
    text += number_text(answer.autograd)
    text += f". {why}" if why else ""
    if not answer.paths:
        return text + (f". {answer.lacking}" if answer.lacking else ".")
    if answer.ways == 1:
        return f"{text}. One path leads from the loss back to it."
    of = "" if answer.ways is None else f" of {answer.ways:,}"
    product = number_text(math.prod(factor.value for factor in answer.paths[0].factors))
    return (
        f"{text}. The strongest path{of} from the loss back to it is shown: it gives {product}, "
        "and all together give the gradient."
    )


def surface_document(answer: Surface, step: str = "") -> Document:
    """A slice of the loss surface with the path of the training; `step` is the notation of step 5.

    Raises `ValueError` where there is no slice.
    """
    plane = answer.plane
    if plane is None:
        raise ValueError("no slice was computed: it would take more than a few seconds")
    notes = []
    if plane.share is not None:
        share = "Less than 0.1 %" if plane.share < 1e-3 else f"{100 * plane.share:.1f} %"
        rest = "the rest leads out of the picture." if plane.again else "only its ends are known."
        notes.append(f"{share} of the way from start to end, squared, lies in this slice; {rest}")
    if answer.stable < float("inf"):
        curvature, stable = number_text(answer.eigenvalues[0], 3), number_text(answer.stable, 3)
        rate = PLAIN_RATE.fullmatch(step)
        notes.append(
            f"Along the steepest direction the curvature is {curvature}: plain SGD is stable there "
            f"up to a learning rate of {stable}"
            + (f", and this training used {number_text(float(rate[1]))}." if rate else ".")
        )
    notes.append(f"Computed on {plane.samples:,} of {answer.total:,} training samples.")
    return {
        "names": [name.replace(", λ ", ", curvature ") for name in plane.names],
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
