"""Checks the shapes in signatures while the tests run."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from beartype import beartype
from jaxtyping import AbstractArray


def has_shape(annotation: object) -> bool:
    """Whether `annotation` is or contains a shape such as `Float[Tensor, "B F"]`."""
    if inspect.isclass(annotation) and issubclass(annotation, AbstractArray):
        return True
    return any(has_shape(part) for part in typing.get_args(annotation))


def check_shapes(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, checked by beartype where its signature speaks of shapes, and nowhere else.

    Any other wrong argument must reach the package, which refuses it with a line for people; that
    line is tested."""
    function.__annotations__ = {
        name: kind for name, kind in function.__annotations__.items() if has_shape(kind)
    }
    checked: Callable[..., Any] = beartype(function)
    return checked
