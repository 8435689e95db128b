"""Decides when a connection reads from its socket. Knows no HTTP."""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl


class PausableFlowControl(FlowControl):
    """Flow control that also stops reading while received data is not parsed.

    Reading stops while the application's buffer is full, or while reading is on hold.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = self._is_full = False

    def pause_reading(self) -> None:
        """Stop reading, because the application's buffer is full."""
        self._is_full = True
        super().pause_reading()

    def resume_reading(self) -> None:
        """Resume reading, because the application's buffer has space, unless reading is on hold."""
        self._is_full = False
        if not self._is_held:
            super().resume_reading()

    def hold(self) -> None:
        """Stop reading until `release`."""
        self._is_held = True
        super().pause_reading()

    def release(self) -> None:
        """Resume reading, unless the application's buffer is full."""
        if self._is_held:
            self._is_held = False
            if not self._is_full:
                super().resume_reading()
