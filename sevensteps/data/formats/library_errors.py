"""What an error of another library says, in short, for a message of ours."""

from __future__ import annotations

import textwrap


def short_reason(failure: BaseException) -> str:
    """The text of `failure` in at most 160 characters, or the name of its type."""
    if "allow_pickle" in str(failure):
        return "it holds Python objects, which could run code; save numbers or texts"
    return textwrap.shorten(str(failure), 160, placeholder=" …") or type(failure).__name__
