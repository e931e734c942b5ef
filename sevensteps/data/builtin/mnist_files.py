"""Where the four files of MNIST are: a folder of yours, the cache, or downloaded into it and
verified.
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
class Samples:
    """Images uint8 `[N, 1, H, W]` and their labels uint8 `[N]`, in the order of the files."""

    images: Tensor
    labels: Tensor


def read(data_dir: Path | None = None) -> tuple[Samples, Samples]:
    """The training and the test samples of the MNIST files that `find` finds."""
    found = find(data_dir)
    return _samples(found, "train"), _samples(found, "t10k")


def _samples(found: dict[str, Path], part: str) -> Samples:
    images_file, labels_file = (
        found[f"{part}-images-idx3-ubyte"],
        found[f"{part}-labels-idx1-ubyte"],
    )
    images, labels = idx.images(images_file), idx.labels(labels_file)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {len(images)} images but {labels_file.name} has {len(labels)} "
            "labels; "
            "give the two files that belong together"
        )
    return Samples(images, labels)


def find(data_dir: Path | None = None) -> dict[str, Path]:
    """The four files by name: from `data_dir` and nowhere else if given, else $SEVENSTEPS_DATA, the
    cache, a download.

    Files in a folder of yours need not be the published ones (Fashion-MNIST, a small sample), only
    valid. Raises `DataError` saying where was looked."""
    if data_dir is not None:
        try:
            there = Path(data_dir).is_dir()
        except OSError as failure:  # a name that is too long, a folder that may not be looked into
            raise DataError(
                f"the data folder {data_dir} cannot be looked into: {failure.strerror}; give a "
                f"folder that holds {_names()}"
            ) from None
        if not there:
            raise DataError(
                f"the data folder {data_dir} is not there; give a folder that holds {_names()}"
            )
        if found := _in_folder(Path(data_dir)):
            return found
        raise DataError(
            f"{data_dir} and its {' and '.join(SUBFOLDERS[1:])} lack "
            f"{_names(_missing(Path(data_dir)))}; "
            "put the files there, or give no data folder to have them downloaded"
        )
    if (own := os.environ.get(FOLDER_VARIABLE)) and (found := _in_folder(Path(own))):
        return found
    cache = cache_folder()
    if not (found := _in_folder(cache)):
        download(cache / "mnist")
        found = _in_folder(cache)
    if not found:
        raise DataError(f"the files of MNIST have vanished from {cache / 'mnist'}; start again")
    return found


def cache_folder() -> Path:
    """Where downloads are kept: the user's cache folder, as the system has it."""
    import pooch

    return Path(pooch.os_cache("sevensteps"))


def _spellings(name: str) -> list[str]:
    dotted = name.replace("-idx", ".idx")
    return [name + ".gz", name, dotted + ".gz", dotted]


def _in_folder(folder: Path) -> dict[str, Path] | None:
    for place in (folder / below for below in SUBFOLDERS):
        found = {
            name: next((place / s for s in _spellings(name) if (place / s).is_file()), None)
            for name in PUBLISHED
        }
        present = {name: path for name, path in found.items() if path is not None}
        if len(present) == len(PUBLISHED):
            return present
    return None


def _missing(folder: Path) -> list[str]:
    places = [folder / below for below in SUBFOLDERS]
    missing = [
        [n for n in PUBLISHED if not any((place / s).is_file() for s in _spellings(n))]
        for place in places
    ]
    return min(missing, key=len)


def _names(names: list[str] | None = None) -> str:
    return ", ".join(names or PUBLISHED) + " (plain or .gz)"


class _Meter(Protocol):
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
            _progress(url, folder) as meter,
        ):
            for name, (checksum, size) in PUBLISHED.items():
                if any((folder / spelling).is_file() for spelling in _spellings(name)):
                    meter(name, size)  # kept, and verified, from a download that broke off later
                    continue
                address = f"{url.rstrip('/')}/{name}.gz"
                arrived = Path(partial) / name
                _fetch(address, arrived, meter)
                target = folder / (
                    name + ".gz" if _packed(arrived) else name
                )  # some servers unpack on the way
                _verify(arrived, address, checksum)
                os.replace(arrived, target)
    except OSError as failure:
        raise DataError(
            f"MNIST cannot be stored in {folder} ({failure.strerror or failure}); make room or "
            "give the files with "
            "a data folder"
        ) from None


class _Bounded:
    """A file that is written up to a limit, and reports what arrives."""

    def __init__(self, path: Path, address: str, meter: _Meter) -> None:
        self.file, self.path, self.address, self.meter, self.size = (
            path.open("wb"),
            path,
            address,
            meter,
            0,
        )

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > MAX_DOWNLOAD:
            raise DataError(
                f"{self.address} sends more than {MAX_DOWNLOAD} bytes; set ${URL_VARIABLE} to a "
                "mirror of MNIST"
            )
        self.file.write(chunk)
        self.meter(self.path.name, len(chunk))

    def flush(self) -> None:
        self.file.flush()


def _fetch(address: str, path: Path, meter: _Meter) -> None:
    import pooch
    import requests

    into, answers = _Bounded(path, address, meter), []

    def keep(answer: requests.Response, **_: object) -> None:
        answers.append(answer)  # pooch leaves it open when something fails

    try:
        pooch.HTTPDownloader(timeout=TIMEOUT, hooks={"response": keep})(address, into, None)
    except requests.RequestException as failure:
        refusal = failure.response
        seen = (
            _reason(failure)
            if refusal is None
            else f"the server answers {refusal.status_code} {refusal.reason}"
        )
        raise DataError(
            f"cannot download {address}: {seen}; set ${URL_VARIABLE} to a mirror, or give a "
            "folder that holds "
            "the four files (--data-dir)"
        ) from None
    finally:
        into.file.close()
        for answer in answers:
            answer.close()


def _reason(failure: BaseException) -> str:
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


def _packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _verify(path: Path, address: str, checksum: str) -> None:
    """Raise `DataError` unless the unpacked content of `path` is what MNIST's authors published."""
    import gzip
    import zlib

    sha = hashlib.sha256()
    size = 0
    try:
        with gzip.open(path) if _packed(path) else path.open("rb") as file:
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
def _progress(url: str, folder: Path) -> Iterator[_Meter]:
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
