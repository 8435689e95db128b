from app.schemas import Prediction, ReadDigit, Reading, ReadLine
from app.score.chunks import Picture
from app.score.table import make_table
from tests.app.score.conftest import MakeJob

PICTURES = [Picture("a.png", 1, b""), Picture("b.png", 1, b"")]
DIGIT = {
    "digit": 7,
    "confidence": 0.75,
    "probabilities": [0.025] * 7 + [0.75] + [0.025] * 2,
    "abstained": True,
    "reason": "unsure",
}


def test_each_picture_has_a_row_with_its_prediction_or_its_error(make_job: MakeJob) -> None:
    job = make_job()
    prediction = Prediction.model_validate({**DIGIT, "model": job.model, "version": job.version})
    table = make_table(job, PICTURES, [vars(prediction), {"error": "broken"}])
    found, broken = table.to_pylist()
    assert found == {"path": "a.png", **DIGIT, "model": job.model, "version": job.version, "error": None}
    assert broken == {
        **dict.fromkeys(DIGIT),
        "path": "b.png",
        "model": job.model,
        "version": job.version,
        "error": "broken",
    }
    assert list(found) == [
        *("path", "digit", "confidence", "abstained", "reason", "probabilities", "model", "version", "error")
    ]


def test_a_row_may_have_all_digits_of_a_picture(make_job: MakeJob) -> None:
    job = make_job(read=True)
    digit = ReadDigit.model_validate({**DIGIT, "box": (1, 2, 3, 4)})
    reading = Reading(
        text="?",
        lines=[ReadLine(text="?", confidence=0.75, digits=[digit])],
        width=5,
        height=6,
        model=job.model,
        version=job.version,
        finder_version=1,
        truncated=False,
    )
    found, broken = make_table(job, PICTURES, [reading.model_dump(), {"error": "broken"}]).to_pylist()
    assert found["lines"] == [{"text": "?", "confidence": 0.75, "digits": [{**DIGIT, "box": [1, 2, 3, 4]}]}]
    assert {name: found[name] for name in found if name not in ("path", "lines", "error")} == reading.model_dump(
        exclude={"lines"}
    )
    assert (broken["text"], broken["error"]) == (None, "broken")
