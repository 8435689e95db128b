import asyncio
import time

import pytest

from app.deadline import Deadline
from app.errors import DeadlineExceeded

pytestmark = pytest.mark.anyio


async def wait(deadline: Deadline, seconds: float) -> str:
    with deadline.enforced():
        await asyncio.sleep(seconds)
    return "done"


async def test_a_task_that_takes_too_long_is_cancelled() -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"0\.05"):
        await wait(Deadline(0.05), 10)
    assert 0.05 <= time.monotonic() - started < 5


async def test_a_task_that_ends_in_time_is_not_cancelled() -> None:
    deadline = Deadline(0.05)
    assert await wait(deadline, 0) == "done"
    await asyncio.sleep(0.1)  # past the end of its time


async def test_each_task_has_its_own_time() -> None:
    deadline = Deadline(0.2)
    first = asyncio.create_task(wait(deadline, 10))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(wait(deadline, 0.15))  # it ends after the first is cancelled
    assert await second == "done"
    with pytest.raises(DeadlineExceeded):
        await first
    assert not deadline._timeouts


async def test_concurrent_tasks_share_one_timer() -> None:
    deadline = Deadline(0.05)
    tasks = [asyncio.create_task(wait(deadline, 10)) for _ in range(50)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {DeadlineExceeded}
    assert deadline._timer is None


async def test_a_timeout_expires_after_an_earlier_one_ended_in_time() -> None:
    deadline = Deadline(0.1)
    quick, slow = (asyncio.create_task(wait(deadline, seconds)) for seconds in (0.01, 10))
    assert await quick == "done"
    with pytest.raises(DeadlineExceeded):
        await slow


async def test_a_cancellation_from_outside_is_raised_as_it_is() -> None:
    task = asyncio.create_task(wait(Deadline(0.01), 10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_in_the_context_is_raised_as_it_is() -> None:
    with pytest.raises(KeyError), Deadline(1).enforced():
        raise KeyError


async def test_a_task_can_be_limited_again_after_a_timeout() -> None:
    deadline = Deadline(0.01)
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            await wait(deadline, 10)
    assert await wait(deadline, 0) == "done"


def test_a_deadline_outside_of_a_task_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        Deadline(1).enforced().__enter__()
