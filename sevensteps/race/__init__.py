"""Many recipes trained at once, and the search for a learning rate. The package is also the function of its name: `ss.race([…])`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *given: Any, **settings: Any) -> Any:
        # The function stands where racing, recording and the doctor are put together; only a call goes there.
        from sevensteps.racing import race

        return race(*given, **settings)


sys.modules[__name__].__class__ = _Callable
