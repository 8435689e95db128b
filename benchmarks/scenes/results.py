"""Counts what a service answered about rendered pictures, and prints it as a table. Renders nothing itself."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.scenes.service import Answer
from benchmarks.scenes.textures import Grey


class Case(NamedTuple):
    """A rendered picture and the answer to it."""

    kind: str
    thumbnail: Grey
    """The picture made small, uint8 (h, w, 3)."""
    digit: int | None
    """The digit in the picture; None if it shows none."""
    answer: Answer

    @property
    def is_right(self) -> bool:
        """Whether the answer is this digit, trusted or not."""
        return self.answer.digit == self.digit

    @property
    def is_trusted(self) -> bool:
        """Whether the service did not abstain."""
        return self.answer.reason is None

    @property
    def is_failure(self) -> bool:
        """Whether the answer was wrong, or was not to be trusted though the picture shows a digit."""
        return self.is_trusted if self.digit is None else not (self.is_right and self.is_trusted)


def print_digits(title: str, cases: Sequence[Case]) -> None:
    """Print the shares of right, wrong and trusted, and abstained answers for each kind, and for all."""
    print(f"\n| {title} | n | right | wrong and trusted | abstained | right and trusted |\n|---|---|---|---|---|---|")
    for kind in dict.fromkeys(case.kind for case in cases):
        print(_digit_row(kind, [case for case in cases if case.kind == kind]))
    print(_digit_row("**all**", cases))


def print_symbols(cases: Sequence[Case]) -> None:
    """Print the share of pictures without a digit that were refused, for each kind, and for all."""
    print("\n| no digit | n | refused |\n|---|---|---|")
    for kind in dict.fromkeys(case.kind for case in cases):
        print(_symbol_row(kind, [case for case in cases if case.kind == kind]))
    print(_symbol_row("**all**", cases))


def percent(count: int, total: int) -> str:
    """Format a share."""
    return f"{100 * count / max(total, 1):.1f} %"


def _digit_row(kind: str, cases: Sequence[Case]) -> str:
    shares = (
        sum(case.is_right for case in cases),
        sum(not case.is_right and case.is_trusted for case in cases),
        sum(not case.is_trusted for case in cases),
        sum(case.is_right and case.is_trusted for case in cases),
    )
    return f"| {kind} | {len(cases)} | " + " | ".join(percent(count, len(cases)) for count in shares) + " |"


def _symbol_row(kind: str, cases: Sequence[Case]) -> str:
    return f"| {kind} | {len(cases)} | {percent(sum(not case.is_trusted for case in cases), len(cases))} |"


class StringCase(NamedTuple):
    """A rendered picture with several digits, and what a service read."""

    kind: str
    lines: list[str]
    """The digits in the picture."""
    read: list[str]
    """The digits that were read, line by line."""

    @property
    def is_exact(self) -> bool:
        """Whether all digits were read, in their order, and no others."""
        return self.lines == self.read


def print_strings(cases: Sequence[StringCase]) -> None:
    """Print the share of pictures that were read without an error, and the share of digits found, for each kind."""
    print("\n| several digits | n | exact | digits read in order |\n|---|---|---|---|")
    for kind in dict.fromkeys(case.kind for case in cases):
        chosen = [case for case in cases if case.kind == kind]
        found = sum(_matching("".join(case.lines), "".join(case.read)) for case in chosen)
        total = sum(len("".join(case.lines)) for case in chosen)
        exact = percent(sum(case.is_exact for case in chosen), len(chosen))
        print(f"| {kind} | {len(chosen)} | {exact} | {percent(found, total)} |")


def _matching(truth: str, read: str) -> int:
    """Count the digits of the longest common subsequence."""
    lengths = [0] * (len(read) + 1)
    for digit in truth:
        previous = 0
        for index, other in enumerate(read, 1):
            previous, lengths[index] = (
                lengths[index],
                previous + 1 if digit == other else max(lengths[index], lengths[index - 1]),
            )
    return lengths[-1]
