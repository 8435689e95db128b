"""What can go wrong between a request and its answer. Knows no HTTP: `problems.py` gives each kind its status.

ServiceError
├── MalformedRequest      the request does not have the form that was asked for
├── UnsupportedBody       the body says that it is something other than a picture
├── TooLarge              more bytes or more files than are taken
├── HeadTooLarge          the request's head is longer than any that makes sense
├── UrlTooLong        or its URL is
├── TooSlow               the request took too long to come in
├── Unauthenticated       the request does not bear the token it needs
├── Forbidden             nobody may do this with these settings
├── CrossOriginRequest           nobody may have a browser send this from a page of another site
├── UnknownModel          no model of that name
├── UnknownVersion        the model has no such version
│   └── UnknownLabel      or no such label
├── UnknownPrediction     no prediction has that id, or it was too long ago
├── WrongLabel            a correction to what is neither a digit nor none
├── FeedbackOff           corrections are not collected
├── StoreFull             no more corrections are kept
├── StoreUnavailable      corrections cannot be stored at the moment
├── UnknownServable       no such model, version or label, in the words of TensorFlow Serving
├── NotAffine             the model has no weight images to show
├── NotReady              the model exists but cannot answer: it is still loading, failed to, or was unloaded
├── Overloaded            more has come than can be answered at the moment
├── DeadlineExceeded      the answer took longer than was allowed
└── BrokenArtefact        a folder of models/ that cannot be served

Pictures that cannot be read raise `imaging.PictureError`.
"""


class ServiceError(Exception):
    """The root; its message is written for the person who sent the request."""


class MalformedRequest(ServiceError):
    """The request does not have the form that was asked for."""


class UnsupportedBody(ServiceError):
    """The body says that it is something other than a picture."""


class TooLarge(ServiceError):
    """More bytes or more files than are taken."""


class HeadTooLarge(ServiceError):
    """The request's head is longer than any that makes sense, or what is round its body is."""

    def __init__(self, most_bytes: int, most_headers: int) -> None:
        super().__init__(
            f"The request's line, headers and trailers have more than {most_bytes:,} bytes or {most_headers} headers, "
            "the most that are taken. The connection is closed. Send fewer or shorter headers."
        )


class UrlTooLong(ServiceError):
    """The request's URL is longer than any that makes sense."""

    def __init__(self, length: int, longest: int) -> None:
        super().__init__(f"The URL has {length:,} bytes. At most {longest:,} are taken. The connection is closed.")


class TooSlow(ServiceError):
    """The request took too long to come in."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The request had not come in whole after {seconds:g} seconds. Send less, or over a faster connection."
        )


class Unauthenticated(ServiceError):
    """The request does not bear the token it needs."""

    def __init__(self, setting: str, *, given: bool) -> None:
        found = "The Authorization header does not carry the right token." if given else "No token was sent."
        super().__init__(f"{found} Send 'Authorization: Bearer <token>' with the token that {setting} is set to.")


class Forbidden(ServiceError):
    """Nobody may load or unload with these settings."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Loading and unloading are refused: the service listens on {host}, where anyone could ask for it, and "
            "has no ADMIN_TOKEN. Set one and send it as 'Authorization: Bearer <token>', or listen on 127.0.0.1."
        )


class CrossOriginRequest(ServiceError):
    """A page of another site has a browser ask for what its user did not."""

    def __init__(self, origin: str, *, is_admin: bool) -> None:
        what = "Loading and unloading are" if is_admin else "The request is"
        setting = "ADMIN_TOKEN" if is_admin else "PREDICT_TOKEN"
        allow = "" if is_admin else "put that origin into ALLOWED_ORIGINS, "
        super().__init__(
            f"{what} refused: a page of {origin:.100} asks for it, which is not this service's own. Ask from a "
            f"program, {allow}or set {setting} and send it as 'Authorization: Bearer <token>'."
        )


class UnknownModel(ServiceError):
    """No model of that name."""

    def __init__(self, name: str, available: list[str]) -> None:
        super().__init__(f"There is no model '{name}'. Available models: {', '.join(available) or 'none'}.")


class UnknownVersion(ServiceError):
    """The model has no such version."""

    def __init__(self, name: str, version: int, available: list[int]) -> None:
        versions = ", ".join(map(str, available)) or "none"
        super().__init__(f"Model '{name}' has no version {version}. Available versions: {versions}.")


class UnknownLabel(UnknownVersion):
    """The model has no such label."""

    def __init__(self, name: str, label: str, available: list[str]) -> None:
        ServiceError.__init__(self, f"Model '{name}' has no label '{label}'. Labels: {', '.join(available)}.")


class UnknownPrediction(ServiceError):
    """No prediction has that id, or it was too long ago."""

    def __init__(self, *, expired_after: int | None = None) -> None:
        super().__init__(
            "No prediction has that prediction_id, or the service has been started anew since. Ask again."
            if expired_after is None
            else f"That prediction is too long ago: it could be corrected for {expired_after:,} seconds. Ask again."
        )


class WrongLabel(ServiceError):
    """A correction to what is neither a digit nor none."""


class FeedbackOff(ServiceError):
    """Corrections are not collected."""


class StoreFull(ServiceError):
    """No more corrections are kept."""


class StoreUnavailable(ServiceError):
    """Corrections cannot be stored at the moment."""


class UnknownServable(ServiceError):
    """No such model, version or label, in the words of TensorFlow Serving."""

    def __init__(self, name: str, version: int | None, label: str | None) -> None:
        asked = f"Specific({name}, {version})" if version else f"Label({name}, {label})" if label else f"Latest({name})"
        super().__init__(f"Servable not found for request: {asked}")


class NotAffine(ServiceError):
    """The model has no weight images to show."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Model '{name}' is not one affine map of the pixels, so it has no weight images. Ask /explain instead."
        )


class NotReady(ServiceError):
    """The model exists but cannot answer: it is still loading, or it failed to, or it was unloaded."""


class Overloaded(ServiceError):
    """More has come than can be answered at the moment."""


class DeadlineExceeded(ServiceError):
    """The answer took longer than was allowed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"No answer within {seconds:g} seconds. Try again later, or send a smaller picture.")


class BrokenArtefact(ServiceError):
    """A folder of `models/` that cannot be served."""
