"""What happens in the process of a watched script before PyTorch is imported, and at its end.

Nothing heavy is imported here: the script imports PyTorch when it does, after it has set what it
sets before.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.machinery
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, ModuleType, TracebackType
from typing import Any

from sevensteps.observe.script.launch import VARIABLE, restore, watched

WITHOUT_TORCH = (
    "sevensteps: nothing to watch: the script did not import PyTorch, so that no network was "
    "trained in its process."
)
OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ImportFinder:
    """Calls `imported()` once a module has been imported; finds nothing itself."""

    def __init__(self, imported: Callable[[], None], module: str) -> None:
        self.imported, self.module = imported, module

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's own spec, whose loader says when it is done; None for all other modules."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            run(module)
            self.imported()

        loader.exec_module = exec_module
        return spec


def when_imported(module: str, imported: Callable[[], None]) -> None:
    """Call `imported()` once a module is: now, where it is already."""
    if module in sys.modules:
        imported()
    else:
        sys.meta_path.insert(0, ImportFinder(imported, module))


class ScriptProcess:
    """One process of a watched script.

    `imported` is called when PyTorch has been imported, `ended` at the end of the process with the
    exception that ended it; `forked` in each process that forks off.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        imported: Callable[[], None],
        ended: Callable[[BaseException | None], None],
        forked: Callable[[], None],
    ) -> None:
        self.settings = settings
        self._imported, self._ended, self._forked = imported, ended, forked
        self._process = os.getpid()

    def start(self) -> None:
        """Take part in this process from now on."""
        if not self.settings["keep"] or "LOCAL_RANK" in os.environ:
            restore(self.settings)
        if self.settings["prints"]:
            # Last in, first out: where PyTorch is imported, what is registered then comes first.
            atexit.register(self._say_without_torch)
        when_imported("torch", self._torch_imported)

    def _torch_imported(self) -> None:
        with contextlib.suppress(Exception):
            self._imported()
            # Last in, first out: what the script has registered runs before.
            atexit.register(self.end)
            sys.excepthook = self._print_exception
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._in_child)
                self._watch_children()
            if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._terminate)

    def _say_without_torch(self) -> None:
        """The script has ended; say so if it never imported PyTorch."""
        if self._process == os.getpid() and "torch" not in sys.modules:
            self._process = -1
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                failure = uncaught_exception()
                print(
                    WITHOUT_TORCH
                    if failure is None
                    else f"sevensteps: nothing to watch: {type(failure).__name__} ended the script "
                    "before it imported PyTorch.",
                    file=sys.__stderr__,
                )

    def _terminate(self, *_: Any) -> None:
        """The process is asked to end, and nobody but us handles it: it ends as it would without
        us, at once and by the signal, after the diagnosis.
        """
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # what is still to be written of the script's output is lost without us, too
        self.settings = {**self.settings, "flush": False}
        self.end()
        os.kill(os.getpid(), signal.SIGTERM)

    def end(self) -> None:
        """The process ends; only the first call counts."""
        if self._process == os.getpid():
            self._process = -1
            try:
                self._ended(uncaught_exception())
            except (Exception, KeyboardInterrupt) as failure:
                if self.settings["prints"] and sys.__stderr__ is not None:
                    name = type(failure).__name__
                    print(f"sevensteps: no diagnosis: {name}: {failure}", file=sys.__stderr__)
            if isinstance(uncaught_exception(), KeyboardInterrupt):
                end_by_interrupt()

    def _print_exception(
        self, kind: type[BaseException], failure: BaseException, trace: TracebackType | None
    ) -> None:
        """Print an exception as Python does, without what is ours in its traceback."""
        with contextlib.suppress(Exception):
            trace = without_own_frames(trace)
            failure.__traceback__ = trace
        sys.__excepthook__(kind, failure, trace)

    # -- other processes ---------------------------------------------------------------------------

    def _in_child(self) -> None:
        """A process has forked off: it trains something of its own, or nothing."""
        with contextlib.suppress(Exception):
            self._process = os.getpid()
            self.settings = {**self.settings, "prints": False}
            if signal.getsignal(signal.SIGTERM) == self._terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._forked()

    def _watch_children(self) -> None:
        """Have processes that `multiprocessing` starts watched too, but no DataLoader's workers."""
        import multiprocessing.util
        from multiprocessing import popen_spawn_posix

        process, launch = self, popen_spawn_posix.Popen._launch  # type: ignore[attr-defined]

        def _launch(self: Any, started: Any) -> None:
            with process._environment_of(started):
                launch(self, started)

        popen_spawn_posix.Popen._launch = _launch  # type: ignore[attr-defined]
        multiprocessing.util.register_after_fork(self, ScriptProcess._end_with_multiprocessing)

    def _end_with_multiprocessing(self) -> None:
        """A process forked by `multiprocessing` ends without Python's own end."""
        import multiprocessing.util

        # above zero: run in any case; the lowest comes last
        multiprocessing.util.Finalize(self, self.end, exitpriority=1)

    @contextlib.contextmanager
    def _environment_of(self, started: Any) -> Iterator[None]:
        target = getattr(started, "_target", None)
        if str(getattr(target, "__module__", "")).startswith("torch.utils.data"):
            yield
            return
        before = {name: os.environ.get(name) for name in (VARIABLE, "PYTHONPATH")}
        settings = {**self.settings, "prints": False, "keep": False}
        os.environ.update(watched({}, settings))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def end_by_interrupt() -> None:
    """Have Python end by the signal, as it does after a Ctrl-C if the last text that it ran was
    interrupted: ours, which it has run since, was not.
    """
    import builtins
    import ctypes

    run = ctypes.pythonapi.PyRun_String
    run.restype = ctypes.py_object
    run.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.py_object, ctypes.py_object)
    with contextlib.suppress(KeyboardInterrupt):
        run(b"raise KeyboardInterrupt", 257, {"__builtins__": builtins}, {})  # Py_file_input


