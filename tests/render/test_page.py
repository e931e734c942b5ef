"""What nobody has registered has no page, and shows itself as it is printed."""

from __future__ import annotations

import pytest

from sevensteps.errors import ArgumentError
from sevensteps.render.page import notebook_bundle, write_page


def test_what_has_no_page() -> None:
    with pytest.raises(ArgumentError, match="no page about a int"):
        write_page(3, "a.html")
    assert notebook_bundle(3) == {"text/plain": "3"}
