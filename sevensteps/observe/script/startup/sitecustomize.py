"""Python imports this file as it starts, where `sevensteps watch` has put the folder on its path.

It starts the watch, takes itself away, and hands over to the file of this name that the machine
has, if it has one: the script then finds what it would find without us.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

VARIABLE = "SEVENSTEPS_WATCH"


def start(here: str) -> None:
    """Start the watch that the environment asks for; remove the folder `here` from the path."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    sys.path_importer_cache.pop(here, None)
    text = os.environ.get(VARIABLE)
    if text is None:
        return
    settings = json.loads(text)
    sys.path.insert(0, settings["package"])
    try:
        importlib.import_module(settings["entry"]).activate(settings)
    except Exception as failure:  # another Python, or another sevensteps: the script still runs
        print(f"sevensteps: this Python cannot be watched: {failure}", file=sys.stderr)
    finally:
        sys.path.remove(settings["package"])


if __name__ == "sitecustomize":
    start(os.path.dirname(os.path.abspath(__file__)))
    own = sys.modules.pop("sitecustomize")
    # Raises the ImportError that Python expects where there is no such file.
    importlib.import_module("sitecustomize")
