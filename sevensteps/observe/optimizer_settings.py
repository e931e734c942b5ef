"""What an optimizer is set to when it steps: of its groups, and of the scaler that called it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

GRAD_SCALER = str(Path("amp") / "grad_scaler.py")  # how the path of PyTorch's file ends
FRAMES = 24  # between an optimizer's step and the scaler that called it, at most


def optimizer_settings(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """What a `GroupAccount` says of the settings of each of an optimizer's groups."""
    built = getattr(optimizer, "defaults", {}).get("lr")
    return [
        {
            "lr": float(group.get("lr", 0.0)),
            "initial_lr": _number(group.get("initial_lr")),
            "weight_decay": float(group.get("weight_decay", 0.0)),
            "built_lr": _number(built),
        }
        for group in optimizer.param_groups
    ]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def grad_scale() -> float | None:
    """The scale of the `GradScaler` that has called the optimizer whose step begins; None where
    none has.

    The scaler is known to the loop alone, but it is in the frame that called the optimizer.
    """
    frame = sys._getframe(1)
    for _ in range(FRAMES):
        if frame.f_back is None:
            return None
        frame = frame.f_back
        if frame.f_code.co_filename.endswith(GRAD_SCALER):
            scaler = frame.f_locals.get("self")
            if isinstance(scaler, torch.amp.GradScaler):
                return scaler.get_scale() if scaler.is_enabled() else None
    return None
