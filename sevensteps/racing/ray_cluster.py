"""The way to a Ray cluster: its address, whether it answers, and the connection; or a Ray started
here, for this machine only.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sevensteps.errors import ArgumentError, RunError
from sevensteps.notation import cut
from sevensteps.steps.stop import Progress
from sevensteps.training import interrupts

ANSWER_SECONDS = 5.0  # seconds that a cluster has to answer, and to connect to before that
QUIET_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# with 0, a Ray listens on 127.0.0.1 only, whatever the system
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(
    [0, 0, 0, 4, 0, 0, 0, 0, 0]
)  # which gRPC begins with; RFC 9113, section 3.4
SETTINGS = 4  # the type of the first frame of the answer


def cluster_address(on: str) -> str | None:
    """The address in `ray:HOST:PORT`; for `ray` that in $RAY_ADDRESS, or None, which is a Ray
    started here. Raises `ArgumentError`.
    """
    if on != "ray" and not on.startswith("ray:"):
        raise ArgumentError(
            f"on must be 'ray', or 'ray:HOST:PORT' for a cluster, not {cut(repr(on))}"
        )
    address = (
        on.removeprefix("ray").removeprefix(":")
        if on != "ray"
        else os.environ.get("RAY_ADDRESS", "")
    )
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
            "prints it, as in "
            "ray:10.0.0.1:6379, on one of the machines of the cluster"
        )
    return address


@contextmanager
def connection(address: str | None, stop_request: Progress) -> Iterator[Any]:
    """The module ray, connected to the cluster at `address` or to one started here, which ends with
    it; quiet.

    The tasks that are left end with the connection. Ctrl-C meanwhile is noted in `asked`.
    """
    before = {
        name: os.environ.get(name) for name in (*QUIET_ENVIRONMENT, LOOPBACK, "RAY_AUTH_MODE")
    }
    os.environ.update(QUIET_ENVIRONMENT)
    if address is None:
        os.environ[LOOPBACK] = "0"
    try:
        ray = _import_ray()
        if (
            ray.is_initialized()
        ):  # the tasks of an interrupted race end with the connection, so it has one of its own
            raise ArgumentError(
                "this process is connected to Ray already; disconnect with ray.shutdown(), and "
                "give on='ray:"
                f"{ray.get_runtime_context().gcs_address}' to train in that cluster"
            )
        with interrupts.interruptible(
            stop_request
        ):  # which also puts back the handler that Ray sets
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
    here: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    if address is not None and address != "auto":
        require_answer(address)
    talking: Any = importlib.import_module("ray._private.worker")
    talking._worker_logs_enabled = False  # else it prints on stdout what becomes of machines
    constants: Any = importlib.import_module("ray._private.ray_constants")
    clustered = constants.ENABLE_RAY_CLUSTER
    try:
        if address is None or _loopback(address):
            constants.ENABLE_RAY_CLUSTER = False  # as LOOPBACK, which is read when Ray is imported
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **({} if address else here),
            )
    except Exception as failure:  # Ray has no common class for them
        what = (
            "Ray cannot be started here"
            if address is None
            else f"the Ray cluster {_cluster_name(address)} cannot be used"
        )
        raise RunError(f"{what}: {first_line(failure)}") from None
    finally:
        constants.ENABLE_RAY_CLUSTER = clustered


def _loopback(address: str) -> bool:
    """Whether a cluster listens on 127.0.0.1 only. Ray takes that for another address of this
    machine, and would wait there for minutes.
    """
    host, _, port = address.rpartition(":")
    other = importlib.import_module("ray._private.services").resolve_ip_for_localhost(
        host or "127.0.0.1"
    )
    if address == "auto" or other == host:
        return False
    try:
        with socket.create_connection((other, int(port)), timeout=ANSWER_SECONDS):
            return False
    except OSError:
        return True


def require_answer(address: str) -> None:
    """Raise `RunError` where no gRPC server answers at HOST:PORT within seconds; Ray itself would
    try for minutes.
    """
    host, _, port = address.rpartition(":")
    why = f"the Ray cluster {_cluster_name(address)} does not answer"
    fix = "start it with 'ray start --head', or correct the address"
    try:
        with socket.create_connection(
            (host.strip("[]"), int(port)), timeout=ANSWER_SECONDS
        ) as connection_socket:
            if os.environ.get("RAY_USE_TLS", "0") in ("1", "true"):
                return  # what it says then is encrypted
            connection_socket.settimeout(ANSWER_SECONDS - 1)
            connection_socket.sendall(PREFACE)
            answer = connection_socket.recv(9)
    except OSError as failure:
        raise RunError(f"{why}: {failure.strerror or failure}; {fix}") from None
    if len(answer) < 4 or answer[3] != SETTINGS:
        raise RunError(f"{why} as Ray does; {fix}")


def _cluster_name(address: str) -> str:
    return "of this machine" if address == "auto" else f"at {cut(address)}"


def first_line(failure: BaseException) -> str:
    """The first line of what went wrong."""
    lines = str(failure).strip().splitlines()
    return cut(lines[0].strip(), 300) if lines else type(failure).__name__
