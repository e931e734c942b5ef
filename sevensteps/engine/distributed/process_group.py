"""Processes that train one network together, and the few things that they tell each other.

`torchrun` starts them, or anything else that sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT;
torch.distributed carries what they say: tensors, and JSON as bytes. Nothing is pickled."""

from __future__ import annotations

import atexit
import gc
import itertools
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from sevensteps.arguments import number
from sevensteps.errors import ArgumentError, Error, Told

# how long the processes wait for each other at the start, if not `PATIENT` seconds
SECONDS = "SEVENSTEPS_JOIN_SECONDS"
PATIENT = 10.0
LONGEST = timedelta(
    minutes=30
)  # that one waits for another later: for what only one does, such as fetching data or examining the end
POLL = 0.02  # seconds
WORDS = "last words"
_joined: list[
    Group
] = []  # a process joins once, however many trainings it runs, unless one of them was left
_meetings = itertools.count()


@dataclass(frozen=True, eq=False)
class Group:
    """This process, number `rank` of `size`, the `local`-th of its machine; number 0 leads: it writes, shows and decides."""

    rank: int
    size: int
    local: int
    store: Any

    def add(self, tensor: Tensor) -> None:
        """Put the sum of every process's `tensor` into each; to the same bits everywhere."""
        with self.reached():
            torch.distributed.all_reduce(tensor)

    def copy(self, tensor: Tensor) -> None:
        """Put process 0's `tensor` into that of each."""
        with self.reached():
            sent = tensor.contiguous()
            torch.distributed.broadcast(sent, 0)
            tensor.copy_(sent)

    def send(self, content: bytes = b"") -> bytes:
        """Process 0's `content`, in each."""
        length = torch.tensor([len(content)])
        self.copy(length)
        sent = (
            torch.frombuffer(bytearray(content), dtype=torch.uint8)
            if content
            else torch.zeros(0, dtype=torch.uint8)
        )
        if self.rank:
            sent = torch.empty(int(length), dtype=torch.uint8)
        if len(sent):
            self.copy(sent)
        return sent.numpy().tobytes()

    def said(self, held: Any = None) -> Any:
        """What process 0 `held`, as JSON gives it back, in each."""
        return json.loads(self.send(json.dumps(held).encode() if self.rank == 0 else b""))

    def each(self, held: Any) -> list[Any]:
        """What every process `held`, as JSON gives it back, by number."""
        content = json.dumps(held).encode()
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(content)
        self.add(lengths)
        told = torch.zeros(int(lengths.sum()), dtype=torch.uint8)
        ends = lengths.cumsum(0).tolist()
        told[ends[self.rank] - len(content) : ends[self.rank]] = torch.frombuffer(
            bytearray(content), dtype=torch.uint8
        )
        self.add(told)  # each wrote where the others have zeros
        found = told.numpy().tobytes()
        return [
            json.loads(found[end - length : end])
            for end, length in zip(ends, lengths.tolist(), strict=True)
        ]

    def place(self, device: torch.device) -> torch.device:
        """Where this process computes: of several GPUs each takes its own. Raises `ArgumentError`
        where it has none.
        """
        if device.type == "cpu":
            return device
        if device.type != "cuda":
            raise ArgumentError(
                f"several processes cannot share device {device.type}; use device='cpu' or 'cuda'"
            )
        if self.local >= (there := torch.cuda.device_count()):
            raise ArgumentError(
                f"process {self.local} of this machine has no GPU of its own, there are {there}; "
                "start no more processes "
                "than GPUs, or use device='cpu'"
            )
        torch.cuda.set_device(self.local)
        return torch.device("cuda", self.local)

    def leave(self, failure: BaseException) -> None:
        """Go because of `failure`, so that nobody waits for this process."""
        with suppress(RuntimeError):  # the store may be gone with another process
            if (
                isinstance(failure, Error)
                and not isinstance(failure, Told)
                and not self.store.check([WORDS])
            ):
                self.store.set(
                    WORDS, f"process {self.rank}: {failure}" if self.rank else str(failure)
                )
        _joined.clear()
        with suppress(RuntimeError, ValueError, AssertionError):
            torch.distributed.destroy_process_group()

    @contextmanager
    def reached(self) -> Iterator[None]:
        """What fails in here fails because another process is gone: its last words are said, or
        that it is lost.
        """
        try:
            yield
        except RuntimeError as failure:
            with suppress(RuntimeError):
                if self.store.check([WORDS]):
                    raise Told(self.store.get(WORDS).decode()) from None
            first = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
            raise Error(
                f"process {self.rank} has lost the others of its group; one of them has ended or "
                f"cannot be reached ({first[:200]})"
            ) from failure


def several() -> bool:
    """Whether this process was started as one of several."""
    return "RANK" in os.environ and _whole("WORLD_SIZE", "1") > 1


def leads() -> bool:
    """Whether this process writes and prints: it is alone, or number 0."""
    return not several() or _whole("RANK", "0") == 0


def _whole(name: str, usual: str) -> int:
    try:
        return int(os.environ.get(name, usual))
    except ValueError:
        raise ArgumentError(
            f"{name} must be a whole number, not {os.environ[name]!r}; let torchrun set it"
        ) from None


