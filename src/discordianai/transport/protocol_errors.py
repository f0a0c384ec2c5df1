"""The two kinds of protocol errors of RFC 9113, 5.4. Whoever raises one has decided whom it concerns."""

from h2.errors import ErrorCodes


class Http2StreamError(Exception):
    """One stream is malformed: it is reset with `code`, and its neighbours go on."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code


class Http2ConnectionError(Exception):
    """The connection is of no more use: it is closed by a GOAWAY with `code`."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code
