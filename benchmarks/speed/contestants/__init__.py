"""The contestants, a file each, as that library's users would train, by its fast way for data in
memory.

`train(trial)` is timed epoch by epoch: it returns `seconds_per_epoch` (the first is the warm-up),
`losses` (mean training loss of each epoch), `accuracy` on the test part and `version`. Nothing but
the training is on the clock.

`whole_call(trial)` returns a function without arguments, which is timed from its call to its
return: the library's own `fit` with its usual settings, from a new network to the accuracies on the
test part after each epoch, which it returns as `accuracies` beside `version`. Data are in memory,
in the library's own form, before."""

from __future__ import annotations

from pathlib import Path

NAMES = tuple(
    sorted(
        file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("__")
    )
)


class Skipped(Exception):
    """A contestant cannot take part here; the message says why."""
