"""The connection to a Ray cluster, or to a Ray that is started for one race on this machine."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

from sevensteps.errors import ArgumentError, RunError
from sevensteps.notation import cut
from sevensteps.steps.stop import Progress
from sevensteps.training import interrupts

ANSWER_SECONDS = 5.0  # to connect to a cluster, and for its first bytes after that
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# read when Ray is imported; with LOOPBACK at 0 a Ray that is started listens on 127.0.0.1 only, on
# every system, and Ray takes addresses as they are written
ENVIRONMENT = {
    LOOPBACK: "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def cluster_address(on: str) -> str | None:
    """The address in `ray:HOST:PORT`, or for `ray` the one in $RAY_ADDRESS.

    None means a Ray that is started on this machine. Raises `ArgumentError` for anything else.
    """
    if on != "ray" and not on.startswith("ray:"):
        raise ArgumentError(
            f"on must be 'ray', or 'ray:HOST:PORT' for a cluster, not {cut(repr(on))}"
        )
    address = on.removeprefix("ray:") if on != "ray" else os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        if on not in ("ray", "ray:local"):
            raise ArgumentError(
                "on='ray:' lacks the address of the cluster, as in ray:10.0.0.1:6379"
            )
        return None
    port = address.rpartition(":")[2]
    if address != "auto" and (
        "//" in address or ":" not in address or not port.isdecimal() or not 0 < int(port) < 65536
    ):
        raise ArgumentError(
            f"{cut(address)} is no address of a Ray cluster; give HOST:PORT as 'ray start --head' "
            "prints it, as in ray:10.0.0.1:6379, on one of the machines of the cluster"
        )
    return address


@contextlib.contextmanager
def connection(address: str | None, interrupt: Progress) -> Iterator[Any]:
    """The module `ray`, connected to the cluster at `address`, or to one started for this (None).

    At the end it disconnects, which ends tasks that are not done, and Ray prints nothing. Ctrl-C
    is noted in `interrupt`. Raises `ArgumentError` if Ray is not installed or was connected before,
    and `RunError` if the cluster cannot be used.
    """
    before = {name: os.environ.get(name) for name in (*ENVIRONMENT, "RAY_AUTH_MODE")}
    os.environ.update(ENVIRONMENT)
    try:
        ray = _import_ray()
        if ray.is_initialized():  # unfinished tasks end with the connection, so it must be our own
            raise ArgumentError(
                "this process is connected to Ray already; disconnect with ray.shutdown(), and "
                f"give on='ray:{ray.get_runtime_context().gcs_address}' to train in that cluster"
            )
        # interruptible() also puts back the signal handler that Ray sets
        with (
            interrupts.interruptible(interrupt),
            contextlib.redirect_stdout(_WithoutNewThreads(sys.stdout)),
        ):
            _connect(ray, address)
            try:
                yield ray
            finally:
                ray.shutdown()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class _WithoutNewThreads:
    """Standard output without what threads print that are started from now on: those of Ray, which
    report lost machines there, where `--json` prints its one line.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.threads = stream, set(threading.enumerate())

    def write(self, text: str) -> int:
        return self.stream.write(text) if threading.current_thread() in self.threads else len(text)

    def flush(self) -> None:
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:  # fileno, encoding, isatty, …
        return getattr(self.stream, name)


def _import_ray() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("ray")
        except ImportError:
            raise ArgumentError(
                "on='ray' needs Ray, which is not installed; install it with: pip install "
                '"sevensteps[ray]"'
            ) from None


def _connect(ray: Any, address: str | None) -> None:
    if address is not None and address != "auto":
        require_answer(address)
    _require_loopback(ray, address)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **({} if address else {"include_dashboard": False}),
            )
    except Exception as failure:  # Ray's exceptions have no common class
        problem = (
            "Ray cannot be started here"
            if address is None
            else f"the Ray cluster {_cluster_name(address)} cannot be used"
        )
        raise RunError(f"{problem}: {first_line(failure)}") from None


def _require_loopback(ray: Any, address: str | None) -> None:
    """Raise `ArgumentError` where Ray was imported before, without LOOPBACK: it would take
    127.0.0.1 for this machine's address in the network, and listen or wait there.
    """
    host = (address or "127.0.0.1:").rpartition(":")[0].strip("[]")
    loopback = ("127.0.0.1", "localhost", "::1")
    if host in loopback and ray.util.get_node_ip_address() not in loopback:
        raise ArgumentError(
            "Ray was imported in this process before, with a setting that keeps it from using "
            f"127.0.0.1; set {LOOPBACK}=0 before 'import ray', or leave that import out"
        )


def require_answer(address: str) -> None:
    """Raise `RunError` if nothing at HOST:PORT answers as Ray does; Ray would try for minutes.

    The servers of a Ray cluster (gRPC) speak first, as soon as one has connected.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS) as server:
            server.settimeout(ANSWER_SECONDS - 1)
            encrypted = os.environ.get("RAY_USE_TLS", "0") in ("1", "true")
            if encrypted or server.recv(1):
                return
            problem = "it closes the connection"
    except OSError as failure:
        problem = failure.strerror or str(failure)
    raise RunError(
        f"the Ray cluster {_cluster_name(address)} does not answer: {problem}; start it with "
        "'ray start --head', or correct the address"
    )


def _cluster_name(address: str) -> str:
    return "of this machine" if address == "auto" else f"at {cut(address)}"


def first_line(failure: BaseException) -> str:
    """The first line of an exception's message."""
    lines = str(failure).strip().splitlines()
    return cut(lines[0].strip(), 300) if lines else type(failure).__name__
