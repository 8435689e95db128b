"""`/feedback`: corrections of predictions."""

import json

from fastapi import APIRouter, Request
from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from app.errors import (
    FeedbackDisabled,
    InvalidLabel,
    MalformedRequest,
    StoreFull,
    StoreUnavailable,
    TooLarge,
    UnknownPrediction,
)
from app.feedback.lifespan import Feedback
from app.feedback.store import CORRECTION_LABELS
from app.observability.metrics import ServiceMetrics
from app.schemas import Correction, Stored
from app.web import example_errors
from app.web.decompression import read_decompressed
from app.web.openapi import json_request, responses
from app.web.parameters import nearest_name

router = APIRouter(tags=["feedback"])

_MAX_BYTES = 4096
_FORM_TYPES = ("multipart/", "application/x-www-form-urlencoded")
_EXPECTED = 'Expected {"prediction_id": "...", "label": 4}: the id of a prediction, and the correct label.'
_ERRORS = (
    MalformedRequest(f"The body has no member 'prediction_id'. {_EXPECTED}"),
    FeedbackDisabled("Corrections are not collected here. Set FEEDBACK_DIR to the folder or bucket for them."),
    UnknownPrediction(expired_after=3600),
    TooLarge(f"The body has more than {_MAX_BYTES:,} bytes, the most that a correction may have. {_EXPECTED}"),
    example_errors.UNSUPPORTED_ENCODING,
    InvalidLabel("The label is 11. Expected a digit from 0 to 9, or 'not_a_digit'."),
    StoreUnavailable("The correction could not be stored; the log of the service says why. Try again later."),
    StoreFull("100,000 corrections are stored, the limit of the store. This one was not."),
)
"""Examples for the OpenAPI document."""


@router.post(
    "/feedback",
    summary="Correct a prediction",
    responses=responses("/feedback", *_ERRORS, *example_errors.POST),
    openapi_extra=json_request(Correction),
)
async def correct(request: Request) -> Stored:
    """Store the 28x28 image that the model received under its correct label. Picture and sender are not stored."""
    feedback: Feedback | None = request.app.state.feedback
    metrics: ServiceMetrics = request.app.state.metrics
    if feedback is None:
        message = "Corrections are not collected here. Set FEEDBACK_DIR to the folder or bucket for them."
        raise FeedbackDisabled(message)
    if name := next(iter(request.query_params), None):
        message = f"The query has a parameter '{name:.40}', but there are none. {_EXPECTED}"
        raise MalformedRequest(message)
    correction = await _parse_correction(request)
    label = _parse_label(correction.label)
    new = await feedback.store.add(feedback.prediction_ids.image_of(correction.prediction_id), label)
    metrics.count_correction(label)
    return Stored(label=label, new=new)


def _parse_label(value: JsonValue) -> str:
    """Return the label as text; a digit may be a number or text."""
    label = value if isinstance(value, str) else json.dumps(value)
    if label not in CORRECTION_LABELS:
        message = f"The label is {json.dumps(value)}. Expected a digit from 0 to 9, or 'not_a_digit'."
        raise InvalidLabel(message)
    return label


async def _parse_correction(request: Request) -> Correction:
    """Parse the body.

    Raises:
        MalformedRequest: if it is not a correction; it names the member.
        TooLarge: if it is longer than any correction.

    """
    try:
        return Correction.model_validate_json(await read_decompressed(request, _MAX_BYTES))
    except TooLarge as error:
        message = f"The body has more than {_MAX_BYTES:,} bytes, the most that a correction may have. {_EXPECTED}"
        raise TooLarge(message) from error
    except ValidationError as error:
        type_ = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_form = type_.startswith(_FORM_TYPES)
        found = f"The body is a form ({type_:.40})." if is_form else " ".join(map(_describe, error.errors()))
        message = f"{found} {_EXPECTED}"
        raise MalformedRequest(message) from error


def _describe(error: ErrorDetails) -> str:
    """Describe an error of the body or of one member."""
    match error:
        case {"type": "json_invalid", "ctx": {"error": reason}}:
            return f"The body is not JSON: {reason}."
        case {"loc": ()}:
            return "The body is JSON, but not an object."
        case {"type": "extra_forbidden", "loc": (name, *_)}:
            nearest = nearest_name(str(name), list(Correction.model_fields))
            return f"The member '{name:.40}' is unknown." + (f" Did you mean '{nearest}'?" if nearest else "")
        case {"type": "missing", "loc": (name,)}:
            return f"The body has no member '{name}'."
        case _:
            return f"The member '{error['loc'][0]}' is {json.dumps(error['input']):.40}: {error['msg']}."
