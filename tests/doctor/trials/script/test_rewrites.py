"""What is to stand on a line of the user's, by the finding; and that it stands there in a trial."""

from __future__ import annotations

import ast
import importlib
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.doctor.conditions import condition_names
from sevensteps.doctor.trials.script.notation import change_of, parse_change
from sevensteps.doctor.trials.script.of_source import (
    Rewrite,
    edited,
    read_modules_by,
    rewrite,
)
from sevensteps.doctor.trials.script.patch import patch_of
from sevensteps.doctor.trials.script.rewrites import REWRITES
from sevensteps.doctor.trials.script.source import Source

LAYERS = """
class Net(nn.Module):
    def forward(s, x):
        x = F.dropout(s.a(x), p=0.5)
        x = nn.Dropout(0.1)(x)
        return s.enc(s.emb(x))
"""


def rewritten(tmp_path: Path, condition: str, text: str, case: Any = None, **where: Any) -> str:
    """The text with the first rewrite of a finding; "" without one."""
    path = tmp_path / "train.py"
    path.write_text(text)
    evidence = [SimpleNamespace(source=where.pop("source", ""), observed=1.0)]
    remedies = [SimpleNamespace(change={"step": where.pop("step", "")})]
    finding: Any = SimpleNamespace(
        condition=condition, where=where, evidence=evidence, remedies=remedies
    )
    files = [Source(path)]
    for find in REWRITES[condition]:
        for intervention in find(case or SimpleNamespace(), finding, files):
            assert isinstance(intervention, Rewrite)
            assert parse_change(change_of([intervention])) == [intervention]
            assert patch_of(intervention, files, ()).startswith("train.py:")
            assert intervention.source("elsewhere.py", b"") == b""
            result = intervention.source(str(path), path.read_bytes()).decode()
            assert intervention.applied
            ast.parse(result)
            return result
    return ""


@pytest.mark.parametrize(
    ("cause", "before", "after"),
    [
        ("root", "d = ((p - q) ** 2).sum(1).sqrt()", "d = (((p - q) ** 2).sum(1) + 1e-08).sqrt()"),
        ("root", "d = torch.sqrt(v)", "d = torch.sqrt((v + 1e-08))"),
        ("root", "d = v ** 0.5 + w ** 2", "d = (v + 1e-08) ** 0.5 + w ** 2"),
        ("root", "d = (a - b).norm(dim=1)", "d = (((a - b) + 1e-08)).norm(dim=1)"),
        ("log", "d = -(y * p.log())", "d = -(y * (p).clamp(min=1e-08).log())"),
        ("log", "d = torch.log(1 - p)", "d = torch.log((1 - p).clamp(min=1e-08))"),
        ("division", "d = a / n.sum(1) / 2", "d = a / (n.sum(1) + 1e-08) / 2"),
        ("exponential", "d = torch.exp(v)", "d = torch.exp((v).clamp(max=20.0))"),
        ("masked", "d = att(h, key_padding_mask=x == 0)",
         "d = att(h, key_padding_mask=(x == 0) & ~(x == 0).all(1, keepdim=True))"),
        ("masked", "d = s.masked_fill(m, float('-inf')).softmax(-1)",
         "d = s.masked_fill(m, -1e9).softmax(-1)"),
        ("overflow", "d = a * b", ""),
    ],
)  # fmt: skip
def test_numbers_that_are_not_finite(cause: str, before: str, after: str, tmp_path: Path) -> None:
    assert rewritten(tmp_path, "not_finite", before, line="train.py:1", cause=cause) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = nn.CrossEntropyLoss(weight=freq)", "a = nn.CrossEntropyLoss(weight=1 / freq)"),
        (
            "a = F.cross_entropy(o, y, weight=n / m)",
            "a = F.cross_entropy(o, y, weight=1 / (n / m))",
        ),
        ("a = nn.CrossEntropyLoss()", "a = nn.CrossEntropyLoss(weight=torch.tensor([0.67, 2.0]))"),
    ],
)
def test_class_weights_the_other_way_round(before: str, after: str, tmp_path: Path) -> None:
    case = SimpleNamespace(labels=torch.tensor([0, 0, 0, 1]), task="multiclass")
    assert rewritten(tmp_path, "class_imbalance", before, case) == after


def test_gradients_are_unscaled_before_they_are_clipped(tmp_path: Path) -> None:
    text = "scaler.scale(loss).backward()\nclip_grad_norm_(p, 1.0)\nscaler.step(opt)\n"
    expected = text.replace("clip", "scaler.unscale_(opt); clip")
    assert rewritten(tmp_path, "gradient_clipped_away", text) == expected
    assert rewritten(tmp_path, "gradient_clipped_away", expected) == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("out = torch.tensor(out.detach().numpy())\nloss.requires_grad = True", "out = out\npass"),
        ("h = self.body(x).data\nprint(h.detach())", "h = self.body(x)\nprint(h.detach())"),
        ("with torch.no_grad():\n    h = f(x).detach()\ny = torch.tensor([1])", ""),
        ("total += loss.item()", ""),
    ],
)
def test_what_leaves_the_graph_stays_in_it(before: str, after: str, tmp_path: Path) -> None:
    source = "no graph behind the loss"
    assert rewritten(tmp_path, "parameters_not_updated", before, source=source) == after
    assert rewritten(tmp_path, "parameters_not_updated", before) == ""


def test_dropout_follows_the_mode(tmp_path: Path) -> None:
    text = rewritten(tmp_path, "mode_mismatch", LAYERS)
    assert "F.dropout(s.a(x), p=0.5, training=s.training)" in text
    assert "nn.Dropout(0.1).train(s.training)(x)" in text


