"""Errors that only a request over HTTP can have; they extend the tree of packshot.errors."""

from __future__ import annotations

from packshot import errors


class MalformedRequest(errors.InputError):
    """The body is not the multipart form that the contract asks for."""

    slug = "malformed-request"


class MissingImage(errors.InputError):
    """The form has no `image` part."""

    slug = "missing-image"


class BodyTooLarge(errors.InputError):
    """The body as a whole is over what any acceptable file needs."""

    slug = "body-too-large"


class BodyTooSlow(errors.CapacityError):
    """The body did not arrive in time."""

    slug = "body-too-slow"


class UploadsFull(errors.QueueFull):
    """The bodies that are held already leave no room for another."""

    slug = "uploads-full"


class UnknownPath(errors.InputError):
    """No such URL."""

    slug = "unknown-path"


class WrongMethod(errors.InputError):
    """The URL exists, but not for this method."""

    slug = "wrong-method"


class NotAcceptable(errors.InputError):
    """The answer has none of the media types that the client takes."""

    slug = "not-acceptable"
