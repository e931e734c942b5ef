"""One seed, a named generator for each purpose: what one purpose draws never shifts what another
gets.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
from collections.abc import Iterator
from types import TracebackType

import torch

from sevensteps.arguments import one_of, whole

PURPOSES = ("initialize", "split", "order", "dropout", "augment", "race")


def derive(seed: int, purpose: str) -> int:
    """The 32-bit seed of one purpose, from the seed of the whole run.

    Hashed, so that neighbouring seeds and purposes have nothing in common; 32 bits, because that is
    what PyTorch's Mersenne Twister takes in.
    """
    one_of("purpose", purpose, PURPOSES)
    digest = hashlib.sha256(f"{whole('seed', seed)}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for `purpose` (one of `PURPOSES`), independent of PyTorch's global
    one.
    """
    return torch.Generator(device).manual_seed(derive(seed, purpose))


class Isolation:
    """Lets code that draws from PyTorch's global generator run repeatably and without a trace.

    Inside `with isolation:` the global CPU generator continues where the last such block left it,
    from a start drawn from `source`; outside it is as if nothing had been drawn.
    """

    def __init__(self, source: torch.Generator) -> None:
        start = torch.randint(2**31, (), generator=source, device=source.device)
        self.inside = torch.Generator().manual_seed(int(start)).get_state()

    def __enter__(self) -> None:
        self.outside = torch.random.get_rng_state()
        torch.random.set_rng_state(self.inside)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.inside = torch.random.get_rng_state()
        torch.random.set_rng_state(self.outside)


@contextlib.contextmanager
def preserved_python_state() -> Iterator[None]:
    """Lets libraries be imported without a trace in Python's own generator: rich, which
    scikit-learn imports too, draws from it.
    """
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def isolated_generators(seed: int = 0, device: torch.device | None = None) -> Iterator[None]:
    """Lets code draw from the global generators of PyTorch, NumPy and Python, from a start that is
    always the same; outside it is as if nothing had been drawn.

    PyTorch's are those of the CPU and, where that is a GPU, of `device`.
    """
    numpy, python_state = sys.modules.get("numpy"), random.getstate()
    numpy_state = numpy.random.get_state() if numpy is not None else None
    devices = [device] if device is not None and device.type == "cuda" else []
    try:
        with Isolation(torch.Generator().manual_seed(seed)), torch.random.fork_rng(devices):
            random.seed(seed)
            if numpy is not None:
                numpy.random.seed(seed)
            for gpu in devices:
                with torch.cuda.device(gpu):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)
