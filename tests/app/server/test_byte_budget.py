from app.server.byte_budget import ByteBudget


class Upload:
    def __init__(self) -> None:
        self.is_dropped = False

    def drop(self) -> None:
        self.is_dropped = True


def test_the_request_that_has_waited_longest_for_bytes_is_dropped() -> None:
    budget = ByteBudget(100)
    stopped, active, new = Upload(), Upload(), Upload()
    budget.add(stopped, 40)
    for _ in range(5):
        budget.add(active, 10)
    budget.add(new, 20)
    assert [upload.is_dropped for upload in (stopped, active, new)] == [True, False, False]


def test_a_request_larger_than_the_budget_is_dropped() -> None:
    budget = ByteBudget(100)
    upload = Upload()
    budget.add(upload, 101)
    assert upload.is_dropped
    other = Upload()
    budget.add(other, 100)
    assert not other.is_dropped


def test_a_complete_request_counts_and_is_not_dropped() -> None:
    budget = ByteBudget(100)
    whole, new = Upload(), Upload()
    budget.add(whole, 90)
    budget.complete(whole)
    budget.add(new, 20)
    assert (whole.is_dropped, new.is_dropped) == (False, True)
    budget.release(whole)
    budget.add(new, 100)
    assert not whole.is_dropped


def test_an_unknown_connection_may_be_released() -> None:
    ByteBudget(100).release(Upload())
