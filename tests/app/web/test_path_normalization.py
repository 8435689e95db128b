import pytest

from app.web.path_normalization import normalize_path


@pytest.mark.parametrize(
    ("path", "normalized"),
    [
        ("/predict", "/predict"),
        ("/predict/", "/predict"),
        ("/predict//", "/predict"),
        ("/", "/"),
        ("", "/"),
        ("/v2/", "/v2"),
        ("/v1/models/convnet/", "/v1/models/convnet/"),
        ("/docs/", "/docs/"),
    ],
)
@pytest.mark.parametrize("root_path", ["", "/team/digits"])
def test_a_path_has_no_slash_at_its_end_and_no_prefix(path: str, normalized: str, root_path: str) -> None:
    assert normalize_path(path, root_path) == normalized
    assert normalize_path(root_path + path, root_path) == normalized


def test_only_a_whole_prefix_is_removed() -> None:
    assert normalize_path("/digitspredict", "/digits") == "/digitspredict"
    assert normalize_path("/digits/digits/predict", "/digits") == "/digits/predict"
