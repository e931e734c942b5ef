"""Reads samples of a script's data set at its end, as its DataLoader would give them: in limited
time, without a word, and with random numbers of its own.
"""

from __future__ import annotations

import contextlib
import io
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

from sevensteps.observe.script.loaders import BatchParts, Source
from sevensteps.observe.structure import joined, sample_count, spread_indices, tensors_of
from sevensteps.seeds import isolated_generators

MAX_SAMPLES = 2048
MAX_NUMBERS = 4_000_000  # of one tensor: 16 MB
CHUNK = 64  # samples that are collated together
# that reading one data set may take: far more than the samples that are planned take, so that a
# slow machine reads as many of them
SECONDS = 10.0


class TimeIsUp(BaseException):
    """A sample takes too long; no `except Exception` of a data set holds it up."""


def read_samples(
    source: Source, parts: BatchParts, seconds: float = SECONDS
) -> tuple[tuple[Any, Any] | None, str]:
    """(inputs, targets) of samples spread over the data, and why there are none, or fewer, where
    that is so.
    """
    if source.gone:
        return None, "the script has let go of its data set"
    if source.iterable:
        return None, "its data set gives its samples only once, in the training itself"
    if parts.apart and source.targets is None:
        return None, "its targets come from a loader of their own, which is not known"
    with _silence(), isolated_generators():
        try:
            return _read(source, parts, seconds)
        except (Exception, SystemExit) as failure:
            text = " ".join(str(failure).split())
            return None, f"its data set could not be read: {type(failure).__name__}: {text}"[:300]


def _read(source: Source, parts: BatchParts, seconds: float) -> tuple[tuple[Any, Any] | None, str]:
    indices = source.indices()
    if indices is None:
        return None, "its samples are chosen by a sampler of the script's own"
    if not len(indices):
        return None, "its data set is empty"
    pair: Any = None
    until, time_is_up = time.monotonic() + seconds, False
    try:
        with _time_limit(seconds):
            for chunk in _chunks(indices, source.batched):
                answers = None if source.targets is None else _batch(source.targets, chunk)
                more = parts.split(_batch(source, chunk), answers)
                together = more if pair is None else joined(pair, more)
                pair = pair if together is None else together  # of another length: left out
                if sample_count(pair[0]) >= MAX_SAMPLES:
                    break
                if time.monotonic() > until:
                    time_is_up = True
                    break
                numbers = (t.numel() for t in tensors_of(pair).values())
                if max(numbers, default=0) > MAX_NUMBERS:
                    break
    except TimeIsUp:
        time_is_up = True
    if pair is None:
        return None, f"its data set gave no batch within {seconds:g} s"
    if not time_is_up:
        return pair, ""
    read = f"{sample_count(pair[0]):,} samples of its data set could be read within {seconds:g} s"
    return pair, f"only {read}; another run may read others"


def _chunks(indices: Any, batched: bool) -> Iterator[list[int]]:
    """The samples to read, a batch after another; each is spread over all of the data."""
    if not batched:
        yield from ([int(index)] for index in indices)
        return
    chosen = spread_indices(len(indices), MAX_SAMPLES).tolist()
    chunks = max(len(chosen) // CHUNK, 1)
    for first in range(chunks):
        yield [indices[place] for place in chosen[first::chunks]]


def _batch(source: Source, chunk: list[int]) -> Any:
    """The batch that the loader would give of these samples."""
    dataset = source.dataset
    if not source.batched:
        return source.collate(dataset[chunk[0]])
    if getattr(dataset, "__getitems__", None):
        return source.collate(dataset.__getitems__(chunk))
    return source.collate([dataset[index] for index in chunk])


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """What a data set prints while it is read is not the script's output."""
    unheard = io.StringIO()
    with (
        contextlib.redirect_stdout(unheard),
        contextlib.redirect_stderr(unheard),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` after so long, also within one sample, where no alarm of the script's own is
    set.
    """
    free = (
        threading.current_thread() is threading.main_thread()
        and hasattr(signal, "setitimer")
        and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    )
    if not free:
        yield
        return

    def end(*_: Any) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
