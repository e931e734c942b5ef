"""The processes that train one network together, and what they send each other.

`torchrun` starts them, or any launcher that sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT;
torch.distributed carries tensors and JSON as bytes. Nothing is pickled.
"""

from __future__ import annotations

import atexit
import gc
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
from sevensteps.errors import ArgumentError, Error, PeerError

# the environment variable with how long the processes wait for each other at the start
JOIN_SECONDS = "SEVENSTEPS_JOIN_SECONDS"
DEFAULT_JOIN_SECONDS = 10.0
# that one waits for another later on, while it alone does something: downloads data, or examines
# the network at the end
COLLECTIVE_TIMEOUT = timedelta(minutes=30)
POLL = 0.02  # seconds
FAILURE_KEY = "failure"  # where in the store a process that fails leaves the reason


@dataclass(frozen=True, eq=False)
class ProcessGroup:
    """This process is number `rank` of `size`, the `local_rank`-th of its machine; rank 0 writes,
    prints and decides.

    A process that trains by itself is a group of one, in which every method is the identity. The
    collective methods must be called by all processes, in the same order; where one is gone they
    raise `Error` in the others.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    store: Any = None  # of torch.distributed; the processes meet there, and leave why they failed

    @classmethod
    def alone(cls) -> ProcessGroup:
        """The group of a process that trains by itself."""
        return cls()

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, the process that writes and prints."""
        return self.rank == 0

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace `tensor` in every process by the sum over all processes, with the same bits
        everywhere.
        """
        if self.size > 1:
            with self.lost_peers_reported():
                torch.distributed.all_reduce(tensor)

    def broadcast_tensor(self, tensor: Tensor) -> None:
        """Overwrite `tensor` in every process with that of rank 0."""
        if self.size > 1:
            with self.lost_peers_reported():
                buffer = tensor.contiguous()
                torch.distributed.broadcast(buffer, 0)
                tensor.copy_(buffer)

    def broadcast_bytes(self, content: bytes = b"") -> bytes:
        """The `content` of rank 0, in every process; what the others pass is ignored."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)])
        self.broadcast_tensor(length)
        buffer = (
            torch.frombuffer(bytearray(content), dtype=torch.uint8)
            if content
            else torch.zeros(0, dtype=torch.uint8)
        )
        if self.rank:
            buffer = torch.empty(int(length), dtype=torch.uint8)
        if len(buffer):
            self.broadcast_tensor(buffer)
        return buffer.numpy().tobytes()

    def broadcast(self, value: Any = None) -> Any:
        """The `value` of rank 0, in every process; it travels as JSON."""
        if self.size == 1:
            return value
        return json.loads(self.broadcast_bytes(json.dumps(value).encode() if self.leads else b""))

    def all_gather(self, value: Any) -> list[Any]:
        """The `value` of every process, by rank; they travel as JSON."""
        if self.size == 1:
            return [value]
        content = json.dumps(value).encode()
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(content)
        self.all_reduce(lengths)
        buffer = torch.zeros(int(lengths.sum()), dtype=torch.uint8)
        ends = lengths.cumsum(0).tolist()
        buffer[ends[self.rank] - len(content) : ends[self.rank]] = torch.frombuffer(
            bytearray(content), dtype=torch.uint8
        )
        self.all_reduce(buffer)  # each wrote where the others have zeros
        joined = buffer.numpy().tobytes()
        return [
            json.loads(joined[end - length : end])
            for end, length in zip(ends, lengths.tolist(), strict=True)
        ]

    def device(self, wanted: torch.device) -> torch.device:
        """The device on which this process computes: of several GPUs each process takes its own.

        Raises `ArgumentError` where there is no GPU for it.
        """
        if self.size == 1 or wanted.type == "cpu":
            return wanted
        if wanted.type != "cuda":
            raise ArgumentError(
                f"several processes cannot share device {wanted.type}; use device='cpu' or 'cuda'"
            )
        if self.local_rank >= (available := torch.cuda.device_count()):
            raise ArgumentError(
                f"process {self.local_rank} of this machine has no GPU of its own, there are "
                f"{available}; start no more processes than GPUs, or use device='cpu'"
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    @contextmanager
    def consensus(self) -> Iterator[dict[str, Any]]:
        """A block that succeeds in all processes or fails in all: where one of them raises an
        `Error`, all do, and rank 0 reports it. No method of the group may be called inside.

        The block gets a dict; what it puts there must be equal in all processes.
        """
        facts: dict[str, Any] = {}
        failure: Error | None = None
        try:
            yield facts
        except Error as failed:
            if self.size == 1:
                raise
            failure = failed
        if self.size == 1:
            return
        outcomes = self.all_gather({"failure": failure and str(failure), **facts})
        for rank, outcome in enumerate(outcomes):
            if outcome["failure"] is not None:
                if failure is not None and rank == self.rank == 0:
                    raise failure
                reason = outcome["failure"]
                raise _known_to_all(self.rank, f"process {rank}: {reason}" if rank else reason)
        for rank, outcome in enumerate(outcomes):
            differing = [name for name, fact in outcome.items() if fact != outcomes[0].get(name)]
            if differing:
                raise _known_to_all(
                    self.rank,
                    f"process {rank} has another {differing[0]} than process 0; give all "
                    "processes the same command and data",
                )

    @contextmanager
    def left_on_failure(self) -> Iterator[None]:
        """A block whose failure makes this process leave the group, so that the others do not wait
        for it.
        """
        try:
            yield
        except BaseException as failure:
            if self.size > 1:
                self._leave(failure)
            raise

    def _leave(self, failure: BaseException) -> None:
        with suppress(RuntimeError):  # the store may be gone with another process
            if (
                isinstance(failure, Error)
                and not isinstance(failure, PeerError)
                and not self.store.check([FAILURE_KEY])
            ):
                self.store.set(
                    FAILURE_KEY, f"process {self.rank}: {failure}" if self.rank else str(failure)
                )
        _membership.group = None
        with suppress(RuntimeError, ValueError, AssertionError):
            torch.distributed.destroy_process_group()

    @contextmanager
    def lost_peers_reported(self) -> Iterator[None]:
        """A block that fails only because another process is gone: the error then gives the reason
        that process left, or says that it was lost.
        """
        try:
            yield
        except RuntimeError as failure:
            with suppress(RuntimeError):
                if self.store.check([FAILURE_KEY]):
                    raise PeerError(self.store.get(FAILURE_KEY).decode()) from None
            first = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
            raise Error(
                f"process {self.rank} has lost the others of its group; one of them has ended or "
                f"cannot be reached ({first[:200]})"
            ) from failure


@dataclass
class _Membership:
    """The group this process belongs to. PyTorch has one default process group in a process, so
    there is one of these; a group that was left after a failure is formed anew at the next `join`.
    """

    group: ProcessGroup | None = None
    meetings: int = 0  # so far; each uses keys of its own in the store


_membership = _Membership()


def started_by_launcher() -> bool:
    """Whether `torchrun`, or another launcher, started this process as one of several."""
    return "RANK" in os.environ and _integer_variable("WORLD_SIZE", "1") > 1


def processes_on_this_machine() -> int:
    """How many processes of the group run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if started_by_launcher() else 1


def _integer_variable(name: str, default: str) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        raise ArgumentError(
            f"{name} must be a whole number, not {os.environ[name]!r}; let torchrun set it"
        ) from None


def join() -> ProcessGroup:
    """The group this process was started in, as soon as all its processes are there.

    `ProcessGroup.alone()` where no launcher started it. Raises `Error` where the processes do not
    meet within `SEVENSTEPS_JOIN_SECONDS` (10), or run other versions than rank 0.
    """
    if not started_by_launcher():
        return ProcessGroup.alone()
    if _membership.group is None:
        if not torch.distributed.is_available():
            raise Error(
                "this PyTorch was built without torch.distributed; install one that has it, or "
                "train in one process"
            )
        rank, size, local_rank = (
            _integer_variable("RANK", "0"),
            _integer_variable("WORLD_SIZE", "1"),
            _integer_variable("LOCAL_RANK", os.environ.get("RANK", "0")),
        )
        try:
            timeout = number(
                JOIN_SECONDS, float(os.environ.get(JOIN_SECONDS, DEFAULT_JOIN_SECONDS)), above=0
            )
        except ValueError:
            raise ArgumentError(
                f"{JOIN_SECONDS} must be a number of seconds above 0, not "
                f"{os.environ[JOIN_SECONDS]!r}"
            ) from None
        store = _rendezvous(rank, size, time.monotonic() + timeout, timeout)
        backend = (
            "cpu:gloo,cuda:nccl"
            if torch.cuda.is_available() and torch.distributed.is_nccl_available()
            else "gloo"
        )
        group = ProcessGroup(rank, size, local_rank, store)
        with group.lost_peers_reported():
            torch.distributed.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=COLLECTIVE_TIMEOUT
            )
        _membership.group = group
        atexit.register(_destroy_at_exit)
    return _membership.group


def _destroy_at_exit() -> None:
    """End PyTorch's threads that talk to the other processes; they must end before Python does."""
    gc.collect()  # an FSDP network holds on to them, in reference cycles
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _rendezvous(rank: int, size: int, deadline: float, timeout: float) -> Any:
    """The store that all processes reach, after all have written their versions there and these
    are the same.
    """
    c10d: Any = torch.distributed  # which has no types
    host = os.environ.get("MASTER_ADDR", "127.0.0.1")
    port = _integer_variable("MASTER_PORT", "29500")
    # else torchrun hosts the store
    hosts = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    advice = (
        f"; start all at about the same time, or allow more than {timeout:g} s with {JOIN_SECONDS}"
    )
    if not hosts:
        _wait_for_listener(rank, host, port, deadline, advice)
    try:
        server = c10d.TCPStore(
            host,
            port,
            is_master=hosts,
            timeout=timedelta(seconds=timeout),
            wait_for_workers=False,
            multi_tenant=True,
        )
        restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = c10d.PrefixStore(f"sevensteps/{restarts}/{_membership.meetings}", server)
        _membership.meetings += 1
        store.set(str(rank), json.dumps(_versions()))
        missing = list(range(size))
        while missing := [other for other in missing if not store.check([str(other)])]:
            if time.monotonic() > deadline:
                names = ", ".join(map(str, missing))
                raise Error(
                    f"of {size} processes number {names} did not come to {host}:{port} within "
                    f"{timeout:g} s{advice}"
                )
            time.sleep(POLL)
        versions = [json.loads(store.get(str(other))) for other in range(size)]
        store.add("met", 1)
        # the others still read from the store, which ends with this process
        while hosts and store.add("met", 0) < size and time.monotonic() < deadline:
            time.sleep(POLL)
    except (RuntimeError, ValueError) as failure:
        raise Error(
            f"process {rank} cannot meet the others at {host}:{port}: "
            f"{str(failure).splitlines()[0][:200]}{advice}"
        ) from None
    for other, packages in enumerate(versions):
        for package, version in packages.items():
            if version != (first := versions[0][package]):
                raise _known_to_all(
                    rank,
                    f"process {other} runs {package} {version}, process 0 {first}; install the "
                    "same version everywhere",
                )
    return store


def _wait_for_listener(rank: int, host: str, port: int, deadline: float, advice: str) -> None:
    """Wait until somebody listens at the address: PyTorch itself would wait longer than the timeout
    it gets, and print its stack.
    """
    while True:
        try:
            socket.create_connection(
                (host, port), timeout=max(0.1, deadline - time.monotonic())
            ).close()
            return
        except OSError as failure:
            if time.monotonic() >= deadline:
                raise Error(
                    f"process {rank}: nobody answers at {host}:{port}, where process 0 should be "
                    f"({failure.strerror or failure})"
                    f"{advice}"
                ) from None
        time.sleep(POLL)


def _versions() -> dict[str, str]:
    from sevensteps import __version__

    return {"sevensteps": __version__, "torch": torch.__version__}


def _known_to_all(rank: int, text: str) -> Error:
    """The error for a failure that every process knows of, so that only rank 0 prints it."""
    return PeerError(text) if rank else Error(text)
