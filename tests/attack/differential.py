"""Compare the answers of the service with those of stock uvicorn, conversation by conversation.

Each fault names its seed. `python -m tests.attack.differential SEED...` repeats these conversations with servers of its
own.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.attack.conversations import ENDINGS, generate, mutate
from tests.attack.servers import service, stock
from tests.attack.wire import Address, Answer, NotHTTP, Received, converse, parse

_AT_ONCE = 16
_PATIENCE_SECONDS = 20.0
_SILENCE_SECONDS = 0.4
"""After which a conversation that nobody ends is taken to be over. Where the servers differ, it is held again."""
_LONG_SILENCE_SECONDS = 3.0
_STOCK_REFUSES = b"Invalid HTTP request received."
_VARIES = {"request_id", "instance_id"}


async def faults(service_address: Address, stock_address: Address, seeds: Iterable[int]) -> list[str]:
    """Hold the conversations of `seeds` with both servers, some at a time, and say where the service is wrong."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def hold(seed: int) -> str | None:
        async with gate:
            check = _check_mutation if seed % 4 == 3 else _check
            return await check(service_address, stock_address, seed)

    return [fault for fault in await asyncio.gather(*map(hold, seeds)) if fault]


async def _check(service_address: Address, stock_address: Address, seed: int) -> str | None:
    """Hold a conversation whose every answer is known beforehand: from stock, and from the table of endings."""
    conversation = generate(seed)
    reference = await converse(stock_address, [conversation.reference], silence=_PATIENCE_SECONDS)
    expected = parse(reference.stream, conversation.without_body)
    ending = ENDINGS[conversation.ending] if conversation.ending else None
    if ending:
        expected.pop()  # of the request that closed
    leaves = ending is not None and ending.leaves
    received = await converse(
        service_address, conversation.writes, pauses=conversation.pauses, silence=_PATIENCE_SECONDS, leave=leaves
    )
    try:
        answers = parse(received.stream, conversation.without_body)
    except (NotHTTP, KeyError) as error:
        return f"seed {seed} ({conversation.ending}): {error}"
    refusal = ending.refusal if ending else None
    if ending and leaves:  # a client that leaves may not be told what it has not waited for
        expected = expected[: len(answers)]
    problem = _difference(expected, answers, refusal)
    if problem is None and not received.closed:
        problem = "the connection stays open"
    return problem and f"seed {seed} ({conversation.ending}): {problem}"


def _difference(expected: Sequence[Answer], answers: Sequence[Answer], refusal: int | None) -> str | None:
    due = len(expected) + (refusal is not None)
    problem = _first_difference(expected, answers)
    if problem is None and len(answers) != due:
        problem = (
            f"{len(answers)} answers, {[answer.status for answer in answers[-3:]]} at the end, where {due} are due"
        )
    if problem is None and refusal is not None and not _is_problem(answers[-1], refusal):
        problem = f"the last answer is {_short(answers[-1])} and should be a problem with status {refusal}"
    return problem


def _first_difference(expected: Sequence[Answer], answers: Sequence[Answer]) -> str | None:
    for place, (wanted, found) in enumerate(zip(expected, answers, strict=False)):
        if _without_marks(wanted) != _without_marks(found):
            return f"answer {place} is {_short(found)} and should be {_short(wanted)}"
    return None


async def _check_mutation(service_address: Address, stock_address: Address, seed: int) -> str | None:
    """Hold a conversation of which nobody knows what it is, and see that stock makes the same of it."""
    whole, writes, pauses = mutate(seed)
    problem = None
    for silence in (_SILENCE_SECONDS, _LONG_SILENCE_SECONDS):
        theirs = await converse(stock_address, [whole], silence=silence)
        ours = await converse(service_address, writes, pauses=pauses, silence=silence)
        problem = _mutation_difference(theirs, ours)
        if problem is None:
            break
    return problem and f"seed {seed} (mutated): {problem}"


def _mutation_difference(theirs: Received, ours: Received) -> str | None:
    try:
        expected, answers = parse(theirs.stream), parse(ours.stream)
    except (NotHTTP, KeyError) as error:
        return str(error)
    if any(answer.status >= 500 for answer in answers):
        return f"a status of 500 or more: {[answer.status for answer in answers]}"
    good = [answer for answer in expected if answer.body != _STOCK_REFUSES]
    stock_refuses = len(good) < len(expected)
    if theirs.closed and not stock_refuses:
        return _difference(good, answers, None)
    # It refuses at once, and then sends no more: what it has answered, the service answers first.
    problem = _first_difference(good, answers)
    if problem is None and len(answers) < len(good):
        problem = f"{len(answers)} answers, where stock gives {len(good)}"
    if problem is None and stock_refuses and not _ends_refused(answers, closed=ours.closed):
        problem = f"stock refuses; here are {[answer.status for answer in answers]}, closed: {ours.closed}"
    return problem


def _ends_refused(answers: Sequence[Answer], *, closed: bool) -> bool:
    return closed and len(answers) > 0 and any(_is_problem(answers[-1], status) for status in (400, 431))


def _is_problem(answer: Answer, status: int) -> bool:
    return answer.status == status and answer.headers.get("content-type") == "application/problem+json"


def _without_marks(answer: Answer) -> tuple[object, ...]:
    """Return what two servers have to agree about: neither ids nor times, and probabilities but for rounding."""
    kind = answer.headers.get("content-type", "")
    if "json" not in kind or not answer.body:
        return answer.status, kind, answer.headers.get("content-length") if not answer.body else answer.body
    return answer.status, kind, json.dumps(_rounded(json.loads(answer.body)), sort_keys=True)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items() if name not in _VARIES}
    return value


def _short(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:160]!r}"


def _main(seeds: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as ours, stock(Path(folder)) as theirs:
        found = asyncio.run(faults(ours.address, theirs.address, seeds))
    print("\n".join(found) or "No difference.")  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    _main([int(argument) for argument in sys.argv[1:]])
