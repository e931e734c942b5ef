"""New seeds for a script: a number is added to every seed that it sets, and where it sets none, the
number is the seed.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def _shifted(function: Callable[..., Any], by: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def seeded(*arguments: Any, **named: Any) -> Any:
        if arguments and isinstance(arguments[0], int):
            arguments = (arguments[0] + by, *arguments[1:])
        elif isinstance(named.get("seed"), int):
            named["seed"] += by
        return function(*arguments, **named)

    return seeded


def shift_random(by: int) -> None:
    """Shift the seeds of Python's `random`."""
    random.seed(by)
    seed = _shifted(random.seed, by)
    random.seed = seed


def shift_numpy(by: int) -> None:
    """Shift the seeds of NumPy: of its global generator, and of those that are made."""
    import numpy

    numpy.random.seed(by)
    numpy.random.seed = _shifted(numpy.random.seed, by)
    shifted: Any = _shifted_class(numpy.random.RandomState, by)
    numpy.random.RandomState = shifted  # type: ignore[misc]
    make = numpy.random.default_rng

    @functools.wraps(make)
    def default_rng(seed: Any = None) -> Any:
        seed = by if seed is None else seed
        return make(seed + by if isinstance(seed, int) else seed)

    numpy.random.default_rng = default_rng


def shift_torch(by: int) -> None:
    """Shift the seeds of PyTorch: of its global generators, and of those that are made."""
    import torch

    torch.manual_seed(by)
    for owner, name in (
        (torch, "manual_seed"),
        (torch.random, "manual_seed"),
        (torch.cuda, "manual_seed"),
        (torch.cuda, "manual_seed_all"),
    ):
        setattr(owner, name, _shifted(getattr(owner, name), by))

    class Generator(torch.Generator):
        __doc__ = torch.Generator.__doc__

        def manual_seed(self, seed: int) -> torch.Generator:
            return super().manual_seed(seed + by)

    torch.Generator = Generator  # type: ignore[misc]


def script_generator() -> torch.Generator:
    """A generator with the seed that the script has set; nothing is drawn from the script's own."""
    import torch

    return torch.Generator().manual_seed(torch.initial_seed())


def _shifted_class(kind: type, by: int) -> type:
    class Seeded(kind):  # type: ignore[misc]
        __doc__ = kind.__doc__

        def __init__(self, seed: Any = None) -> None:
            seed = by if seed is None else seed + by if isinstance(seed, int) else seed
            super().__init__(seed)

    Seeded.__name__ = Seeded.__qualname__ = kind.__name__
    Seeded.__module__ = kind.__module__
    return Seeded
