"""What `train` prints: its plan, warnings, and what to run next."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sevensteps.cli import main
from sevensteps.cli.training_output import duplicates_warning
from tests.data.copies import with_copies


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        (0, ""),
        (
            1,
            "1 of 20 validation samples is also a training sample, so the validation figures are "
            "better than they would be on new samples.",
        ),
        (
            7,
            "7 of 20 validation samples are also training samples, so the validation figures are "
            "better than they would be on new samples.",
        ),
        (
            20,
            "All 20 validation samples are also training samples, so the validation figures say "
            "nothing about new samples.",
        ),
    ],
)
def test_the_warning_about_duplicates(copies: int, message: str) -> None:
    data = with_copies(copies)
    assert data.duplicates == data.facts()["duplicates"] == copies
    assert duplicates_warning(data) == message


def test_training_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = (
        torch.cat(
            [getattr(with_copies(0).train, name), getattr(with_copies(0).valid, name)]
        ).numpy()
        for name in "xy"
    )
    np.savez(
        "a.npz",
        x=x[:40],
        y=y[:40, 0].astype(int),
        x_valid=np.concatenate([x[:3], x[40:]]),
        y_valid=np.concatenate([y[:3, 0], y[40:, 0]]).astype(int),
    )
    for arguments in (
        ["train", "a.npz", "--stop", "epochs(1)", "--out", "run"],
        ["data", "a.npz", "--json"],
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert not left.value.code
        out = capsys.readouterr().out
        if arguments[0] == "train":
            assert (
                "3 of 23 validation samples are also training samples, so the validation figures "
                "are better than they would be on new samples." in " ".join(out.split())
            )
    assert json.loads(out)["duplicates"] == 3
