"""`book=True`: the steps that fastbook prints for its two trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sevensteps.data import Data
from sevensteps.errors import ArgumentError
from sevensteps.explain.why.published import BOOK_RECIPES


def with_book(data: Any, steps: Mapping[str, Any]) -> dict[str, Any]:
    """`steps`, and those of the book for the ones left out. Raises `ArgumentError` for other data.

    >>> with_book("speed", {"stop": "epochs(3)"})["step"]
    'sgd(lr=1e-5)'
    """
    source = data if isinstance(data, str) else data.source if isinstance(data, Data) else ""
    name = source.partition("(")[0].strip()
    if name not in BOOK_RECIPES:
        raise ArgumentError(
            f"book=True is for {' and '.join(map(repr, BOOK_RECIPES))}, whose training the book "
            "prints"
        )
    return {
        **BOOK_RECIPES[name],
        **{step: value for step, value in steps.items() if value is not None},
    }
