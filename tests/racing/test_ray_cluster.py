"""The way to a Ray cluster, as far as it goes without Ray: addresses, and what does not answer."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

import sevensteps as ss
from sevensteps.errors import RunError
from sevensteps.racing.ray_cluster import (
    _require_loopback,
    _WithoutNewThreads,
    cluster_address,
    require_answer,
)


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
def test_an_address_is_written_or_in_the_environment(
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
def listening() -> Iterator[socket.socket]:
    """A server to which everybody can connect, and which says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


@contextmanager
def web() -> Iterator[int]:
    """A port where something else answers."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *details: Any) -> None:
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
    """The error of a race on the cluster at this port, which comes within ten seconds."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: make test-ray")
    began = time.monotonic()
    with pytest.raises(RunError) as refusal:
        ss.race([ss.Recipe("xor")], on=f"ray:127.0.0.1:{port}", out=out)
    assert time.monotonic() - began < 10
    return str(refusal.value)


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    message = refused(port := free_port(), tmp_path / "race")
    assert not (tmp_path / "race").exists()
    assert message == (
        f"the Ray cluster at 127.0.0.1:{port} does not answer: Connection refused; start it with "
        "'ray start --head', or "
        "correct the address"
    )


def test_a_cluster_that_says_nothing() -> None:
    with listening() as server:
        assert "does not answer: timed out" in refused(server.getsockname()[1])


def test_a_server_that_is_no_cluster() -> None:
    with web() as port:
        assert f"127.0.0.1:{port} does not answer: timed out" in refused(port)


def test_a_server_that_closes_the_connection() -> None:
    with listening() as server:
        closing = threading.Thread(target=lambda: server.accept()[0].close())
        closing.start()
        with pytest.raises(RunError, match="does not answer: it closes the connection"):
            require_answer(f"127.0.0.1:{server.getsockname()[1]}")
        closing.join()


def test_a_server_that_speaks_first_passes() -> None:
    with listening() as server:

        def greet() -> None:
            client, _ = server.accept()
            with client:  # SETTINGS of one value, RFC 9113 section 6.5: what gRPC begins with
                client.sendall(bytes([0, 0, 6, 4, 0, 0, 0, 0, 0]) + bytes(6))

        greeting = threading.Thread(target=greet)
        greeting.start()
        require_answer(f"127.0.0.1:{server.getsockname()[1]}")
        greeting.join()


def test_what_new_threads_print_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    go, new = threading.Event(), threading.Thread(target=print, args=("new",))
    earlier = threading.Thread(target=lambda: (go.wait(10), print("earlier")))
    earlier.start()
    with redirect_stdout(_WithoutNewThreads(sys.stdout)):
        new.start()
        new.join()
        print("here")
        go.set()
        earlier.join()
    assert capsys.readouterr().out == "here\nearlier\n"


def test_a_ray_that_was_imported_for_the_network_is_refused_on_127_0_0_1() -> None:
    ray = SimpleNamespace(util=SimpleNamespace(get_node_ip_address=lambda: "10.0.0.7"))
    for address in (None, "127.0.0.1:6379", "localhost:6379", "[::1]:6379"):
        with pytest.raises(ss.Error, match="RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 before"):
            _require_loopback(ray, address)
    for address in ("auto", "10.0.0.7:6379"):
        _require_loopback(ray, address)


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
