"""What only POSIX has is asked for first: sevensteps is for Windows and macOS too, on which no test
here runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.sources import PACKAGE, sources

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
NAMES = {
    "os": {
        *("fork", "forkpty", "getpgid", "getuid", "geteuid", "getgid", "killpg", "mkfifo", "nice"),
        *("getloadavg", "openpty", "register_at_fork", "sched_getaffinity", "setsid", "sysconf"),
        *("uname", "wait", "waitpid", "waitstatus_to_exitcode", "set_blocking", "O_PATH"),
        *("O_CLOEXEC", "O_NOFOLLOW"),
    },
    "signal": {
        *("SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "setitimer", "alarm"),
        *("getitimer", "ITIMER_REAL", "pthread_sigmask", "sigwait"),
    },
    "multiprocessing": {"popen_spawn_posix", "popen_fork"},
}
KEYWORDS = {"preexec_fn"}
# in a condition, an early return, or what is caught, these say that the system was asked
GUARDS = ("hasattr(", "os.name", "sys.platform", "CAN_FORK", "ImportError", "AttributeError")
# called only where the system was asked before, and where that is done
ELSEWHERE = {
    "doctor/trials/script/fork_server.py": "the server is started where CAN_FORK",
    "observe/script/process.py:_watch_children": "called where os.register_at_fork is",
}


def posix_uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and name of everything in a file that only POSIX has."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, a.name) for a in names if a.name in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                if module in MODULES:
                    yield node.lineno, module
                only = NAMES.get(module, set())
                yield from ((node.lineno, f"{module}.{a.name}") for a in names if a.name in only)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in NAMES.get(
                module, set()
            ):
                yield node.lineno, f"{module}.{name}"
            case ast.keyword(arg=str(name)) if name in KEYWORDS:
                yield node.lineno, name


def function_of(tree: ast.Module, line: int) -> ast.AST:
    """The innermost function around a line, else the file."""
    inner: ast.AST = tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
            inner = node
    return inner


def unguarded(path: str, tree: ast.Module) -> list[str]:
    """Uses of what only POSIX has in functions in which nobody asks whether it is there."""
    wrong = []
    for line, name in posix_uses(tree):
        function = function_of(tree, line)
        if isinstance(function, ast.FunctionDef):
            asked = any(guard in ast.unparse(function) for guard in GUARDS)
            place = f"{path}:{function.name}"
        else:
            asked, place = False, path
        if not asked and path not in ELSEWHERE and place not in ELSEWHERE:
            wrong.append(f"{path}:{line}: {name}")
    return wrong


def test_what_only_posix_has_is_asked_for_first() -> None:
    wrong = []
    for path, tree in sources():
        wrong += unguarded(Path(path).relative_to(PACKAGE).as_posix(), tree)
    assert wrong == []


def test_the_exceptions_are_there() -> None:
    for place in ELSEWHERE:
        path, _, function = place.partition(":")
        assert (PACKAGE / path).is_file()
        assert f"def {function}" in (PACKAGE / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("import os\ndef f():\n    os.fork()", 1),
        ("import os\ndef f():\n    if hasattr(os, 'fork'):\n        os.fork()", 0),
        ("import resource", 1),
        (
            "def f():\n  try:\n    import resource\n  except ImportError:\n    return 0",
            0,
        ),
        ("import signal\ndef f():\n    signal.signal(signal.SIGALRM, None)", 1),
        ("import subprocess\ndef f():\n    subprocess.Popen([], preexec_fn=g)", 1),
        ("from os import fork", 1),
    ],
)
def test_the_check_itself(text: str, count: int) -> None:
    assert len(unguarded("x.py", ast.parse(text))) == count
