"""sevensteps inside other libraries: one thin file each, imported when it is asked for.

    from sevensteps import integrations
    integrations.available()                      # what there is, and whether its library is here
    integrations.load("scikit_learn").Classifier  # or: from sevensteps.integrations import …

An integration is a module of this package and a row of `INTEGRATIONS`. It imports its library at
the top of its file; nothing else of the package imports it.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import NamedTuple

from sevensteps.errors import ArgumentError, nearest


class Integration(NamedTuple):
    """What an integration gives, the module of the library it needs, and how that is installed."""

    summary: str
    library: str
    install: str


INTEGRATIONS = {
    "scikit_learn": Integration(
        "Classifier and Regressor for pipelines, cross-validation and searches",
        "sklearn",
        "scikit-learn",
    ),
}


def available() -> dict[str, bool]:
    """Every integration by name, and whether the library it needs is installed.

    >>> available()["scikit_learn"]
    True
    """
    return {
        name: importlib.util.find_spec(row.library) is not None
        for name, row in INTEGRATIONS.items()
    }


def load(name: str) -> ModuleType:
    """The module of the integration `name`.

    Raises `ArgumentError` for an unknown name, and where the library it needs is not installed.
    """
    if name not in INTEGRATIONS:
        raise ArgumentError(f"there is no integration {name!r}; {nearest(name, INTEGRATIONS)}")
    row = INTEGRATIONS[name]
    if importlib.util.find_spec(row.library) is None:
        raise ArgumentError(
            f"the integration {name} needs {row.library}, which is not installed: "
            f'pip install "{row.install}"'
        )
    return importlib.import_module(f"{__name__}.{name}")
