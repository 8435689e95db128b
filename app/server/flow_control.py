"""When a connection is read from. Knows no HTTP."""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl


class PausableFlowControl(FlowControl):
    """Flow control that also stops reading while what was read before has not been parsed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = self._is_full = False

    def pause_reading(self) -> None:
        """Read no more until the application has taken what there is."""
        self._is_full = True
        super().pause_reading()

    def resume_reading(self) -> None:
        """Read on, unless reading is held."""
        self._is_full = False
        if not self._is_held:
            super().resume_reading()

    def hold(self) -> None:
        """Read no more until `release`, whatever the application asks for."""
        self._is_held = True
        super().pause_reading()

    def release(self) -> None:
        """Read on, unless the application has enough."""
        if self._is_held:
            self._is_held = False
            if not self._is_full:
                super().resume_reading()
