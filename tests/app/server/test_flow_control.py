from app.server.flow_control import PausableFlowControl


class Transport:
    def __init__(self) -> None:
        self.is_reading = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


def test_what_is_held_is_not_read_whatever_the_application_asks_for() -> None:
    transport = Transport()
    flow = PausableFlowControl(transport)  # type: ignore[arg-type]
    flow.hold()
    flow.resume_reading()
    assert not transport.is_reading
    flow.release()
    assert transport.is_reading


def test_what_is_released_is_not_read_while_the_application_has_enough() -> None:
    transport = Transport()
    flow = PausableFlowControl(transport)  # type: ignore[arg-type]
    flow.pause_reading()
    flow.hold()
    flow.release()
    assert not transport.is_reading
    flow.resume_reading()
    assert transport.is_reading


def test_a_release_without_a_hold_changes_nothing() -> None:
    transport = Transport()
    flow = PausableFlowControl(transport)  # type: ignore[arg-type]
    flow.pause_reading()
    flow.release()
    assert not transport.is_reading
