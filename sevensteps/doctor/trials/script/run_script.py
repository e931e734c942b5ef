"""A process of a trial runs the script, as `python SCRIPT.py` or `python -m MODULE` would."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib
import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

# of a Python that is to do what a function of this package says, with one argument
START = (
    "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
    "function = getattr(importlib.import_module(sys.argv[2]), sys.argv[3]); "
    "del sys.path[0]; function(sys.argv[4])"
)


def command(package: str, module: str, function: str, argument: str) -> list[str]:
    """The command that calls `function(argument)` in a new Python."""
    return [sys.executable, "-c", START, package, module, function, argument]


def run_alone(request: str) -> None:
    """Run a script in this process, by the JSON of what `run_request` takes."""
    run_to_the_end(json.loads(request))


def run_to_the_end(request: Mapping[str, Any]) -> NoReturn:
    """Run the script of a request, and end this process as Python would, but do not clear up what
    ends with it anyway.
    """
    code: Any = 0
    try:
        run_request(request)
    except SystemExit as end:
        code = end.code
    except BaseException as failure:
        code = 1
        sys.last_type, sys.last_value = type(failure), failure
        sys.last_traceback = failure.__traceback__
        sys.excepthook(type(failure), failure, failure.__traceback__)
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit((code or 0) & 0xFF)


def run_request(request: Mapping[str, Any]) -> None:
    """Run the script that `request` has the "words", "folder", "environment" and "settings" of.

    Raises whatever ends the script.
    """
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    settings = request["settings"]
    sys.path.insert(0, settings["package"])
    entry = importlib.import_module(settings["entry"])
    sys.path.remove(settings["package"])
    run = entry.activate(settings)
    _run_main(request["words"], run.source)


def _run_main(words: list[str], source: Callable[[str], bytes]) -> None:
    """Run the script or module that `words` name; `source(path)` gives the bytes of a file."""
    if words[0] == "-m":
        import runpy

        sys.path[0] = os.getcwd()
        sys.argv[:] = ["-m", *words[2:]]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    path = os.path.abspath(words[0])
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    sys.argv[:] = words
    main = ModuleType("__main__")
    vars(main).update(__file__=path, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = main
    MainLoader(path, source).exec_module(main)


class MainLoader(SourceFileLoader):
    """Runs the file at `path` as `python PATH` does; it says what `source(path)` gives."""

    def __init__(self, path: str, source: Callable[[str], bytes]) -> None:
        super().__init__("__main__", path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.source(self.path), self.path)
        return code


def read_source(path: str) -> bytes:
    """The bytes of a file."""
    with io.open_code(str(Path(path))) as file:
        return file.read()
