"""PyTorch's warnings are kept, and the user sees of them what he saw before."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from sevensteps.observe.torch_warnings import TrainingWarning, WarningRecorder


@pytest.fixture
def recorder() -> Iterator[WarningRecorder]:
    recorder = WarningRecorder([], step=lambda: 4)
    recorder.start()
    yield recorder
    recorder.stop()


def warn_of_shapes() -> None:
    F.mse_loss(torch.zeros(3, 1), torch.ones(3))


def test_warnings_of_pytorch_are_kept_with_place_step_and_count(recorder: WarningRecorder) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        warn_of_shapes()
        recorder.step = lambda: 5
        warn_of_shapes()
        warnings.warn("of the training's own", stacklevel=1)
    assert len(shown) == 3
    (kept,) = recorder.warnings
    assert kept.text.startswith("Using a target size (torch.Size([3]))")
    assert (kept.category, kept.step, kept.count) == ("UserWarning", 4, 2)
    assert kept.where.startswith("test_torch_warnings.py:")


def test_a_warning_from_within_pytorch_in_cpp_is_one_of_its_own(recorder: WarningRecorder) -> None:
    text = "The operator is slow. (Triggered internally at /pytorch/aten/src/X.cpp:12.)"
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        warnings.warn(text, stacklevel=1)
    assert [kept.text for kept in recorder.warnings] == ["The operator is slow."]


def test_what_the_user_sees_stays_what_it_was() -> None:
    def shown(listen: bool) -> list[str]:
        recorder = WarningRecorder([], step=lambda: 0)
        if listen:
            recorder.start()
        own: list[str] = []
        try:
            with warnings.catch_warnings(record=True) as lines:
                warnings.simplefilter("default")
                for _ in range(2):
                    warn_of_shapes()
                warnings.simplefilter("ignore")
                warn_of_shapes()
                warnings.simplefilter("error")
                with pytest.raises(UserWarning, match="target size"):
                    warn_of_shapes()
                warnings.simplefilter("always")
                warnings.showwarning = lambda message, *_, **__: own.append(str(message))
                warn_of_shapes()
        finally:
            recorder.stop()
        return [*own, *(f"{line.filename}:{line.lineno} {line.message}" for line in lines)]

    assert len(shown(False)) == 2
    assert shown(True) == shown(False)


def test_the_way_to_show_warnings_is_put_back() -> None:
    before = warnings._showwarnmsg  # type: ignore[attr-defined]
    first, second = WarningRecorder([], step=lambda: 0), WarningRecorder([], step=lambda: 0)
    first.start()
    second.start()
    first.start()
    first.stop()
    assert warnings._showwarnmsg is not before  # type: ignore[attr-defined]
    second.stop()
    assert warnings._showwarnmsg is before  # type: ignore[attr-defined]
    second.stop()


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch, recorder: WarningRecorder) -> None:
    monkeypatch.setattr("sevensteps.observe.torch_warnings.MAX_WARNINGS", 1)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        F.mse_loss(torch.zeros(3, 1), torch.ones(3))
        F.mse_loss(torch.zeros(4, 1), torch.ones(4))
    assert len(recorder.warnings) == 1


def test_a_listener_that_fails_hides_no_warning(
    monkeypatch: pytest.MonkeyPatch, recorder: WarningRecorder
) -> None:
    monkeypatch.setattr(TrainingWarning, "__init__", lambda *_: 1 / 0)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        warn_of_shapes()
    assert len(shown) == 1
