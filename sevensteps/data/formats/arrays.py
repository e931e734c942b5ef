"""`Data` from arrays of your own: NumPy, PyTorch or lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import torch
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.inputs import Inputs
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.errors import ArgumentError, DataError, ShapeError
from sevensteps.seeds import generator


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
    above.
    """
    one_of("scale", scale, SCALINGS)
    one_of("target_scale", target_scale, ("none", "standardize"))
    split_generator = generator(whole("seed", seed), "split")
    has_valid_part = isinstance(valid, tuple | list)
    pairs = [(x, y), tuple(valid)] if has_valid_part else [(x, y)]  # type: ignore[arg-type]
    if any(len(pair) != 2 for pair in pairs):
        raise ArgumentError("valid must be a pair (x, y), a share such as 0.2, or None")
    inputs = [_to_inputs(name, pair[0]) for pair in pairs]
    targets, names = _encode_targets(
        name, [pair[1] for pair in pairs], None if classes is None else tuple(map(str, classes))
    )
    if features is not None and len(features) != inputs[0].shape[1]:
        raise DataError(
            f"{name}: {len(features)} feature names for {inputs[0].shape[1]} columns; give one "
            "for each"
        )
    valid_part = (inputs[-1], targets[-1]) if has_valid_part or valid is None else None
    share = 0.2 if valid_part is not None else number("valid", valid, above=0, below=1)
    return build_data(
        name,
        inputs[0],
        targets[0],
        valid=valid_part,
        share=share,
        split_generator=split_generator,
        classes=names,
        scale=scale,
        features=tuple(map(str, () if features is None else features)),
        target_scale=target_scale,
        about="arrays of your own"
        + ("; trained and validated on the same samples" if valid is None else ""),
    )


def _to_inputs(name: str, x: Any) -> Inputs:
    """`x` as [N, F] or [N, C, H, W]."""
    if isinstance(x, StreamedInputs):
        return x
    tensor = _to_tensor(name, "inputs", x)
    if tensor.ndim in (1, 3):
        return tensor[:, None]
    if tensor.ndim == 2 or (tensor.ndim == 4 and tensor.shape[1] in (1, 3)):
        return tensor
    fix = (
        "; move the channels forward: x.permute(0, 3, 1, 2)"
        if tensor.ndim == 4 and tensor.shape[3] in (1, 3)
        else ""
    )
    raise ShapeError(
        f"{name}: inputs have shape {list(tensor.shape)}; give [samples, columns] for a table, "
        f"[samples, 1 or 3, height, width] for images{fix}"
    )


def _to_tensor(name: str, what: str, values: Any) -> Tensor:
    """`values` as real numbers, on the CPU, apart from any graph."""
    if isinstance(values, Tensor):
        tensor = values.detach().cpu()
    else:
        array = _to_array(name, what, values)
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
        tensor = torch.from_numpy(
            numpy.array(array, order="C", copy=None if array.flags.writeable else True)
        )
    if tensor.is_complex():
        raise DataError(f"{name}: the {what} are {tensor.dtype}; give real numbers")
    return tensor


def _to_array(name: str, what: str, values: Any) -> numpy.ndarray:
    try:
        return numpy.asarray(values)
    except (ValueError, TypeError):
        raise DataError(
            f"{name}: the {what} cannot be made one array; give every row the same length"
        ) from None


def _encode_targets(
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
        arrays = [_to_array(name, "targets", part) for part in parts]
        if all(_are_texts(array) for array in arrays):
            return _encode_texts(name, [array.astype(str) for array in arrays], classes)
    y = [_to_tensor(name, "targets", part) for part in parts]
    if any(part.ndim not in (1, 2) or (part.ndim == 2 and part.shape[1] == 0) for part in y):
        raise ShapeError(
            f"{name}: targets have shapes {', '.join(str(list(p.shape)) for p in y)}; give "
            "[samples] or [samples, columns]"
        )
    y = [part[:, 0] if part.ndim == 2 and part.shape[1] == 1 else part for part in y]
    if len({part.shape[1:] for part in y}) > 1:
        raise ShapeError(
            f"{name}: training targets have shape {list(y[0].shape)}, validation targets "
            f"{list(y[1].shape)}; give both the same columns"
        )
    zero_one = all(bool(((part == 0) | (part == 1)).all()) for part in y)
    if y[0].ndim == 2:
        if zero_one and all(bool((part.sum(1) == 1).all()) for part in y):
            columns = y[0].shape[1]
            return [part.long().argmax(1) for part in y], _class_names(
                name, classes, tuple(map(str, range(columns)))
            )
        labels = tuple(map(str, range(y[0].shape[1]))) if zero_one else ()
        return [part.double() for part in y], _class_names(name, classes, labels) if labels else ()
    if all(part.dtype == torch.bool for part in y):
        return [part.long() for part in y], _class_names(name, classes, ("False", "True"))
    if any(part.is_floating_point() for part in y) and not zero_one:
        if classes is None:
            return [part.double()[:, None] for part in y], ()
        if any(bool((part != part.double().floor()).any()) for part in y):  # nan too
            raise DataError(
                f"{name}: classes are named, but the targets are not all whole numbers; number "
                "the classes from 0"
            )
    return _encode_whole_numbers(name, [part.long() for part in y], classes)


def _are_texts(array: numpy.ndarray) -> bool:
    """Texts, also as pandas holds them: Python objects."""
    return array.dtype.kind in "UST" or (
        array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat)
    )


def _encode_texts(
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
    class_of = {text: index for index, text in enumerate(known)}
    for part in parts:
        for row, text in enumerate(part.tolist()):
            if text not in class_of:
                raise DataError(
                    f"{name}: the target '{text}' in row {row} is none of the classes "
                    f"{', '.join(known)}; name it too"
                )
    return [
        torch.tensor([class_of[text] for text in part.tolist()], dtype=torch.int64)
        for part in parts
    ], known


def _encode_whole_numbers(
    name: str, parts: list[Tensor], classes: tuple[str, ...] | None
) -> tuple[list[Tensor], tuple[str, ...]]:
    # their numbers are then places in `classes`, and are checked against it
    if classes is not None:
        return parts, classes
    distinct = torch.unique(torch.cat(parts))
    if len(distinct) == sum(map(len, parts)) > 2:
        raise DataError(
            f"{name}: the {len(distinct)} targets are all different whole numbers, which are read "
            "as classes; give amounts as floats"
        )
    codes = [torch.searchsorted(distinct, part) for part in parts]
    return codes, tuple(str(number) for number in distinct.tolist())


def _class_names(
    name: str, classes: tuple[str, ...] | None, default: tuple[str, ...]
) -> tuple[str, ...]:
    if classes is not None and len(classes) != len(default):
        raise DataError(
            f"{name}: {len(classes)} class names for {len(default)} columns or values; give one "
            "for each"
        )
    return classes or default
