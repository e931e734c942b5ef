"""The encoding of a table's columns is itself after it was stored."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sevensteps.data.table.column_encoding import Column, Encoding


@given(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=12))
def test_an_encoding_is_itself_after_json(texts: list[str]) -> None:
    encoding = Encoding(
        (
            Column("a", "category", tuple(texts), 0.0),
            Column("b", "number", (), 0.1),
            Column("c", "date"),
        )
    )
    assert Encoding.from_dict(json.loads(json.dumps(encoding.to_dict()))) == encoding
