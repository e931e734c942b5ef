"""What can be shown as a page: how it is written, and how a notebook shows it.

How is registered for a class by whoever draws pages, which stands above the classes themselves.
"""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

from sevensteps.errors import ArgumentError


@singledispatch
def write_page(subject: object, path: Path | str) -> Path:
    """Write a page about `subject` that opens anywhere, and return its path. One function a class.

    Raises `ArgumentError` for a file that is no .html, and `RunError` where it cannot be written.
    """
    raise ArgumentError(f"there is no page about a {type(subject).__name__}")


@singledispatch
def notebook_bundle(subject: object) -> dict[str, Any]:
    """What a notebook shows of `subject`, by MIME type. One function a class."""
    return {"text/plain": repr(subject)}
