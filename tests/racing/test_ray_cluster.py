"""The way to a Ray cluster, as far as it goes without Ray: addresses, and what does not answer."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

import sevensteps as ss
from sevensteps.errors import RunError
from sevensteps.racing.ray_cluster import cluster_address, require_answer


@pytest.mark.parametrize(
    ("on", "environment", "address"),
    [
        ("ray", None, None),
        ("ray", "local", None),
        ("ray:local", "10.0.0.1:6379", None),
        ("ray", "10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray", "auto", "auto"),
        ("ray:auto", None, "auto"),
        ("ray:head:6379", "10.0.0.1:1", "head:6379"),
        ("ray:[::1]:6379", None, "[::1]:6379"),
    ],
)
def test_an_address_is_said_or_in_the_environment(
    on: str, environment: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if environment is not None:
        monkeypatch.setenv("RAY_ADDRESS", environment)
    assert cluster_address(on) == address


@pytest.mark.parametrize(
    "on",
    [
        "",
        "dask",
        "rays",
        "ray:",
        "ray:head",
        "ray:head:",
        "ray:head:port",
        "ray:head:70000",
        "ray:head:²",
        "ray://head:10001",
    ],
)
def test_no_address(on: str) -> None:
    with pytest.raises(ss.Error, match=r"ray:10\.0\.0\.1:6379|on must be 'ray'"):
        cluster_address(on)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def silent() -> Iterator[int]:
    """A port where every connection is taken and nothing is ever said."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@contextmanager
def web() -> Iterator[int]:
    """A port where something else answers."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *given: Any) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


def refused(port: int, out: Path | Literal[False] = False) -> str:
    """What is said of a race on the cluster at this port, within ten seconds."""
    pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
    began = time.monotonic()
    with pytest.raises(RunError) as refusal:
        ss.race([ss.Recipe("xor")], on=f"ray:127.0.0.1:{port}", out=out)
    assert time.monotonic() - began < 10
    return str(refusal.value)


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    said = refused(port := free_port(), tmp_path / "race")
    assert not (tmp_path / "race").exists()
    assert said == (
        f"the Ray cluster at 127.0.0.1:{port} does not answer: Connection refused; start it with "
        "'ray start --head', or "
        "correct the address"
    )


def test_a_cluster_that_says_nothing() -> None:
    with silent() as port:
        assert "does not answer: timed out" in refused(port)


def test_a_server_that_is_no_cluster() -> None:
    with web() as port:
        assert f"127.0.0.1:{port} does not answer as Ray does" in refused(port)


def test_what_answers_as_ray_does_passes() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]

        def serve() -> None:
            line, _ = listening.accept()
            with line:
                line.sendall(
                    bytes([0, 0, 6, 4, 0, 0, 0, 0, 0]) + bytes(6)
                )  # SETTINGS of one value, RFC 9113 section 6.5
                line.recv(100)

        serving = threading.Thread(target=serve)
        serving.start()
        require_answer(f"127.0.0.1:{port}")
        serving.join()


def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ss.Error) as refusal:
        ss.race([ss.Recipe("xor")], on="ray", out=False)
    assert (
        str(refusal.value)
        == "on='ray' needs Ray, which is not installed; install it with: pip install "
        '"sevensteps[ray]"'
    )
