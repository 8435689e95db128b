"""Measure the service on rendered scenes: `python -m benchmarks.scenes --mnist FOLDER`.

It draws MNIST's test digits in each kind of scene, stacks of two or three, pictures without a digit, and pictures with
several digits, encodes them as files, has the service's own code predict them in this process, and prints a table of
each.
"""

import argparse
import os
from pathlib import Path

import cv2

from benchmarks.scenes.contact_sheet import save_contact_sheet
from benchmarks.scenes.examples import read_test_digits
from benchmarks.scenes.kinds import KINDS
from benchmarks.scenes.looks import LOOKS
from benchmarks.scenes.measuring import Plan, measure_digits, measure_strings, measure_symbols
from benchmarks.scenes.results import Case, print_digits, print_strings, print_symbols
from benchmarks.scenes.service import Service, running_service
from benchmarks.scenes.stacks import STACKS


def parse_arguments() -> argparse.Namespace:
    """Parse the command line; exits with a message if MNIST's folder is not given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist = os.environ.get("MNIST_DIR")
    parser.add_argument("--mnist", type=Path, default=mnist, help="MNIST's folder; default: the variable MNIST_DIR")
    parser.add_argument("--kind", action="append", help="measure only the kinds with this in their names; repeatable")
    parser.add_argument("--each", type=int, default=200, help="pictures of each kind; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--model", default="convnet", help="default: %(default)s")
    parser.add_argument("--look", choices=LOOKS, default="both", help="what looks at a picture; default: %(default)s")
    parser.add_argument("--sheet", type=Path, help="save a contact sheet of what failed, as PNG")
    arguments = parser.parse_args()
    if arguments.mnist is None:
        parser.error("give --mnist FOLDER, or set MNIST_DIR")
    return arguments


def measure(plan: Plan, service: Service) -> list[Case]:
    """Print the tables, and return the pictures of at most one digit that failed."""
    failures: list[Case] = []
    for title, kinds in (("kind", KINDS), ("stack", STACKS)):
        cases = measure_digits(plan, kinds, service.predict)
        if cases:
            print_digits(title, cases)
        failures += [case for case in cases if case.is_failure]
    cases = measure_symbols(plan, service.predict)
    if cases:
        print_symbols(cases)
    failures += [case for case in cases if case.is_failure]
    cases_of_strings = measure_strings(plan, service.read)
    if cases_of_strings:
        print_strings(cases_of_strings)
    return failures


def main() -> None:
    """Measure, print and draw."""
    arguments = parse_arguments()
    cv2.setNumThreads(1)
    plan = Plan(read_test_digits(arguments.mnist), arguments.each, arguments.seed, arguments.kind)
    with running_service(arguments.model, LOOKS[arguments.look]) as service:
        failures = measure(plan, service)
    if arguments.sheet:
        save_contact_sheet(arguments.sheet, failures)


if __name__ == "__main__":
    main()
