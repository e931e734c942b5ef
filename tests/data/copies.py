"""Data with validation samples that are copies of training samples."""

from __future__ import annotations

import numpy as np

import sevensteps as ss


def with_copies(copies: int, valid: int = 20) -> ss.data.Data:
    """40 training samples, and `valid` others of which so many are copies."""
    x = np.random.default_rng(0).normal(size=(40 + valid, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    judged = (
        np.concatenate([x[:copies], x[40 : 40 + valid - copies]]),
        np.concatenate([y[:copies], y[40 : 40 + valid - copies]]),
    )
    return ss.data.from_arrays(x[:40], y[:40], valid=judged, scale="standardize")
