"""A future whose work is another executor's: cancelling it cancels that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any


class HandedFuture(Future[Any]):
    """A result that is handed on once by :meth:`settle`; until then only its work can end it."""

    withdraw: Callable[[], bool] | None = None
    """Cancels the work, and returns whether that was possible."""

    def cancel(self) -> bool:
        """Cancel the work; whoever does it then settles this future as cancelled."""
        return self.withdraw is not None and self.withdraw()

    def settle(
        self, result: Any = None, error: BaseException | None = None, *, cancelled: bool = False
    ) -> None:
        """Hand on what became of the work; a second time changes nothing."""
        with contextlib.suppress(InvalidStateError):
            if cancelled:
                super().cancel()
                self.set_running_or_notify_cancel()
            elif error is not None:
                self.set_exception(error)
            else:
                self.set_result(result)
