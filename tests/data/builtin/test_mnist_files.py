"""Where MNIST is looked for, and its download, against a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import platformdirs
import pytest
import torch

from sevensteps import data
from sevensteps.data.builtin import mnist_files
from sevensteps.errors import DataError

NAMES = list(mnist_files.PUBLISHED)
CACHE = mnist_files.cache_folder  # as it is, before the fixture puts another in its place


def small(count: int, seed: int) -> tuple[bytes, bytes]:
    """The IDX files of `count` images of 4 x 4 pixels, and of their labels, which go round 0 to
    9.
    """
    pixels = torch.randint(
        256, (count * 16,), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )
    images = b"\0\0\x08\x03" + struct.pack(">3I", count, 4, 4) + bytes(pixels.tolist())
    return images, b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(i % 10 for i in range(count))


FILES = dict(zip(NAMES, [*small(20, 0), *small(10, 1)], strict=True))


def put(
    folder: Path,
    *,
    suffix: str = "",
    dotted: bool = False,
    leave_out: str | None = None,
    **changed: bytes,
) -> Path:
    """The four small files in `folder`; `changed` has other bytes for a file, by the start of its
    name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        if name == leave_out:
            continue
        content = next(
            (other for start, other in changed.items() if name.startswith(start.replace("_", "-"))),
            content,
        )
        spelled = name.replace("-idx", ".idx") if dotted else name
        (folder / (spelled + suffix)).write_bytes(gzip.compress(content) if suffix else content)
    return folder


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data folder in the environment, and an empty cache, which is returned."""
    monkeypatch.delenv(mnist_files.FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv(mnist_files.URL_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_files, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


# -- looking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", mnist_files.SUBFOLDERS)
@pytest.mark.parametrize(
    ("suffix", "dotted"), [("", False), (".gz", False), ("", True), (".gz", True)]
)
def test_every_file_name_is_accepted(tmp_path: Path, below: str, suffix: str, dotted: bool) -> None:
    put(tmp_path / "own" / below, suffix=suffix, dotted=dotted)
    loaded = data.load("mnist", tmp_path / "own")
    assert loaded.train.y.tolist() == [i % 10 for i in range(20)]
    expected = torch.tensor(list(FILES[NAMES[0]][16:]), dtype=torch.float32).view(20, 1, 4, 4) / 255
    assert torch.equal(loaded.train.x, expected)


def test_the_argument_comes_before_the_environment_and_that_before_the_cache(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nowhere: Path,
) -> None:
    folders = [put(tmp_path / "given"), put(tmp_path / "named"), put(nowhere / "mnist")]
    monkeypatch.setenv(mnist_files.FOLDER_VARIABLE, str(folders[1]))
    assert mnist_files.find_files(folders[0])[NAMES[0]].parent == folders[0]
    assert mnist_files.find_files()[NAMES[0]].parent == folders[1]
    monkeypatch.setenv(mnist_files.FOLDER_VARIABLE, str(tmp_path / "elsewhere"))
    assert mnist_files.find_files()[NAMES[0]].parent == folders[2]


def test_the_cache_is_the_users() -> None:
    assert CACHE() == Path(platformdirs.user_cache_dir("sevensteps"))


def test_the_real_files_are_the_published_ones(mnist_dir: Path) -> None:
    for name, path in mnist_files.find_files(mnist_dir).items():
        with gzip.open(path) as file:
            assert hashlib.sha256(file.read()).hexdigest() == mnist_files.PUBLISHED[name][0]


def test_a_folder_without_them_says_what_is_missing(tmp_path: Path) -> None:
    put(tmp_path / "own", leave_out=NAMES[2])
    with pytest.raises(DataError) as caught:
        data.load("mnist", tmp_path / "own")
    assert str(caught.value) == (
        f"{tmp_path / 'own'} and its mnist and MNIST/raw lack t10k-images-idx3-ubyte (plain or "
        ".gz); "
        "put the files there, or give no data folder to have them downloaded"
    )
    with pytest.raises(DataError) as caught:
        data.load("mnist37", tmp_path / "nothing")
    assert str(caught.value) == (
        f"the data folder {tmp_path / 'nothing'} is not there; give a folder that holds "
        f"{', '.join(NAMES)} (plain or .gz)"
    )


def labels(*values: int) -> bytes:
    return b"\0\0\x08\x01" + struct.pack(">I", len(values)) + bytes(values)


def test_counts_that_differ_are_refused(tmp_path: Path) -> None:
    put(tmp_path, train_labels=labels(*range(10)))
    with pytest.raises(DataError) as caught:
        data.load("mnist", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / NAMES[0]} has 20 images but train-labels-idx1-ubyte has 10 labels; "
        "give the two files that belong together"
    )


@pytest.mark.parametrize(
    ("changed", "name", "message"),
    [
        (
            {"train_labels": FILES[NAMES[0]]},
            "mnist",
            "{folder}/train-labels-idx1-ubyte: holds 20 x 4 x 4 numbers (3 dimensions), where "
            "labels (1 dimension) are expected; give the labels file, not that of the images",
        ),
        (
            {"t10k_labels": labels(*range(1, 11))},
            "mnist",
            "{folder}/t10k-labels-idx1-ubyte: the labels go outside 0..9: 10 at place 9; number "
            "the 10 classes from 0",
        ),
        (
            {"train_labels": labels(*[3] * 20)},
            "mnist37",
            "mnist37: all training targets are 3: one class only; give samples of at least two",
        ),
        (
            {"train_labels": labels(*[1] * 20)},
            "mnist37",
            "mnist37: the training part is empty; give it at least one sample",
        ),
        (
            {"t10k_labels": labels(*[1] * 10)},
            "mnist37",
            "mnist37: the validation part is empty; give it at least one sample",
        ),
        (
            {"train_labels": labels(*[0, 1] * 10)},
            "mnist",
            "mnist: the training part has no sample of 8 of 10 classes (2, 3, 4, 5, 6, …); give "
            "it some, or leave the class out; "
            "if the targets are amounts, give them as floats",
        ),
        (
            {"t10k_images": b"\0\0\x08\x03" + struct.pack(">3I", 10, 2, 2) + bytes(40)},
            "mnist",
            "mnist: a training input has shape [1, 4, 4], a validation input [1, 2, 2]; they must "
            "be the same",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, changed: dict[str, bytes], name: str, message: str
) -> None:
    put(tmp_path, **changed)
    with pytest.raises(DataError) as caught:
        data.load(name, tmp_path)
    assert str(caught.value) == message.format(folder=tmp_path)


# -- downloading -----------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves `content` by path, and keeps the paths that were requested."""

    def __init__(self, content: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.requests = content, list[str]()
        self.headers: dict[str, str] = {}
        self.cut = 0  # bytes announced but not sent

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/pub"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        content = self.server.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        for name, text in self.server.headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content[: len(content) - self.server.cut])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output to itself."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The four small files as a mirror packs them; their checksums are those that are expected."""
    with Server(
        {f"/pub/{name}.gz": gzip.compress(content) for name, content in FILES.items()}
    ) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv(mnist_files.URL_VARIABLE, running.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(
            mnist_files,
            "PUBLISHED",
            {name: (hashlib.sha256(content).hexdigest(), 100) for name, content in FILES.items()},
        )
        yield running
        running.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    return (
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        if folder.is_dir()
        else []
    )


def test_it_is_downloaded_once(
    server: Server, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = data.load("mnist")
    assert len(first.train) == 20
    assert files(nowhere) == sorted(f"mnist/{name}.gz" for name in NAMES)
    assert server.requests == [f"/pub/{name}.gz" for name in NAMES]
    output = capsys.readouterr()
    assert output.err == f"downloading MNIST (0.0 MB) from {server.url} to {nowhere / 'mnist'}\n"
    assert output.out == ""
    assert torch.equal(data.load("mnist").train.x, first.train.x)
    assert len(server.requests) == 4
    assert capsys.readouterr().err == ""


def test_the_folder_of_the_argument_is_never_filled(
    server: Server, tmp_path: Path, nowhere: Path
) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(DataError, match="lack train-images-idx3-ubyte"):
        data.load("mnist", tmp_path / "own")
    assert server.requests == []
    assert files(nowhere) == files(tmp_path / "own") == []


def test_a_server_that_unpacks_on_the_way_is_understood(server: Server, nowhere: Path) -> None:
    server.headers["Content-Encoding"] = "gzip"
    assert len(data.load("mnist").train) == 20
    assert files(nowhere) == sorted(f"mnist/{name}" for name in NAMES)


def fails(server: Server, nowhere: Path, count: int = 0) -> str:
    """The message of a load that fails, having left `kept` files and no more."""
    with pytest.raises(DataError) as caught:
        data.load("mnist")
    assert files(nowhere) == sorted(f"mnist/{name}.gz" for name in NAMES[:count])
    assert list((nowhere / "mnist").glob(".*")) == []
    return str(caught.value).replace(server.url, "URL")


def test_a_file_that_is_not_there(server: Server, nowhere: Path) -> None:
    content = server.content.pop(f"/pub/{NAMES[2]}.gz")
    assert fails(server, nowhere, count=2) == (
        f"cannot download URL/{NAMES[2]}.gz: the server answers 404 Not Found; set "
        "$SEVENSTEPS_MNIST_URL to a mirror, or give "
        "a folder that holds the four files (--data-dir)"
    )
    server.content[f"/pub/{NAMES[2]}.gz"] = content
    server.requests.clear()
    assert len(data.load("mnist").train) == 20
    # what had arrived is not fetched again
    assert server.requests == [f"/pub/{name}.gz" for name in NAMES[2:]]


def test_other_content(server: Server, nowhere: Path) -> None:
    server.content[f"/pub/{NAMES[1]}.gz"] = gzip.compress(FILES[NAMES[3]])
    actual, wanted = (hashlib.sha256(FILES[name]).hexdigest()[:12] for name in (NAMES[3], NAMES[1]))
    assert fails(server, nowhere, count=1) == (
        f"URL/{NAMES[1]}.gz is not the published file: sha256 of its content is {actual}…, not "
        f"{wanted}…; try again, or set "
        "$SEVENSTEPS_MNIST_URL to a mirror"
    )


def test_a_page_in_place_of_the_file(server: Server, nowhere: Path) -> None:
    server.content[f"/pub/{NAMES[0]}.gz"] = b"<html>please log in</html>"
    assert fails(server, nowhere).startswith(f"URL/{NAMES[0]}.gz is not the published file: ")


def test_a_connection_that_breaks_off(server: Server, nowhere: Path) -> None:
    server.cut = 10
    assert fails(server, nowhere).startswith(
        f"cannot download URL/{NAMES[0]}.gz: the connection broke off; "
    )


def test_a_file_that_was_cut_on_the_server(server: Server, nowhere: Path) -> None:
    server.content[f"/pub/{NAMES[0]}.gz"] = server.content[f"/pub/{NAMES[0]}.gz"][:-10]
    assert fails(server, nowhere).startswith(
        f"URL/{NAMES[0]}.gz arrived damaged (Compressed file ended before "
    )


def test_an_endless_file(server: Server, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_files, "MAX_DOWNLOAD", 50)
    assert fails(server, nowhere) == (
        f"URL/{NAMES[0]}.gz sends more than 50 bytes; set $SEVENSTEPS_MNIST_URL to a mirror of "
        "MNIST"
    )


def test_a_bomb(server: Server, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content[f"/pub/{NAMES[0]}.gz"] = gzip.compress(bytes(10_000_000))
    monkeypatch.setattr(mnist_files, "MAX_DOWNLOAD", 100_000)
    assert fails(server, nowhere).startswith(f"URL/{NAMES[0]}.gz is not the published file: ")


def test_nobody_answers(server: Server, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server({}) as closed:
        url = closed.url
    monkeypatch.setenv(mnist_files.URL_VARIABLE, url)
    assert fails(server, nowhere).startswith(
        f"cannot download {url}/{NAMES[0]}.gz: connection refused; "
    )


def test_a_cache_that_cannot_be_written(server: Server, nowhere: Path) -> None:
    nowhere.write_text("a file where the folder should be")
    with pytest.raises(DataError) as caught:
        data.load("mnist")
    assert str(caught.value) == (
        f"MNIST cannot be stored in {nowhere / 'mnist'} (Not a directory); make room or give the "
        "files with a data folder"
    )
    assert server.requests == []


def test_a_terminal_gets_a_bar(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    data.load("mnist")
    assert f"downloading {NAMES[3]}" in capsys.readouterr().err
