"""IDX files: what is read, and what each kind of damage is called."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sevensteps.data.formats import idx
from sevensteps.errors import Error

IMAGES = bytes(range(12))


def packed(content: bytes, *shape: int, kind: int = 0x08) -> bytes:
    """An IDX file of `content` whose header announces `shape`."""
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_images_and_labels_are_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    suffix = "" if pack is bytes else ".gz"
    pictures, answers = tmp_path / f"images{suffix}", tmp_path / f"labels{suffix}"
    pictures.write_bytes(pack(packed(IMAGES, 2, 3, 2)))
    answers.write_bytes(pack(packed(bytes([3, 7]), 2)))
    assert idx.read_images(pictures).tolist() == [
        [[[0, 1], [2, 3], [4, 5]]],
        [[[6, 7], [8, 9], [10, 11]]],
    ]
    assert idx.read_labels(answers).tolist() == [3, 7]
    assert idx.read_images(pictures).dtype == idx.read_labels(answers).dtype == torch.uint8


@pytest.mark.parametrize(("kind", "dtype"), idx.TYPES.items())
def test_every_type_is_read(tmp_path: Path, kind: int, dtype: str) -> None:
    file = tmp_path / "numbers"
    values = numpy.array([[1, 2, 3], [4, 5, 100]], dtype)
    file.write_bytes(packed(values.tobytes(), 2, 3, kind=kind))
    assert idx.read_array(file).dtype == numpy.dtype(dtype)
    assert (idx.read_array(file) == values).all()


def test_gzip_without_the_name_is_read(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_bytes(gzip.compress(packed(bytes([1, 2]), 2)))
    assert idx.read_labels(file).tolist() == [1, 2]


GOOD = packed(IMAGES, 2, 3, 2)
LABELS = packed(bytes([3, 7]), 2)
DAMAGED = [
    # name of the file, its bytes, what it is read as, the message after the path
    (
        "x",
        b"",
        idx.read_images,
        "is not IDX: it starts with nothing, not with 00 00 08 and 01 (labels) or 03 (images); "
        "give the files as MNIST publishes them",
    ),
    (
        "x",
        b"\x89PNG\r\n",
        idx.read_images,
        "is not IDX: it starts with 89 50 4e 47, not with 00 00 08 and 01 (labels) or 03 (images); "
        "give the files as MNIST publishes them",
    ),
    ("x", GOOD[:10], idx.read_images, "cut short inside its header; fetch it again"),
    (
        "x",
        GOOD[:-1],
        idx.read_images,
        "cut short: its header announces 2 x 3 x 2 numbers, 12 bytes, but 11 follow; fetch it "
        "again",
    ),
    (
        "x",
        GOOD + b"!",
        idx.read_images,
        "goes on after the 2 x 3 x 2 numbers that its header announces; fetch it again",
    ),
    (
        "x",
        packed(b"", 2**32 - 1, 2**32 - 1, 2**32 - 1),
        idx.read_images,
        "cut short: its header announces 4294967295 x 4294967295 x 4294967295 numbers, more than "
        "a file of its size can hold; "
        "fetch it again",
    ),
    (
        "x",
        LABELS,
        idx.read_images,
        "holds 2 numbers (1 dimension), where images (3 dimensions) are expected; "
        "give the images file, not that of the labels",
    ),
    (
        "x",
        GOOD,
        idx.read_labels,
        "holds 2 x 3 x 2 numbers (3 dimensions), where labels (1 dimension) are expected; "
        "give the labels file, not that of the images",
    ),
    (
        "x",
        packed(bytes(4), 1, 1, 1, kind=0x0D),
        idx.read_images,
        "the pixels are float32, where unsigned bytes are expected; convert them to 0..255",
    ),
    (
        "x",
        packed(bytes(4), 1, kind=0x0C),
        idx.read_labels,
        "the labels are int32, where unsigned bytes are expected; convert them to 0..9",
    ),
    (
        "x",
        packed(b"", 0, 28, 28),
        idx.read_images,
        "holds 0 x 28 x 28 numbers (3 dimensions): no pixel in it; fetch it again",
    ),
    ("x", packed(b"", 0), idx.read_labels, "no label in it; fetch it again"),
    (
        "x",
        packed(bytes([0, 9, 10, 200]), 4),
        idx.read_labels,
        "the labels go outside 0..9: 10 at place 2; number the 10 classes from 0",
    ),
    (
        "x.gz",
        GOOD,
        idx.read_images,
        "its name ends in .gz but it is not gzip; take .gz off the name, or fetch it again",
    ),
    (
        "x.gz",
        gzip.compress(GOOD)[:-9],
        idx.read_images,
        "damaged gzip (Compressed file ended before the end-of-stream marker was reached); fetch "
        "it again",
    ),
    (
        "x.gz",
        gzip.compress(GOOD + b"!"),
        idx.read_images,
        "goes on after the 2 x 3 x 2 numbers that its header announces; fetch it again",
    ),
    (
        "x.gz",
        gzip.compress(GOOD[:-1]),
        idx.read_images,
        "cut short: its header announces 2 x 3 x 2 numbers, 12 bytes, but 11 follow; fetch it "
        "again",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "read", "message"), DAMAGED, ids=[entry[3][:40] for entry in DAMAGED]
)
def test_damage_is_named(
    tmp_path: Path, name: str, content: bytes, read: Callable[[Path], torch.Tensor], message: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(Error) as caught:
        read(file)
    assert str(caught.value) == f"{file}: {message}"


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        idx.read_array(tmp_path / "x")
    assert (
        str(caught.value)
        == f"{tmp_path / 'x'}: there is no such file; check the folder and the name"
    )
    with pytest.raises(Error) as caught:
        idx.read_array(tmp_path)
    assert (
        str(caught.value)
        == f"{tmp_path}: cannot be read (Is a directory); give a file that you may read"
    )


def test_a_flipped_bit_in_gzip_is_detected(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(packed(bytes(1000), 1000)))
    whole[-6] ^= 1  # in the checksum at the end
    file = tmp_path / "x.gz"
    file.write_bytes(whole)
    with pytest.raises(Error, match=r"damaged gzip \(CRC check failed"):
        idx.read_array(file)


def test_a_bomb_takes_no_more_memory_than_it_announces(tmp_path: Path) -> None:
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(packed(bytes(200_000_000), 10), compresslevel=1))
    tracemalloc.start()
    try:
        with pytest.raises(Error, match="goes on after the 10 numbers"):
            idx.read_array(file)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_announcing_much_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(
        gzip.compress(packed(numpy.random.default_rng(0).bytes(1_000_000), 1_000_000_000))
    )
    tracemalloc.start()
    try:
        with pytest.raises(Error, match="1000000000 bytes, but 1000000 follow"):
            idx.read_array(file)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


HEADERS = st.builds(
    lambda kind, shape, rest: packed(rest, *shape, kind=kind),
    st.sampled_from([*idx.TYPES, 0, 255]),
    st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 4), max_size=9),
    st.binary(max_size=64),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    content=st.binary(max_size=64) | HEADERS,
    pack=st.sampled_from([bytes, gzip.compress]),
    cut=st.integers(0, 8),
)
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path: Path,
    content: bytes,
    pack: Callable[[bytes], bytes],
    cut: int,
) -> None:
    file = tmp_path / "x"
    written = pack(content)
    file.write_bytes(written[: len(written) - cut])
    for read in (idx.read_images, idx.read_labels):
        array = read_or_refusal(read, file)
        if isinstance(array, str):
            assert array.startswith(f"{file}: ")
            assert "\n" not in array
        else:
            assert array.dtype == torch.uint8
            assert array.numel() > 0


def read_or_refusal(read: Callable[[Path], torch.Tensor], file: Path) -> torch.Tensor | str:
    try:
        return read(file)
    except Error as failure:
        return str(failure)
