"""What runs a script in the process of a trial; runs themselves are tested with the fork server."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sevensteps.doctor.trials.script.run_script import command, read_source
from sevensteps.observe.script.launch import PACKAGE


def test_a_function_is_called_in_a_new_python() -> None:
    words = command(PACKAGE, "sevensteps.doctor.trials.script.run_script", "read_source", "nowhere")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert "No such file or directory: 'nowhere'" in done.stderr


def test_the_bytes_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("# é\r\n".encode())
    assert read_source(str(tmp_path / "a.py")) == "# é\r\n".encode()
