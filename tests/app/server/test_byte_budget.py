from app.server.byte_budget import ByteBudget


class Upload:
    def __init__(self) -> None:
        self.is_dropped = False

    def drop(self) -> None:
        self.is_dropped = True


def test_the_request_that_has_stopped_for_longest_is_dropped() -> None:
    budget = ByteBudget(100)
    stopped, active, new = Upload(), Upload(), Upload()
    budget.receive(stopped, 40)
    for _ in range(5):
        budget.receive(active, 10)
    budget.receive(new, 20)
    assert [each.is_dropped for each in (stopped, active, new)] == [True, False, False]


def test_one_that_is_too_large_alone_is_dropped_itself() -> None:
    budget = ByteBudget(100)
    upload = Upload()
    budget.receive(upload, 101)
    assert upload.is_dropped
    other = Upload()
    budget.receive(other, 100)
    assert not other.is_dropped


def test_a_request_that_has_come_in_whole_counts_and_is_not_dropped() -> None:
    budget = ByteBudget(100)
    whole, new = Upload(), Upload()
    budget.receive(whole, 90)
    budget.keep(whole)
    budget.receive(new, 20)
    assert (whole.is_dropped, new.is_dropped) == (False, True)
    budget.release(whole)
    budget.receive(new, 100)
    assert not whole.is_dropped


def test_a_connection_that_is_not_known_may_be_released() -> None:
    ByteBudget(100).release(Upload())
