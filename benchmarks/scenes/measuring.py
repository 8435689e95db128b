"""Draws the pictures of a plan and asks a service about them. Knows neither the service nor what is printed."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from benchmarks.scenes.contact_sheet import thumbnail
from benchmarks.scenes.examples import TestDigits
from benchmarks.scenes.files import encode
from benchmarks.scenes.kinds import Kind, Picture
from benchmarks.scenes.results import Case, StringCase
from benchmarks.scenes.service import Predict, Read
from benchmarks.scenes.strings import STRINGS, StringKind
from benchmarks.scenes.symbols import SYMBOLS
from benchmarks.scenes.textures import Generator

_CHUNK = 64
"""Pictures in memory at a time."""
Drawn = tuple[Picture, int | None]
"""A picture and its digit."""


class Plan(NamedTuple):
    """How many pictures of which kinds are drawn."""

    digits: TestDigits
    each: int
    """Pictures of each kind."""
    seed: int
    parts: Sequence[str] | None = None
    """Only kinds with one of these in their names; all if None."""

    def chooses(self, name: str) -> bool:
        """Tell whether the kind of this name is drawn."""
        return self.parts is None or any(part in name for part in self.parts)

    def generator(self, name: str) -> Generator:
        """Return the generator of one kind, which does not depend on the other kinds that are drawn."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def measure_digits(plan: Plan, kinds: Mapping[str, Kind], predict: Predict) -> list[Case]:
    """Draw and predict pictures of one digit."""
    cases: list[Case] = []
    for name, kind in kinds.items():
        if plan.chooses(name):
            rng = plan.generator(name)
            examples = islice(plan.digits.drawn_from(rng), plan.each)
            cases += _answered(name, ((kind(image, rng), label) for image, label in examples), rng, predict)
    return cases


def measure_symbols(plan: Plan, predict: Predict) -> list[Case]:
    """Draw and predict pictures without a digit."""
    cases: list[Case] = []
    for name, kind in SYMBOLS.items():
        if plan.chooses(name):
            rng = plan.generator(name)
            cases += _answered(name, ((kind(rng), None) for _ in range(plan.each)), rng, predict)
    return cases


def measure_strings(plan: Plan, read: Read) -> list[StringCase]:
    """Draw and read pictures with several digits."""
    cases: list[StringCase] = []
    for name, kind in STRINGS.items():
        if plan.chooses(name):
            rng = plan.generator(name)
            for _ in range(max(round(plan.each * kind.share), 1)):
                picture, lines = drawn_string(kind, plan.digits, rng)
                cases.append(StringCase(name, lines, read(encode(picture, rng))))
    return cases


def drawn_string(kind: StringKind, digits: TestDigits, rng: Generator) -> tuple[Picture, list[str]]:
    """Draw one picture with several digits; return it with the lines of its digits."""
    chosen = rng.integers(0, len(digits.labels), (kind.rows, kind.columns))
    picture = kind.draw([[digits.images[index] for index in row] for row in chosen], rng)
    return picture, ["".join(str(digits.labels[index]) for index in row) for row in chosen]


def _answered(name: str, pictures: Iterator[Drawn], rng: Generator, predict: Predict) -> list[Case]:
    cases: list[Case] = []
    while chunk := [(thumbnail(picture), digit, encode(picture, rng)) for picture, digit in islice(pictures, _CHUNK)]:
        answers = predict([data for _, _, data in chunk])
        cases += [Case(name, small, digit, answer) for (small, digit, _), answer in zip(chunk, answers, strict=True)]
    return cases
