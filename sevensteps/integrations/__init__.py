"""sevensteps inside other libraries: one thin file each, imported when it is asked for.

    from sevensteps import integrations
    integrations.available()        # what there is, and whether its library is here
    integrations.lightning.Watch()  # or: from sevensteps.integrations.lightning import Watch

An integration is a module of this package and a row of `INTEGRATIONS`. It imports its library at
the top of its file; nothing else of the package imports it. What several share stands in
`watched_training.py` and `logged_run.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any, NamedTuple

from sevensteps.errors import ArgumentError, nearest


class Integration(NamedTuple):
    """What an integration gives, the module of the library it needs, and how that is installed."""

    summary: str
    library: str
    install: str


INTEGRATIONS = {
    "fastai": Integration(
        "Watch for a Learner: what is wrong with the training",
        "fastai.learner",
        "sevensteps[fastai]",
    ),
    "keras": Integration(
        "Watch for Keras 3 on PyTorch: what is wrong with the training",
        "keras",
        "sevensteps[keras]",
    ),
    "lightning": Integration(
        "Watch for a Lightning Trainer: what is wrong with the training",
        "lightning.pytorch",
        "sevensteps[lightning]",
    ),
    "mlflow": Integration(
        "Live, log_run: the recipe, curves, findings and card of a run",
        "mlflow",
        "mlflow-skinny",
    ),
    "scikit_learn": Integration(
        "SevenStepsClassifier and SevenStepsRegressor: estimators for pipelines and searches",
        "sklearn",
        "scikit-learn",
    ),
    "skorch": Integration(
        "Watch for a NeuralNet: what is wrong with the training",
        "skorch",
        "sevensteps[skorch]",
    ),
    "tensorboard": Integration(
        "Live, log_run: the curves, findings and card of a run",
        "tensorboard",
        "tensorboard",
    ),
    "trackio": Integration(
        "Live, log_run: the curves of a run, and its findings as alerts",
        "trackio",
        "sevensteps[trackio]",
    ),
    "transformers": Integration(
        "Watch for a Trainer of Hugging Face: what is wrong with the training",
        "transformers",
        "sevensteps[transformers]",
    ),
}


def available() -> dict[str, bool]:
    """Every integration by name, and whether the library it needs is installed.

    >>> available()["scikit_learn"]
    True
    """
    return {name: _is_installed(row) for name, row in INTEGRATIONS.items()}


def load(name: str) -> ModuleType:
    """The module of the integration `name`.

    Raises `ArgumentError` for an unknown name, and where the library it needs is not installed.
    """
    if name not in INTEGRATIONS:
        raise ArgumentError(f"there is no integration {name!r}; {nearest(name, INTEGRATIONS)}")
    library_of(name)
    return importlib.import_module(f"{__name__}.{name}")


def library_of(name: str) -> Any:
    """The library that the integration `name` is for, imported.

    Raises `ArgumentError` where it is not installed.
    """
    row = INTEGRATIONS[name]
    if not _is_installed(row):
        package = row.library.partition(".")[0]
        raise ArgumentError(
            f"the integration {name} needs {package}, which is not installed: "
            f'pip install "{row.install}"'
        )
    return importlib.import_module(row.library)


def _is_installed(row: Integration) -> bool:
    return importlib.util.find_spec(row.library.partition(".")[0]) is not None


def __getattr__(name: str) -> Any:
    """An integration as an attribute: `sevensteps.integrations.lightning`."""
    if name in INTEGRATIONS:
        return load(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