def join() -> Group | None:
    """The group that this process was started in, once all of it are here; None where it trains
    alone.

    Raises `Error` where they do not find each other in `SEVENSTEPS_JOIN_SECONDS` (10), or run other
    versions than process 0."""
    if not several():
        return None
    if not _joined:
        if not torch.distributed.is_available():
            raise Error(
                "this PyTorch was built without torch.distributed; install one that has it, or "
                "train in one process"
            )
        rank, size, local = (
            _whole("RANK", "0"),
            _whole("WORLD_SIZE", "1"),
            _whole("LOCAL_RANK", os.environ.get("RANK", "0")),
        )
        try:
            patience = number(SECONDS, float(os.environ.get(SECONDS, PATIENT)), above=0)
        except ValueError:
            raise ArgumentError(
                f"{SECONDS} must be a number of seconds above 0, not {os.environ[SECONDS]!r}"
            ) from None
        store = _meet(rank, size, time.monotonic() + patience, patience)
        backend = (
            "cpu:gloo,cuda:nccl"
            if torch.cuda.is_available() and torch.distributed.is_nccl_available()
            else "gloo"
        )
        group = Group(rank, size, local, store)
        with group.reached():
            torch.distributed.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=LONGEST
            )
        _joined.append(group)
        atexit.register(_end)
    return _joined[0]


def _end() -> None:
    """Let go of the others, when Python ends: the threads that talk to them must end before it
    does.
    """
    gc.collect()  # a network in parts holds on to them, by references in circles
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _meet(rank: int, size: int, end: float, patience: float) -> Any:
    """The store that all processes reach, after each has said its versions there."""
    c10d: Any = torch.distributed  # whose types are not told
    host, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), _whole("MASTER_PORT", "29500")
    hosts = (
        rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    )  # else torchrun does
    more = f"; start all at about the same time, or allow more than {patience:g} s with {SECONDS}"
    if not hosts:
        _answers(rank, host, port, end, more)
    try:
        reached = c10d.TCPStore(
            host,
            port,
            is_master=hosts,
            timeout=timedelta(seconds=patience),
            wait_for_workers=False,
            multi_tenant=True,
        )
        restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = c10d.PrefixStore(f"sevensteps/{restarts}/{next(_meetings)}", reached)
        store.set(str(rank), json.dumps(_versions()))
        missing = list(range(size))
        while missing := [other for other in missing if not store.check([str(other)])]:
            if time.monotonic() > end:
                names = ", ".join(map(str, missing))
                raise Error(
                    f"of {size} processes number {names} did not come to {host}:{port} within "
                    f"{patience:g} s{more}"
                )
            time.sleep(POLL)
        versions = [json.loads(store.get(str(other))) for other in range(size)]
        store.add("met", 1)
        while (
            hosts and store.add("met", 0) < size and time.monotonic() < end
        ):  # the others still read from what ends with this process
            time.sleep(POLL)
    except (RuntimeError, ValueError) as failure:
        raise Error(
            f"process {rank} cannot meet the others at {host}:{port}: "
            f"{str(failure).splitlines()[0][:200]}{more}"
        ) from None
    for other, held in enumerate(versions):
        for package, version in held.items():
            if version != (first := versions[0][package]):
                raise _alike(
                    rank,
                    f"process {other} runs {package} {version}, process 0 {first}; install the "
                    "same version everywhere",
                )
    return store


def _answers(rank: int, host: str, port: int, end: float, more: str) -> None:
    """Wait until somebody listens at the address: PyTorch's own waiting takes longer than it is
    told, and prints its stack.
    """
    while True:
        try:
            socket.create_connection((host, port), timeout=max(0.1, end - time.monotonic())).close()
            return
        except OSError as failure:
            if time.monotonic() >= end:
                raise Error(
                    f"process {rank}: nobody answers at {host}:{port}, where process 0 should be "
                    f"({failure.strerror or failure})"
                    f"{more}"
                ) from None
        time.sleep(POLL)


def _versions() -> dict[str, str]:
    from sevensteps import __version__

    return {"sevensteps": __version__, "torch": torch.__version__}


def _alike(rank: int, text: str) -> Error:
    """A failure that all processes know of: number 0 says it."""
    return Told(text) if rank else Error(text)


@contextmanager
def agreeing(group: Group | None) -> Iterator[dict[str, Any]]:
    """What is done inside may fail in one process only; all fail then, and number 0 says why.
    Nothing inside may ask the group.

    What is put into the dict that this gives must be the same in all processes.
    """
    held: dict[str, Any] = {}
    failure: Error | None = None
    try:
        yield held
    except Error as failed:
        if group is None:
            raise
        failure = failed
    if group is None:
        return
    told = group.each({"failure": failure and str(failure), **held})
    for other, found in enumerate(told):
        if found["failure"] is not None:
            if failure is not None and other == group.rank == 0:
                raise failure
            raise _alike(
                group.rank, f"process {other}: {found['failure']}" if other else found["failure"]
            )
    for other, found in enumerate(told):
        if wrong := [name for name, value in found.items() if value != told[0].get(name)]:
            raise _alike(
                group.rank,
                f"process {other} has another {wrong[0]} than process 0; give all processes the "
                "same command and data",
            )
