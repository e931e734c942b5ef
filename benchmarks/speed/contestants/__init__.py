"""The contestants, a file each: `train(trial)` trains as that library's users would, by its fast
way for data in memory.

It returns `seconds_per_epoch` (the first is the warm-up), `losses` (mean training loss of each
epoch), `accuracy` on the test part and `version`. Data are in memory before the clock starts, and
the test part is judged outside it."""

from __future__ import annotations

from pathlib import Path

NAMES = tuple(
    sorted(
        file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("__")
    )
)
