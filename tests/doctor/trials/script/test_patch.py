"""Remedies in the words of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.of_calls import TakeOff
from sevensteps.doctor.trials.script.of_networks import StandardizeInputs
from sevensteps.doctor.trials.script.of_steps import AddParameters, ClearGradients, LrTimes
from sevensteps.doctor.trials.script.patch import Source, patch_of

FILE = """
net = nn.Sequential(nn.Linear(4, 4), nn.Softmax(dim=1))
opt = torch.optim.SGD(net.parameters(), lr=0.5)
adam = optim.Adam(net.parameters(), args.lr)
default = optim.AdamW(net.parameters())
loss = F.cross_entropy(net(x).softmax(1), y)
loss = F.cross_entropy(F.softmax(net(x), dim=1), y)
out = net(x)
p = (  # é
    torch.sigmoid(out)
)
loss.backward()
opt.step()
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Source]:
    path = tmp_path / "train.py"
    path.write_text(FILE, encoding="utf-8")
    return [Source(path)]


@pytest.mark.parametrize(
    ("intervention", "optimizer", "expected"),
    [
        (
            TakeOff("softmax", "train.py:6"),
            "SGD",
            "train.py:6: `loss = F.cross_entropy(net(x).softmax(1), y)` → "
            "`loss = F.cross_entropy(net(x), y)`",
        ),
        (
            TakeOff("softmax", "train.py:7"),
            "SGD",
            "train.py:7: `loss = F.cross_entropy(F.softmax(net(x), dim=1), y)` → "
            "`loss = F.cross_entropy(net(x), y)`",
        ),
        (TakeOff("sigmoid", "train.py:10"), "SGD", "train.py:10: `torch.sigmoid(out)` → `out`"),
        (
            TakeOff("softmax", "train.py:8"),
            "SGD",
            "train.py:2: `net = nn.Sequential(nn.Linear(4, 4), nn.Softmax(dim=1))` → without "
            "`nn.Softmax(dim=1)` (it is called at train.py:8)",
        ),
        (
            LrTimes(0.1),
            "SGD",
            "train.py:3: `opt = torch.optim.SGD(net.parameters(), lr=0.5)` → "
            "`opt = torch.optim.SGD(net.parameters(), lr=0.05)`",
        ),
        (
            LrTimes(0.1),
            "Adam",
            "train.py:4: `adam = optim.Adam(net.parameters(), args.lr)` → "
            "`adam = optim.Adam(net.parameters(), 0.1 * args.lr)`",
        ),
        (
            LrTimes(0.1),
            "AdamW",
            "train.py:5: `default = optim.AdamW(net.parameters())` → its default learning rate "
            "times 0.1",
        ),
        (
            ClearGradients(),
            "SGD",
            "train.py:12: before `loss.backward()` add `opt.zero_grad()`, once for every step",
        ),
    ],
)
def test_lines_as_they_should_be(
    files: list[Source], intervention: Intervention, optimizer: str, expected: str
) -> None:
    patch = patch_of(intervention, files, (optimizer,))
    assert patch.replace("(  # é", "(") == expected


@pytest.mark.parametrize(
    "intervention",
    [
        *(TakeOff("softmax", "train.py:6"), LrTimes(0.1), ClearGradients(), AddParameters()),
        StandardizeInputs(),
    ],
)
@pytest.mark.parametrize("text", [None, "x = 1\n", "this is ( no Python"])
def test_words_where_there_is_no_line(
    tmp_path: Path, intervention: Intervention, text: str | None
) -> None:
    path = tmp_path / "train.py"
    if text is not None:
        path.write_text(text)
    assert patch_of(intervention, [] if text is None else [Source(path)], ("SGD",))
