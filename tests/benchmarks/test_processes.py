"""The arithmetic of the tables on several processes, on made-up times."""

from __future__ import annotations

import pytest

from benchmarks.scale.processes import duration, fit, ring, simulated, volume


def test_latency_and_bandwidth_are_found_again() -> None:
    latency, bandwidth = fit(
        {size: 1e-4 + 4 * size / 2e9 for size in (10, 1000, 100_000, 10_000_000)}
    )
    assert latency == pytest.approx(1e-4)
    assert bandwidth == pytest.approx(2e9)


def test_a_step_is_compute_and_communication() -> None:
    assert simulated(1.0, 1, 1e9, 0.5, 1e9) == 1.0
    assert simulated(1.0, 4, 1e9, 0.5, 1e9) == 0.25 + 0.5 + 1.0


def test_a_ring_sends_almost_twice_the_vector() -> None:
    assert ring(2, 1e9, 1e9, 0.0) == 1.0
    assert ring(1000, 1e9, 1e9, 0.0) == pytest.approx(2.0, rel=2e-3)
    assert ring(3, 0, 1e9, 0.5) == 2.0
    assert (volume(2, 1e6), volume(8, 4e9), duration(0.01234), duration(140.0)) == (
        "1 MB",
        "7 GB",
        "12 ms",
        "140 s",
    )
