"""What Python runs before a watched script: it leaves the path as it was, and hands over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sevensteps.observe.script.launch import PACKAGE, STARTUP, VARIABLE


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_path_is_that_of_the_script_and_the_machines_own_file_is_run(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("ran = True\n")
    (tmp_path / "entry.py").write_text(
        "def activate(settings):\n    print('active', settings['n'])\n"
    )
    settings = {"entry": "entry", "package": str(tmp_path), "n": 3}
    done = python(
        "import sys, sitecustomize; print(sitecustomize.ran, sitecustomize.__file__); "
        "print('\\n'.join(sys.path))",
        PYTHONPATH=os.pathsep.join([STARTUP, str(tmp_path)]),
        **{VARIABLE: json.dumps(settings)},
    )
    active, own, *path = done.stdout.splitlines()
    assert (active, own) == ("active 3", f"True {tmp_path / 'sitecustomize.py'}")
    assert STARTUP not in path
    assert path.count(str(tmp_path)) == 1


def test_where_there_is_no_such_file_there_is_none() -> None:
    done = python(
        "import importlib.util, sys; print('sitecustomize' in sys.modules, len(sys.path))",
        PYTHONPATH=STARTUP,
    )
    plain = python(
        "import sys; print('sitecustomize' in sys.modules, len(sys.path))", PYTHONPATH=""
    )
    assert (done.stdout, done.stderr) == (plain.stdout, "")


def test_a_watch_that_cannot_start_lets_the_script_run() -> None:
    settings = {"entry": "sevensteps.no_such_module", "package": PACKAGE}
    done = python("print('done')", PYTHONPATH=STARTUP, **{VARIABLE: json.dumps(settings)})
    assert done.stdout == "done\n"
    assert done.stderr.startswith("sevensteps: this Python cannot be watched")
