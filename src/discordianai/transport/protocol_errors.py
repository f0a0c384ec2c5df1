"""Connection errors and stream errors (RFC 9113, 5.4)."""

from h2.errors import ErrorCodes


class Http2StreamError(Exception):
    """One stream is reset with `code`; the others go on."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code


class Http2ConnectionError(Exception):
    """The connection cannot be used any more: it is closed by a GOAWAY with `code`."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code
