from app.server.flow_control import PausableFlowControl


class Transport:
    def __init__(self) -> None:
        self.is_reading = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


def test_a_connection_on_hold_is_not_read_even_if_the_application_resumes() -> None:
    transport = Transport()
    flow = PausableFlowControl(transport)  # type: ignore[arg-type]
    flow.hold()
    flow.resume_reading()
    assert not transport.is_reading
    flow.release()
    assert transport.is_reading


def test_a_released_connection_is_not_read_while_the_application_is_full() -> None:
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
