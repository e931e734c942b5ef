"""The cases: what is trained, by whom, and how many times faster than each of them ours should be.

All on MNIST in memory, plain SGD, cross-entropy, shuffled every epoch, float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OURS = "sevensteps"
WATCHED = "sevensteps_watched"  # the same, looking inside within the default budget
COMPILED = "sevensteps_compiled"  # the same, whole stretches of steps as machine code
GENERAL = ("lightning", "fastai", "skorch", "keras")  # frameworks that train any network
CALLS = {"sklearn": 1.2, **dict.fromkeys(GENERAL, 4.0)}


@dataclass(frozen=True)
class Case:
    """One network trained in one way.

    `widths` of hidden dense layers, or `channels` of 3×3 convolutions, each with ReLU and 2×2 max
    pooling; `module`: the network is a user's nn.Module with a forward of its own. `samples`: only
    the first so many, None for all. `epochs` are timed, after one that warms up. `targets`:
    contestant -> at least so many times our time per epoch. `ours`: more keywords of `ss.train`.
    `once`: those so far off that the first round is enough. `call_targets`: contestant -> at least
    so many times our time for the whole call of `call_epochs`, empty where whole calls are not
    timed; `call_once` and `call_others` likewise.
    """

    name: str
    title: str
    batch: int
    lr: float
    epochs: int
    targets: Mapping[str, float]
    others: tuple[str, ...] = ()  # timed beside them, without a target
    widths: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    module: bool = False
    samples: int | None = None
    ours: Mapping[str, str] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    call_epochs: int = 10
    call_targets: Mapping[str, float] = field(default_factory=dict)
    call_others: tuple[str, ...] = ()
    call_once: tuple[str, ...] = ()

    @property
    def contestants(self) -> tuple[str, ...]:
        """Whose epochs are timed, ours first: without watching, with it, and compiled where the
        network is dense.
        """
        compiled = (COMPILED,) if self.widths and not self.module else ()
        return (OURS, WATCHED, *compiled, *self.targets, *self.others)

    @property
    def callers(self) -> tuple[str, ...]:
        """Whose whole calls are timed, ours first; none where there is no target."""
        return (OURS, COMPILED, *self.call_targets, *self.call_others) if self.call_targets else ()

    def contestants_of(self, kind: str, number: int) -> tuple[str, ...]:
        """Who takes part in a round, counted from 0: of `kind` `epoch` or `call`."""
        names = {"epoch": self.contestants, "call": self.callers}[kind]
        once = {"epoch": self.once, "call": self.call_once}[kind]
        return tuple(name for name in names if number == 0 or name not in once)

    @property
    def image(self) -> bool:
        """Whether an input is a picture [1, 28, 28] rather than a row [784]."""
        return bool(self.channels)


CASES = {
    case.name: case
    for case in (
        Case(
            "mlp30_b256",
            "784-30-10, batch 256",
            256,
            0.1,
            6,
            widths=(30,),
            targets={
                "pytorch_loop": 1.8,
                "jax_scan": 1.3,
                "sklearn": 1.7,
                **dict.fromkeys(GENERAL, 4.5),
            },
            others=(
                "pytorch_dataloader",
                "torch_compile",
                "lightning_index",
                "fastai_index",
                "skorch_index",
            ),
            once=(
                *GENERAL,
                "pytorch_dataloader",
                "torch_compile",
                "lightning_index",
                "fastai_index",
                "skorch_index",
            ),
            call_targets={"pytorch_loop": 1.5, **CALLS},
            call_others=("jax_scan", "pytorch_dataloader"),
            call_once=("pytorch_dataloader",),
        ),
        Case(
            "mlp256_b256",
            "784-256-10, batch 256",
            256,
            0.1,
            6,
            widths=(256,),
            targets={"pytorch_loop": 2.0, "jax_scan": 1.1},
            others=("torch_compile",),
            call_targets={"pytorch_loop": 1.2, **CALLS},
            call_others=("jax_scan",),
            call_once=GENERAL,
        ),
        Case(
            "wide_b256",
            "784-1024-1024-10, batch 256",
            256,
            0.1,
            2,
            widths=(1024, 1024),
            targets={"pytorch_loop": 1.0},
            others=("jax_scan",),
        ),
        Case(
            "mlp30_b16",
            "784-30-10, batch 16",
            16,
            0.1,
            3,
            widths=(30,),
            targets={"pytorch_loop": 5.0, "jax_scan": 1.3},
        ),
        Case(
            "mlp30_b1",
            "784-30-10, batch 1, the first 3000 samples",
            1,
            0.01,
            5,
            widths=(30,),
            samples=3000,
            targets={"pytorch_loop": 30.0, "jax_scan": 2.0},
        ),
        Case(
            "cnn_b256",
            "CNN 8-16-32, batch 256",
            256,
            0.1,
            2,
            channels=(8, 16, 32),
            targets={"pytorch_loop": 1.2},
            others=("torch_compile",),
            once=("torch_compile",),
        ),
        Case(
            "module_b256",
            "a user's nn.Module by autograd(), 784-256-10, batch 256",
            256,
            0.1,
            6,
            widths=(256,),
            module=True,
            targets={"pytorch_loop": 1.0},
            ours={"gradient": "autograd()"},
        ),
    )
}