@pytest.mark.draws
@pytest.mark.parametrize("first", [True, False])
def test_attention_sees_what_came_before(first: bool, tmp_path: Path) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=first)
    network = nn.ModuleDict({"enc": nn.TransformerEncoder(layer, 1, None, False)})
    text = rewritten(tmp_path, "target_in_input", LAYERS, SimpleNamespace(network=network))
    size = f"s.emb(x).shape[{int(first)}]"
    assert f"mask=nn.Transformer.generate_square_subsequent_mask({size})" in text


def test_an_axis_that_is_not_that_of_the_batch(tmp_path: Path) -> None:
    text = "p = F.log_softmax(out, dim=0)\nq = x.softmax(0)\nr = x.softmax(1)"
    expected = "p = F.log_softmax(out, dim=-1)\nq = x.softmax(-1)\nr = x.softmax(1)"
    assert rewritten(tmp_path, "output_loss_mismatch", text) == expected


def test_targets_of_a_term_get_a_size_of_one(tmp_path: Path) -> None:
    content = {"target.low": 100.0, "target.high": 300.0}
    call = SimpleNamespace(name="mse_loss", where="train.py:1", content=content)
    case = SimpleNamespace(looks=[SimpleNamespace(calls=[call])])
    text = "loss = F.cross_entropy(a, k) + F.mse_loss(p, t[b])"
    expected = "loss = F.cross_entropy(a, k) + F.mse_loss(p, (t[b] - 200) / 50)"
    terms = ["mse_loss of price", "cross_entropy of kind"]
    assert rewritten(tmp_path, "loss_terms_unbalanced", text, case, terms=terms) == expected


def test_every_condition_with_rewrites_exists() -> None:
    assert set(REWRITES) <= set(condition_names())


def test_another_line_is_not_edited() -> None:
    with pytest.raises(ValueError, match="line 1 is another one"):
        edited("a = 1", ((1, 0, "b", "c"),))


def test_modules_say_something_else_when_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "said_otherwise.py").write_text("number = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(SourceFileLoader, "get_code", SourceFileLoader.get_code)
    read_modules_by(
        lambda path, data: data.replace(b"1", b"2") if "said_otherwise" in path else data
    )
    assert importlib.import_module("said_otherwise").number == 2
    del sys.modules["said_otherwise"]


def test_slices_of_an_order_that_is_drawn(tmp_path: Path) -> None:
    text = (
        "for epoch in range(3):\n    for i in range(0, len(x), 8):\n"
        "        loss = f(x[i:i + 8], y[i:i + 8])\n        loss.backward()\n"
        "for i in range(9):\n    print(x[i:i + 8])\n"
    )
    expected = text.replace("    for i", "    order = torch.randperm(len(x))\n    for i", 1)
    for name in "xy":
        expected = expected.replace(f"{name}[i:i + 8],", f"{name}[order[i:i + 8]],")
    expected = expected.replace(" y[i:i + 8])", " y[order[i:i + 8]])")
    assert rewritten(tmp_path, "not_shuffled", text) == expected


def test_another_optimizer(tmp_path: Path) -> None:
    text = "opt = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)"
    expected = "opt = torch.optim.Adam(net.parameters(), lr=0.001)"
    assert rewritten(tmp_path, "learning_rate_too_low", text, step="adam(lr=0.001)") == expected
    assert rewritten(tmp_path, "learning_rate_too_low", expected, step="adam(lr=0.001)") == ""


def test_a_mean_in_place_of_a_sum(tmp_path: Path) -> None:
    text = "a = nn.MSELoss(reduction='sum')"
    assert rewritten(tmp_path, "loss_scale", text) == 'a = nn.MSELoss(reduction="mean")'


def test_attention_that_is_written_out(tmp_path: Path) -> None:
    text = (
        "class Net(nn.Module):\n    def forward(self, x):\n"
        "        return torch.softmax(q @ k, dim=-1) @ v, x.softmax(1)\n"
    )
    later = "torch.ones_like(q @ k).triu(1).bool()"
    expected = text.replace("softmax(q @ k", f"softmax((q @ k).masked_fill({later}, -1e9)")
    assert rewritten(tmp_path, "target_in_input", text, SimpleNamespace(network=None)) == expected


@pytest.mark.draws
def test_padding_is_not_seen_and_not_averaged(tmp_path: Path) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 8)
    network = nn.ModuleDict({"enc": layer})
    examples = torch.tensor([[3, 9, 9], [4, 5, 9]]), torch.tensor([0, 1])
    text = (
        "class Net(nn.Module):\n    def forward(self, x):\n"
        "        return self.enc(self.emb(x)).mean(1)\n"
    )
    case = SimpleNamespace(network=network, examples=examples)
    result = rewritten(tmp_path, "padding_read", text.replace(".mean(1)", ""), case)
    assert "self.enc(self.emb(x), src_key_padding_mask=x == 9)" in result
    result = rewritten(tmp_path, "padding_read", text.replace("self.enc", "self.other"), case)
    mean = "(self.other(self.emb(x)) * (x != 9)[..., None]).sum(1) / (x != 9).sum(1, keepdim=True)"
    assert f"return {mean}.clamp(min=1)" in result


def test_of_edits_within_one_another_the_outer_is_made() -> None:
    file: Any = SimpleNamespace(path="a.py")
    outer, inner, after = (1, 0, "f(g(x))", "y"), (1, 2, "g(x)", "x"), (1, 9, "z", "w")
    [made] = rewrite(file, [inner, after, outer])
    assert made.edits == (outer, after)
    assert edited("f(g(x))  z", made.edits) == "y  w"
