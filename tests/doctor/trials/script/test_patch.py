"""Remedies in the words of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.notation import parse_intervention
from sevensteps.doctor.trials.script.of_calls import TakeOff
from sevensteps.doctor.trials.script.of_networks import StandardizeInputs
from sevensteps.doctor.trials.script.of_steps import AddParameters, ClearGradients, LrTimes
from sevensteps.doctor.trials.script.patch import patch_of
from sevensteps.doctor.trials.script.source import Source

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


LOSSES = """
a = F.mse_loss(out, y)
b = criterion(net(x), y)
c = F.nll_loss(out, y)
total = a + F.cross_entropy(out, labels)
d = (out - y).square().mean()
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "reshape_target(function='mse_loss', place='train.py:2')",
            "train.py:2: `a = F.mse_loss(out, y)` → `a = F.mse_loss(out, y.view_as(out))`",
        ),
        (
            "reshape_target(function='mse_loss', place='train.py:3')",
            "train.py:3: `b = criterion(net(x), y)` → `b = criterion(net(x), y.view_as(net(x)))`",
        ),
        (
            "reshape_target(function='sub', place='train.py:6')",
            "train.py:6: give the target the output's shape: `target.view_as(output)`",
        ),
        (
            "insert(function='nll_loss', place='train.py:4', by='log_softmax')",
            "train.py:4: `c = F.nll_loss(out, y)` → `c = F.nll_loss(F.log_softmax(out, dim=1), y)`",
        ),
        (
            "loss_times(function='mse_loss', place='train.py:2', factor=0.01)",
            "train.py:2: `a = F.mse_loss(out, y)` → `a = 0.01 * F.mse_loss(out, y)`",
        ),
        (
            "ignore_class(function='cross_entropy', place='train.py:5', index=0)",
            "train.py:5: `total = a + F.cross_entropy(out, labels)` → "
            "`total = a + F.cross_entropy(out, labels, ignore_index=0)`",
        ),
    ],
)
def test_losses_as_they_should_be(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "train.py"
    path.write_text(LOSSES)
    assert patch_of(parse_intervention(text), [Source(path)], ()) == expected


LOOP = """
loader = DataLoader(data, batch_size=8)
net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.999)
opt.zero_grad()
loss.backward()
nn.utils.clip_grad_norm_(net.parameters(), 1e-6)
opt.step()
"""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("shuffle()", 2, "shuffle=True"),
        ("swap_activation(by='leaky_relu')", 3, "LeakyReLU"),
        ("set_option(name='momentum', value=0.9, before=0.999)", 4, "momentum=0.9)`"),
        ("set_option(name='weight_decay', value=0.1, before=5)", 4, "with `weight_decay=0.1`"),
        ("keep_gradients()", 5, "only after `opt.step()`"),
        ("flip_sign()", 6, "minus the loss"),
        ("no_clipping()", 7, "leave out `nn.utils.clip_grad_norm_"),
        ("clip_gradients(norm=1.0)", 8, "before `opt.step()` add"),
    ],
)
def test_lines_of_a_loop(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "train.py"
    path.write_text(LOOP)
    for files in ([Source(path)], []):
        patch = patch_of(parse_intervention(text), files, ("SGD",))
        assert patch
        assert not files or (patch.startswith(f"train.py:{line}: ") and words in patch)


@pytest.mark.parametrize("text", ["initialize(rule='kaiming_normal')", "set_modes()"])
def test_what_needs_more_than_a_line_is_said_in_words(text: str) -> None:
    assert patch_of(parse_intervention(text), [], ())
