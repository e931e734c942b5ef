"""The questions about a run, a folder each, answered with its own numbers."""

from __future__ import annotations
