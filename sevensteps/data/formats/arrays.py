"""Data from arrays of your own: NumPy, PyTorch or lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy
import torch
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.build import build
from sevensteps.data.dataset import Data
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.streaming.streamed import Streamed
from sevensteps.errors import ArgumentError, DataError, ShapeError
from sevensteps.seeds import generator

Form = Literal["classes", "columns"]


def from_arrays(
    x: Any,
    y: Any,
    *,
    valid: float | tuple[Any, Any] | None = 0.2,
    classes: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    scale: str = "none",
    target_scale: str = "none",
    seed: int = 0,
    name: str = "arrays",
) -> Data:
    """`Data` from inputs `x` and targets `y`, each a NumPy array, a tensor or nested lists.

    Inputs: `[N, F]` or `[N]` numbers of a table, `[N, H, W]` or `[N, 1 or 3, H, W]` pixels of
    images. Targets: whole numbers, booleans or texts `[N]` are classes, as are rows that all hold
    exactly one 1 (one-hot); other rows of 0 and 1 are labels that can hold together; floats are
    values to regress on, unless all are 0 or 1, which are two classes. `valid` is a validation part
    `(x, y)`, or the share of the samples to split off (each class alike), or None: the training
    samples judge too. `classes` names the classes: of whole numbers in the order 0, 1, …, of texts
    all that are to be known.

    >>> data = from_arrays([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"], valid=None)
    >>> data.task.classes, data.train.y[:, 0].tolist()
    (('high', 'low'), [1.0, 1.0, 0.0, 0.0])

    Raises `DataError` where nothing could be learned, `ShapeError` for shapes that fit nothing
    above."""
    one_of("scale", scale, SCALINGS)
    one_of("target_scale", target_scale, ("none", "standardize"))
    draw = generator(whole("seed", seed), "split")
    held_out = isinstance(valid, tuple | list)
    pairs = [(x, y), tuple(valid)] if held_out else [(x, y)]  # type: ignore[arg-type]
    if any(len(pair) != 2 for pair in pairs):
        raise ArgumentError("valid must be a pair (x, y), a share such as 0.2, or None")
    inputs = [_inputs(name, pair[0]) for pair in pairs]
    targets, names = _targets(
        name, [pair[1] for pair in pairs], None if classes is None else tuple(map(str, classes))
    )
    if features is not None and len(features) != inputs[0].shape[1]:
        raise DataError(
            f"{name}: {len(features)} feature names for {inputs[0].shape[1]} columns; give one "
            "for each"
        )
    judged = (inputs[-1], targets[-1]) if held_out or valid is None else None
    share = 0.2 if judged is not None else number("valid", valid, above=0, below=1)
    return build(
        name,
        inputs[0],
        targets[0],
        valid=judged,
        share=share,
        draw=draw,
        classes=names,
        scale=scale,
        features=tuple(map(str, features or ())),
        target_scale=target_scale,
        about="arrays of your own"
        + ("; trained and judged on the same samples" if valid is None else ""),
    )


def _inputs(name: str, x: Any) -> Tensor | Streamed:
    if isinstance(x, Streamed):
        return x
    found = _tensor(name, "inputs", x)
    if found.ndim == 1:
        return found[:, None]
    if found.ndim == 3:
        return found[:, None]
    if found.ndim == 2 or (found.ndim == 4 and found.shape[1] in (1, 3)):
        return found
    fix = (
        "; move the channels forward: x.permute(0, 3, 1, 2)"
        if found.ndim == 4 and found.shape[3] in (1, 3)
        else ""
    )
    raise ShapeError(
        f"{name}: inputs have shape {list(found.shape)}; give [samples, columns] for a table, "
        f"[samples, 1 or 3, height, width] for images{fix}"
    )


def _tensor(name: str, what: str, held: Any) -> Tensor:
    """`held` as real numbers, on the CPU, apart from any graph."""
    if isinstance(held, Tensor):
        found = held.detach().cpu()
    else:
        array = _array(name, what, held)
        if array.dtype.kind not in "biuf":
            raise DataError(f"{name}: the {what} are {array.dtype}; give numbers")
        if (
            array.dtype.kind == "u"
            and array.dtype.itemsize == 8
            and array.size
            and int(array.max()) >> 63
        ):
            raise DataError(
                f"{name}: the {what} reach {int(array.max())}, more than 2^63; give them as floats"
            )
        # PyTorch holds no byte-swapped and few unsigned numbers; float64 holds all of their values
        # that matter here.
        if array.dtype not in ("u1", "?", "f4"):
            array = array.astype("f8" if array.dtype.kind == "f" else "i8")
        found = torch.from_numpy(
            numpy.array(array, order="C", copy=None if array.flags.writeable else True)
        )
    if found.is_complex():
        raise DataError(f"{name}: the {what} are {found.dtype}; give real numbers")
    return found


def _array(name: str, what: str, held: Any) -> numpy.ndarray:
    try:
        return numpy.asarray(held)
    except (ValueError, TypeError):
        raise DataError(
            f"{name}: the {what} cannot be made one array; give every row the same length"
        ) from None


def _targets(
    name: str, parts: list[Any], classes: tuple[str, ...] | None
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Raw targets as `build` takes them, all parts coded alike, and the names of the classes or
    labels.
    """
    if classes is not None and len(set(classes)) != len(classes):
        raise DataError(
            f"{name}: a class is named twice in {', '.join(classes)}; give each its own name"
        )
    if not any(isinstance(part, Tensor) for part in parts):
        arrays = [_array(name, "targets", part) for part in parts]
        if all(_are_texts(array) for array in arrays):
            return _texts(name, [array.astype(str) for array in arrays], classes)
    found = [_tensor(name, "targets", part) for part in parts]
    if any(part.ndim not in (1, 2) or (part.ndim == 2 and part.shape[1] == 0) for part in found):
        raise ShapeError(
            f"{name}: targets have shapes {', '.join(str(list(p.shape)) for p in found)}; give "
            "[samples] or "
            "[samples, columns]"
        )
    found = [part[:, 0] if part.ndim == 2 and part.shape[1] == 1 else part for part in found]
    if len({part.shape[1:] for part in found}) > 1:
        raise ShapeError(
            f"{name}: training targets have shape {list(found[0].shape)}, validation targets "
            f"{list(found[1].shape)}; give both the same columns"
        )
    zero_one = all(bool(((part == 0) | (part == 1)).all()) for part in found)
    if found[0].ndim == 2:
        if zero_one and all(bool((part.sum(1) == 1).all()) for part in found):
            columns = found[0].shape[1]
            return [part.long().argmax(1) for part in found], _named(
                name, classes, tuple(map(str, range(columns)))
            )
        labels = tuple(map(str, range(found[0].shape[1]))) if zero_one else ()
        return [part.double() for part in found], _named(name, classes, labels) if labels else ()
    if all(part.dtype == torch.bool for part in found):
        return [part.long() for part in found], _named(name, classes, ("False", "True"))
    if any(part.is_floating_point() for part in found) and not zero_one:
        if classes is None:
            return [part.double()[:, None] for part in found], ()
        if any(bool((part != part.double().floor()).any()) for part in found):  # nan too
            raise DataError(
                f"{name}: classes are named, but the targets are not all whole numbers; number "
                "the classes from 0"
            )
    return _whole(name, [part.long() for part in found], classes)


def _are_texts(array: numpy.ndarray) -> bool:
    """Texts, also as pandas holds them: Python objects."""
    return array.dtype.kind in "UST" or (
        array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat)
    )


def _texts(
    name: str, parts: list[numpy.ndarray], classes: tuple[str, ...] | None
) -> tuple[list[Tensor], tuple[str, ...]]:
    if any(part.ndim != 1 for part in parts):
        raise ShapeError(
            f"{name}: targets that are texts have shape {list(parts[0].shape)}; give one for each "
            "sample"
        )
    known = (
        classes
        if classes is not None
        else tuple(sorted({str(text) for part in parts for text in part}))
    )
    place = {text: index for index, text in enumerate(known)}
    for part in parts:
        for row, text in enumerate(part.tolist()):
            if text not in place:
                raise DataError(
                    f"{name}: the target '{text}' in row {row} is none of the classes "
                    f"{', '.join(known)}; "
                    "name it too"
                )
    return [
        torch.tensor([place[text] for text in part.tolist()], dtype=torch.int64) for part in parts
    ], known


def _whole(
    name: str, parts: list[Tensor], classes: tuple[str, ...] | None
) -> tuple[list[Tensor], tuple[str, ...]]:
    if (
        classes is not None
    ):  # their numbers are then places in `classes`, and are checked against it
        return parts, classes
    held = torch.unique(torch.cat(parts))
    if len(held) == sum(map(len, parts)) > 2:
        raise DataError(
            f"{name}: the {len(held)} targets are all different whole numbers, which are read as "
            "classes; "
            "give amounts as floats"
        )
    return [torch.searchsorted(held, part) for part in parts], tuple(
        str(number) for number in held.tolist()
    )


def _named(name: str, classes: tuple[str, ...] | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    if classes is not None and len(classes) != len(usual):
        raise DataError(
            f"{name}: {len(classes)} class names for {len(usual)} columns or values; give one for "
            "each"
        )
    return classes or usual
