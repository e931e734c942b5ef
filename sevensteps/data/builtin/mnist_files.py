"""Finds the four files of MNIST, or downloads and verifies them.

They are looked for in a folder of yours, then in the cache.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from sevensteps.data.formats import idx
from sevensteps.errors import DataError

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
URL_VARIABLE = "SEVENSTEPS_MNIST_URL"
FOLDER_VARIABLE = "SEVENSTEPS_DATA"
SUBFOLDERS = ("", "mnist", "MNIST/raw")  # as given, as in this project, as torchvision lays it out
MAX_DOWNLOAD = 1 << 27  # bytes of one file; the largest is 47 MB unpacked
TIMEOUT = 30  # seconds without an answer

# Of the unpacked content, since a mirror may pack it anew; and the size of the published packed
# file, in bytes, for the bar.
PUBLISHED = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        9_912_422,
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        28_881,
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        1_648_877,
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        4_542,
    ),
}


@dataclass(frozen=True, eq=False)
class MnistPart:
    """Images uint8 `[N, 1, H, W]` and their labels uint8 `[N]`, in the order of the files."""

    images: Tensor
    labels: Tensor


def read_mnist(data_dir: Path | None = None) -> tuple[MnistPart, MnistPart]:
    """The training and the test samples of the MNIST files that `find_files` gives."""
    files = find_files(data_dir)
    return _read_part(files, "train"), _read_part(files, "t10k")


def _read_part(files: dict[str, Path], part: str) -> MnistPart:
    images_file = files[f"{part}-images-idx3-ubyte"]
    labels_file = files[f"{part}-labels-idx1-ubyte"]
    images, labels = idx.read_images(images_file), idx.read_labels(labels_file)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {len(images)} images but {labels_file.name} has {len(labels)} "
            "labels; "
            "give the two files that belong together"
        )
    return MnistPart(images, labels)


def find_files(data_dir: Path | None = None) -> dict[str, Path]:
    """The four files by name: from `data_dir` and nowhere else if given, else $SEVENSTEPS_DATA, the
    cache, a download.

    Files in a folder of yours need not be the published ones (Fashion-MNIST, a small sample), only
    valid. Raises `DataError` that says where they were looked for.
    """
    if data_dir is not None:
        try:
            is_folder = Path(data_dir).is_dir()
        except OSError as failure:  # a name that is too long, a folder that may not be looked into
            raise DataError(
                f"the data folder {data_dir} cannot be looked into: {failure.strerror}; give a "
                f"folder that holds {_name_files()}"
            ) from None
        if not is_folder:
            raise DataError(
                f"the data folder {data_dir} is not there; give a folder that holds {_name_files()}"
            )
        if files := _files_in(Path(data_dir)):
            return files
        raise DataError(
            f"{data_dir} and its {' and '.join(SUBFOLDERS[1:])} lack "
            f"{_name_files(_missing_files(Path(data_dir)))}; "
            "put the files there, or give no data folder to have them downloaded"
        )
    if (folder := os.environ.get(FOLDER_VARIABLE)) and (files := _files_in(Path(folder))):
        return files
    cache = cache_folder()
    if not (files := _files_in(cache)):
        download(cache / "mnist")
        files = _files_in(cache)
    if not files:
        raise DataError(f"the files of MNIST have vanished from {cache / 'mnist'}; start again")
    return files


def cache_folder() -> Path:
    """Where downloads are kept: the user's cache folder, as the system has it."""
    import pooch

    return Path(pooch.os_cache("sevensteps"))


def _file_names(name: str) -> list[str]:
    """The names that a file has in the wild, packed and plain."""
    dotted = name.replace("-idx", ".idx")
    return [name + ".gz", name, dotted + ".gz", dotted]


def _present_files(folder: Path) -> dict[str, Path]:
    """Those of the four files that lie in `folder` itself."""
    paths = ((name, folder / file) for name in PUBLISHED for file in _file_names(name)[::-1])
    return {name: path for name, path in paths if path.is_file()}


def _files_in(folder: Path) -> dict[str, Path] | None:
    """The four files in `folder` or one of its subfolders; None where none has all."""
    for subfolder in SUBFOLDERS:
        files = _present_files(folder / subfolder)
        if len(files) == len(PUBLISHED):
            return files
    return None


def _missing_files(folder: Path) -> list[str]:
    """What lacks in the subfolder that lacks least."""
    present = [_present_files(folder / subfolder) for subfolder in SUBFOLDERS]
    return [name for name in PUBLISHED if name not in max(present, key=len)]


def _name_files(names: list[str] | None = None) -> str:
    return ", ".join(names or PUBLISHED) + " (plain or .gz)"


