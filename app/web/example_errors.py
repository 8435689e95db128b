"""Examples of the errors that many routes have, for the OpenAPI document."""

from app import errors
from imaging import PictureTooLarge, UnreadablePicture, UnsupportedPicture

_SUPPORTED = "Supported: PNG, JPEG (MPO too), GIF, BMP, TIFF, WebP, HEIC, AVIF, PBM, PGM or PPM."

ALL: tuple[Exception, ...] = (errors.HeadTooLarge(65_536, 256), RuntimeError())
"""Of every request."""
UNKNOWN: tuple[Exception, ...] = (
    errors.UnknownModel("resnet", ["convnet", "convnet-large", "softmax"]),
    errors.UnknownVersion("convnet", 7, [4, 5, 6]),
)
"""Of requests that name a model and a version."""
NOT_READY: tuple[Exception, ...] = (errors.NotReady("Model 'convnet' is still loading. Try again in a second."),)
"""Of requests that need a model."""
POST: tuple[Exception, ...] = (
    errors.Unauthenticated("PREDICT_TOKEN", given=False),
    errors.CrossOriginRequest("https://example.org", is_admin=False),
    errors.RequestTooSlow(60),
    errors.Overloaded("The service is busy: it is answering 64 requests. Try again in a second."),
    errors.DeadlineExceeded(10),
)
"""Of POST requests."""
PREDICTION: tuple[Exception, ...] = (
    errors.MalformedRequest(
        "The query has a parameter 'modle', which is unknown. Did you mean 'model'? Known: model, version, seen."
    ),
    errors.NotAClassifier("finder", ["convnet", "convnet-large", "softmax"]),
    *UNKNOWN,
    *NOT_READY,
    *POST,
)
"""Of requests for predictions."""
BODY_TOO_LARGE = errors.TooLarge(
    "The body has more than 8,388,608 bytes, which is the limit. Send a smaller picture, or fewer pictures."
)
UNSUPPORTED_ENCODING = errors.UnsupportedEncoding(
    "The content encoding is 'br'. Expected gzip, deflate or no encoding."
)
UNREADABLE_PICTURE = UnreadablePicture(
    "The PNG picture is broken or truncated (image file is truncated (0 bytes not processed)). Save it again and "
    "send that file."
)
PICTURE: tuple[Exception, ...] = (
    *PREDICTION,
    BODY_TOO_LARGE,
    PictureTooLarge(
        "The picture has 40000 x 30000 pixels; at most 24,000,000 in total are allowed. Send a smaller picture."
    ),
    errors.UnsupportedBody(
        "The content type is 'text/plain'. Expected the picture itself with an image type, such as image/png, or "
        "multipart/form-data with one part named 'file'."
    ),
    UnsupportedPicture(
        "The file is a PDF document, not a picture in a supported format. Send a page as a PNG or JPEG. " + _SUPPORTED
    ),
    UNREADABLE_PICTURE,
)
"""Of requests with one picture."""
PICTURES: tuple[Exception, ...] = (
    *PREDICTION,
    errors.TooLarge("The form has more than 64 files, which is the limit. Send the rest in another request."),
    errors.UnsupportedBody("There is no content type. Expected multipart/form-data with parts named 'file'."),
)
"""Of requests with several pictures."""