def uncaught_exception() -> BaseException | None:
    """The exception that ended the script; None where it came to its end."""
    failure = getattr(sys, "last_value", None)
    return failure if isinstance(failure, BaseException) else None


def without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """A traceback as it would be if nobody watched: without our frames, and without those that
    PyTorch adds where there are hooks on all modules, or a function mode.
    """
    from sevensteps.observe.function_mode import HANDLE, is_stand_in

    parts: list[TracebackType] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(OWN_FOLDER):
            # A mode is asked by PyTorch's function itself, which it then calls once more.
            if parts and parts[-1].tb_frame.f_code is HANDLE:
                del parts[-2:]
        elif not is_stand_in(code):
            parts.append(trace)
        trace = trace.tb_next
    result: TracebackType | None = None
    for index in reversed(range(len(parts))):
        part = parts[index]
        frame, place, line = part.tb_frame, part.tb_lasti, part.tb_lineno
        if index and _is_added(part, parts[index - 1]):
            continue
        if index + 1 < len(parts) and _is_added(parts[index + 1], part):
            place, line = _plain_call(frame.f_code) or (place, line)
        result = TracebackType(result, frame, place, line)
    return result


def _is_added(part: TracebackType, caller: TracebackType) -> bool:
    """Whether a frame is the one within `Module._call_impl` that runs hooks, and the module has
    none of its own.
    """
    if (part.tb_frame.f_code.co_name, caller.tb_frame.f_code.co_name) != ("inner", "_call_impl"):
        return False
    module = caller.tb_frame.f_locals.get("self")
    return not any(
        getattr(module, name, None)
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    )


def _plain_call(code: CodeType) -> tuple[int, int] | None:
    """Where `Module._call_impl` calls the forward pass if there are no hooks: instruction, line."""
    import dis

    for instruction in dis.get_instructions(code):
        line = instruction.positions and instruction.positions.lineno
        if line and instruction.opname == "CALL_FUNCTION_EX":
            return instruction.offset, line
    return None
