import asyncio
import json
from pathlib import Path

import httpx
import pytest

from app.errors import NotReady, TooLarge
from app.score.job import Job
from app.score.scorer import Row, Scorer
from app.settings import Settings
from imaging import encode_png, preprocess_picture
from tests.app.score.conftest import MakeJob
from tests.conftest import MODELS, draw_seven

PAGE = MODELS.parent / "app" / "page"
FILES = [
    *(path.read_bytes() for path in sorted(PAGE.glob("sample-*.webp"))),  # photographs, which the finder looks at
    draw_seven("PNG"),
    draw_seven("JPEG", (1200, 900)),
    draw_seven("PNG", (24, 24)),
    draw_seven("PNG", (600, 500), "RGBA"),
    draw_seven("PNG")[:60],
    b"",
    b"<html>",
    *[encode_png(preprocess_picture(draw_seven("PNG")).image)] * 40,  # more than a batch
]


async def score(job: Job, files: list[bytes | Exception]) -> list[Row]:
    """Score in a thread, because a scorer has an event loop of its own."""

    def run() -> list[Row]:
        with Scorer(job) as scorer:
            return scorer.score(files)

    return await asyncio.to_thread(run)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("/predict", "convnet"),
        pytest.param("/predict", "softmax", marks=pytest.mark.slow),
        pytest.param("/read", "convnet", marks=pytest.mark.slow),
    ],
)
async def test_the_rows_are_the_answers_of_the_service(
    client: httpx.AsyncClient, make_job: MakeJob, url: str, model: str
) -> None:
    answers = {
        file: (await client.post(url, params={"model": model}, files={"file": file})).json() for file in set(FILES)
    }
    rows = await score(make_job(model=model, read=url == "/read"), list(FILES))
    for file, row in zip(FILES, rows, strict=True):
        answer = answers[file]
        if "error" in row:
            assert answer["detail"] == row["error"]
        else:
            assert json.loads(json.dumps({name: row[name] for name in answer})) == answer
    assert sum("error" in row for row in rows) == 3


def test_a_file_that_cannot_be_read_is_a_row_with_its_error(make_job: MakeJob, seven: bytes) -> None:
    with Scorer(make_job()) as scorer:
        rows = scorer.score([TooLarge("too large"), seven, TooLarge("too large, too")])
    assert rows[::2] == [{"error": "too large"}, {"error": "too large, too"}]
    assert rows[1]["digit"] == 7


@pytest.mark.parametrize("read", [False, True])
def test_a_bug_is_the_error_of_its_picture(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, seven: bytes, *, read: bool
) -> None:
    def divide_by_zero(*_: object, **__: object) -> list[Exception]:
        raise ZeroDivisionError

    monkeypatch.setattr("app.score.scorer.decode_scene", divide_by_zero)
    monkeypatch.setattr("app.score.scorer.preprocess_pictures", lambda pictures, **_: [ZeroDivisionError("x")])
    with Scorer(make_job(read=read)) as scorer:
        ((_, message),) = scorer.score([seven])[0].items()
    assert message.startswith("An unexpected error, ZeroDivisionError: ")


def test_a_model_that_has_been_altered_is_refused(models_dir: Path, make_job: MakeJob) -> None:
    weights = models_dir / "convnet" / "1" / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    job = make_job(settings=Settings(models_dir=models_dir), version=1, versions={"convnet": 1, "finder": 1})
    with pytest.raises(NotReady, match="has been altered"):
        Scorer(job)


def test_the_limits_are_those_of_the_settings(make_job: MakeJob, seven: bytes) -> None:
    with Scorer(make_job(settings=Settings(models_dir=MODELS, max_pixels=784))) as scorer:
        (row,) = scorer.score([seven])
    assert "at most 784 in total are allowed" in row["error"]
