import pytest

from imaging.bit_reader import BitReader


def test_bits_are_read_from_the_most_significant_one() -> None:
    reader = BitReader(bytes((0b10110000, 0b00000001)))
    assert [reader.read(count) for count in (1, 3, 0, 11, 1)] == [1, 3, 0, 0, 1]


@pytest.mark.parametrize(("bits", "value"), [("1", 0), ("010", 1), ("011", 2), ("00100", 3), ("0001000", 7)])
def test_exp_golomb_numbers_are_read(bits: str, value: int) -> None:
    reader = BitReader(int(bits.ljust(16, "1"), 2).to_bytes(2, "big"))
    assert reader.read_exponential() == value
    assert reader.read(16 - len(bits)) == 2 ** (16 - len(bits)) - 1


def test_reading_past_the_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="truncated"):
        BitReader(b"\0").read(9)
    with pytest.raises(ValueError, match="truncated"):
        BitReader(bytes(1000)).read_exponential()
