"""The errors of the service. Knows no HTTP: `app/web/problems.py` maps each class to a status.

ServiceError
├── MalformedRequest      the request is not in the expected format
├── UnsupportedBody       the body's type is not supported
│   └── UnsupportedEncoding  the body's content encoding is not supported
├── TooLarge              the request has too many bytes, files or values
├── HeadTooLarge          the request's head, or the chunk sizes and trailers of its body, are too long
├── UrlTooLong            the request's URL is too long
├── RequestTooSlow        the request was not received in time
├── Unauthenticated       the request lacks the required token
├── LoadingForbidden      the settings forbid loading and unloading of models
├── CrossOriginRequest    a page of another origin sent the request, which the settings do not allow
├── UnknownModel          the repository has no such model
├── UnknownVersion        the model has no such version
│   └── UnknownVersionLabel  the model has no such label
├── UnknownPrediction     no prediction has this id, or the prediction has expired
├── InvalidLabel            a correction's label is neither a digit nor `not_a_digit`
├── FeedbackDisabled      the collection of corrections is turned off
├── StoreFull             the store of corrections is full
├── StoreUnavailable      the store of corrections cannot be written at the moment
├── UnknownServable       no such model, version or label, in TensorFlow Serving's wording
├── NotAffine             the model has no weight images
├── NotAClassifier        the model does not classify images
├── NotReady              the model or the service cannot answer at the moment
│   └── FinderUnavailable    the finder cannot find digits in pictures at the moment
├── Overloaded            the service has reached a limit on concurrent work
├── DeadlineExceeded      the answer took too long
└── BrokenArtefact        a model's files cannot be served

Pictures that cannot be decoded raise `imaging.PictureError`.
"""


class ServiceError(Exception):
    """The base class. The message is written for the client that sent the request."""


class MalformedRequest(ServiceError):
    """The request is not in the expected format."""


class UnsupportedBody(ServiceError):
    """The body's type is not supported."""


class UnsupportedEncoding(UnsupportedBody):
    """The body's content encoding is not supported."""


class TooLarge(ServiceError):
    """The request has too many bytes, files or values."""


class HeadTooLarge(ServiceError):
    """The request's head is too long, or the chunk sizes and trailers of its body are too long."""

    def __init__(self, max_bytes: int, max_headers: int) -> None:
        super().__init__(
            f"The request has more than {max_bytes:,} bytes of headers, trailers and chunk sizes, or more than "
            f"{max_headers} headers. The connection is closed. Send fewer or shorter headers, or larger chunks."
        )


class UrlTooLong(ServiceError):
    """The request's URL is too long."""

    def __init__(self, length: int, max_length: int) -> None:
        super().__init__(f"The URL has {length:,} bytes. The limit is {max_length:,} bytes. The connection is closed.")


class RequestTooSlow(ServiceError):
    """The request was not received in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The request was not received completely within {seconds:g} seconds. "
            "Send a smaller request, or use a faster connection."
        )


class Unauthenticated(ServiceError):
    """The request lacks the required token."""

    def __init__(self, setting: str, *, given: bool) -> None:
        found = "The Authorization header does not contain the correct token." if given else "No token was sent."
        super().__init__(f"{found} Send 'Authorization: Bearer <token>' with the token that {setting} is set to.")


class LoadingForbidden(ServiceError):
    """The settings forbid loading and unloading."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Loading and unloading are refused: the service listens on {host}, which other machines can reach, and "
            "has no ADMIN_TOKEN. Set one and send it as 'Authorization: Bearer <token>', or listen on 127.0.0.1."
        )


class CrossOriginRequest(ServiceError):
    """A page of another origin had a browser send the request, and the settings do not allow that origin."""

    def __init__(self, origin: str, *, is_admin: bool) -> None:
        what = "Loading and unloading are" if is_admin else "The request is"
        setting = "ADMIN_TOKEN" if is_admin else "PREDICT_TOKEN"
        allow = "" if is_admin else "add that origin to ALLOWED_ORIGINS, "
        super().__init__(
            f"{what} refused: it was sent by a page of {origin:.100}, which is not this service's own origin. Send it "
            f"from a program, {allow}or set {setting} and send it as 'Authorization: Bearer <token>'."
        )


class UnknownModel(ServiceError):
    """The repository has no such model."""

    def __init__(self, name: str, available: list[str]) -> None:
        super().__init__(f"There is no model '{name}'. Available models: {', '.join(available) or 'none'}.")


class UnknownVersion(ServiceError):
    """The model has no such version."""

    def __init__(self, name: str, version: int, available: list[int]) -> None:
        versions = ", ".join(map(str, available)) or "none"
        super().__init__(f"Model '{name}' has no version {version}. Available versions: {versions}.")


class UnknownVersionLabel(UnknownVersion):
    """The model has no such label."""

    def __init__(self, name: str, label: str, available: list[str]) -> None:
        ServiceError.__init__(self, f"Model '{name}' has no label '{label}'. Labels: {', '.join(available)}.")


class UnknownPrediction(ServiceError):
    """No prediction has this id, or the prediction has expired."""

    def __init__(self, *, expired_after: int | None = None) -> None:
        super().__init__(
            "No prediction has that prediction_id, or the service has been restarted since. Request a new prediction."
            if expired_after is None
            else f"The prediction has expired: it could be corrected for {expired_after:,} seconds. "
            "Request a new prediction."
        )


class InvalidLabel(ServiceError):
    """A correction's label is neither a digit nor `not_a_digit`."""


class FeedbackDisabled(ServiceError):
    """The collection of corrections is turned off."""


class StoreFull(ServiceError):
    """The store of corrections is full."""


class StoreUnavailable(ServiceError):
    """The store of corrections cannot be written at the moment."""


class UnknownServable(ServiceError):
    """No such model, version or label, in TensorFlow Serving's wording."""

    def __init__(self, name: str, version: int | None, label: str | None) -> None:
        spec = f"Specific({name}, {version})" if version else f"Label({name}, {label})" if label else f"Latest({name})"
        super().__init__(f"Servable not found for request: {spec}")


class NotAffine(ServiceError):
    """The model has no weight images, because its logits are not an affine map of the pixels."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Model '{name}' is not a single affine map of the pixels, so it has no weight images. "
            "Use /explain instead."
        )


class NotAClassifier(ServiceError):
    """The model finds digits in pictures; it does not classify images."""

    def __init__(self, name: str, classifiers: list[str]) -> None:
        choice = f"Choose {' or '.join(classifiers)}." if classifiers else "There is no model that does."
        super().__init__(f"Model '{name}' finds digits in pictures; it does not classify images. {choice}")


class NotReady(ServiceError):
    """The model or the service cannot answer at the moment."""


class FinderUnavailable(NotReady):
    """The finder cannot find digits in pictures at the moment."""


class Overloaded(ServiceError):
    """The service has reached a limit on concurrent work."""


class DeadlineExceeded(ServiceError):
    """The answer took too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"No answer within {seconds:g} seconds. Try again later, or send a smaller picture.")


class BrokenArtefact(ServiceError):
    """A model's files cannot be served."""
