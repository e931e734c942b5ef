"""What is trained on: sources by name, arrays of your own, and what is in them.

`load("digits")`, `load("speed(noise=1.0, seed=3)")`, `from_arrays(x, y)`. Every source of the
catalog is a name of this module too: `circles(n=1000)`. Names are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sevensteps.data.loading import catalog, is_loadable, load, source, source_class, to_notation

if TYPE_CHECKING:
    from sevensteps.data.dataset import Data as Data
    from sevensteps.data.formats.arrays import from_arrays as from_arrays
    from sevensteps.data.formats.dataloader import from_loader as from_loader
    from sevensteps.data.formats.frame import from_frame as from_frame
    from sevensteps.data.formats.hugging_face import from_dataset as from_dataset
    from sevensteps.data.part import Part as Part
    from sevensteps.data.scaling import Scaling as Scaling
    from sevensteps.data.sources import Source as Source

__all__ = [
    "Data",
    "Part",
    "Scaling",
    "Source",
    "catalog",
    "from_arrays",
    "from_dataset",
    "from_frame",
    "from_loader",
    "is_loadable",
    "load",
    "source",
    "to_notation",
]

# of the names that need PyTorch
MODULES = {
    "Data": "dataset",
    "Part": "part",
    "Source": "sources",
    "Scaling": "scaling",
    "from_arrays": "formats.arrays",
    "from_dataset": "formats.hugging_face",
    "from_frame": "formats.frame",
    "from_loader": "formats.dataloader",
}


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
    if not name.startswith("_") and name in catalog():
        return source_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
