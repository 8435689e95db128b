"""The number of parts of a file is bounded, and the error names the parts."""

import pytest

from imaging import PictureTooLarge
from imaging.container import check_count


def test_more_parts_than_the_limit_are_refused_and_named() -> None:
    check_count(10, 10, "scans")
    with pytest.raises(PictureTooLarge, match="more than 10 scans"):
        check_count(11, 10, "scans")