class _Progress(Protocol):
    def __call__(self, name: str, size: int) -> None: ...


def download(folder: Path) -> None:
    """The four files into `folder`, each verified before it appears there. Raises `DataError` with
    the address and the fix.
    """
    url = os.environ.get(URL_VARIABLE) or URL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial,
            _show_progress(url, folder) as report,
        ):
            for name, (checksum, size) in PUBLISHED.items():
                if any((folder / file).is_file() for file in _file_names(name)):
                    report(name, size)  # there since an earlier download, which verified it
                    continue
                address = f"{url.rstrip('/')}/{name}.gz"
                downloaded = Path(partial) / name
                _fetch(address, downloaded, report)
                # some servers unpack on the way
                target = folder / (name + ".gz" if _is_packed(downloaded) else name)
                _verify(downloaded, address, checksum)
                os.replace(downloaded, target)
    except OSError as failure:
        raise DataError(
            f"MNIST cannot be stored in {folder} ({failure.strerror or failure}); make room or "
            "give the files with "
            "a data folder"
        ) from None


class _LimitedFile:
    """A file that is written up to a limit, and reports the bytes written."""

    def __init__(self, path: Path, address: str, report: _Progress) -> None:
        self.file = path.open("wb")
        self.path, self.address, self.report, self.size = path, address, report, 0

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > MAX_DOWNLOAD:
            raise DataError(
                f"{self.address} sends more than {MAX_DOWNLOAD} bytes; set ${URL_VARIABLE} to a "
                "mirror of MNIST"
            )
        self.file.write(chunk)
        self.report(self.path.name, len(chunk))

    def flush(self) -> None:
        self.file.flush()


def _fetch(address: str, path: Path, report: _Progress) -> None:
    import pooch
    import requests

    file = _LimitedFile(path, address, report)
    responses: list[requests.Response] = []

    def remember(response: requests.Response, **_: object) -> None:
        responses.append(response)  # pooch leaves it open when something fails

    try:
        pooch.HTTPDownloader(timeout=TIMEOUT, hooks={"response": remember})(address, file, None)
    except requests.RequestException as failure:
        response = failure.response
        reason = (
            _describe_failure(failure)
            if response is None
            else f"the server answers {response.status_code} {response.reason}"
        )
        raise DataError(
            f"cannot download {address}: {reason}; set ${URL_VARIABLE} to a mirror, or give a "
            "folder that holds "
            "the four files (--data-dir)"
        ) from None
    finally:
        file.file.close()
        for response in responses:
            response.close()


def _describe_failure(failure: BaseException) -> str:
    text = str(failure)
    for words, reason in (
        ("Name or service", "no such host, or no network"),
        ("resolve", "no such host, or no network"),
        ("refused", "connection refused"),
        ("timed out", f"no answer in {TIMEOUT} s"),
        ("IncompleteRead", "the connection broke off"),
        ("Connection broken", "the connection broke off"),
    ):
        if words in text:
            return reason
    return type(failure).__name__


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _verify(path: Path, address: str, checksum: str) -> None:
    """Raise `DataError` unless the unpacked content of `path` is what MNIST's authors published."""
    import gzip
    import zlib

    sha = hashlib.sha256()
    size = 0
    try:
        with gzip.open(path) if _is_packed(path) else path.open("rb") as file:
            while chunk := file.read(idx.CHUNK):
                sha.update(chunk)
                size += len(chunk)
                if size > MAX_DOWNLOAD:
                    break
    except (gzip.BadGzipFile, zlib.error, EOFError) as failure:
        raise DataError(
            f"{address} arrived damaged ({failure}); try again, or set ${URL_VARIABLE} to a mirror"
        ) from None
    if sha.hexdigest() != checksum:
        raise DataError(
            f"{address} is not the published file: sha256 of its content is "
            f"{sha.hexdigest()[:12]}…, not "
            f"{checksum[:12]}…; try again, or set ${URL_VARIABLE} to a mirror"
        )


@contextmanager
def _show_progress(url: str, folder: Path) -> Iterator[_Progress]:
    """A bar on a terminal, one line in a log; on stderr, since stdout may carry JSON."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console, total = Console(stderr=True), sum(size for _, size in PUBLISHED.values())
    if not console.is_terminal:
        console.print(
            f"downloading MNIST ({total / 1e6:.1f} MB) from {url} to {folder}",
            soft_wrap=True,
            highlight=False,
        )
        yield lambda name, size: None
        return
    columns = (
        TextColumn("downloading {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("MNIST", total=total)
        yield lambda name, size: bar.update(task, advance=size, description=name)
