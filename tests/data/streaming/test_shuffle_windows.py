"""Reading ahead: what fails is raised where its result is wanted."""

from __future__ import annotations

import itertools
import threading

import pytest

from sevensteps.data.streaming.shuffle_windows import read_ahead
from sevensteps.errors import DataError


def test_what_fails_while_reading_ahead_is_raised_where_it_is_wanted() -> None:
    def fail() -> int:
        raise DataError("gone")

    results = read_ahead([lambda: 1, lambda: 2, fail])
    assert list(itertools.islice(results, 2)) == [1, 2]
    with pytest.raises(DataError, match=r"^gone$"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]
