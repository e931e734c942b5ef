"""How much memory samples may take, against the kernel's own numbers."""

from __future__ import annotations

import os

import pytest

from sevensteps.data.streaming import memory_limit
from sevensteps.data.streaming.memory_limit import (
    COPIES,
    available_memory,
    bytes_allowed,
    fits_in_memory,
    page_faults,
)
from sevensteps.errors import ArgumentError


def test_megabytes_are_those_given_or_three_quarters_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert bytes_allowed(1.5) == 1_500_000
    monkeypatch.setattr(memory_limit, "available_memory", lambda: 1000)
    assert bytes_allowed(None) == 750
    with pytest.raises(ArgumentError, match="memory must be above 0"):
        bytes_allowed(0)


def test_samples_fit_with_all_their_float32_copies() -> None:
    needed = 4 * 10 * 3 * 8 * 8 * COPIES
    assert fits_in_memory((10, 3, 8, 8), needed)
    assert not fits_in_memory((10, 3, 8, 8), needed - 1)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not say")
def test_no_more_is_available_than_the_machine_has() -> None:
    assert 0 < available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_limit_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (0, 0))  # less than is in use
    assert available_memory() == 0


def test_page_faults_only_grow() -> None:
    first = page_faults()
    assert 0 <= first <= page_faults()
