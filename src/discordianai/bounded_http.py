"""Reads answers of HTTP within bounds of size and time, for requests whose answers are small.

httpx reads whatever comes, unpacks it, and times each read alone: one answer could take all memory, or last
for ever. Providers' answers, which are streamed, have bounds of their own (`providers/`).
"""

import anyio
import httpx

MOST_BYTES = 2**20
"""Discord's largest objects have some ten kilobytes. JSON can take thirty times as much in memory."""

BODY_WITHIN = 15.0
"""Seconds for a body, from the head of the response on."""


class BodyOutOfBounds(httpx.TransportError):
    """The body of an answer is too large, or compressed, which was not asked for."""


async def send(
    client: httpx.AsyncClient,
    request: httpx.Request,
    *,
    most_bytes: int = MOST_BYTES,
    seconds: float = BODY_WITHIN,
) -> httpx.Response:
    """The response to a request, with its body. Raises `httpx.HTTPError`.

    The body of an error may be out of bounds: it is empty then, and the status has to do.
    """
    request.headers["accept-encoding"] = "identity"  # a megabyte could unpack to a gigabyte
    response = await client.send(request, stream=True)
    try:
        with anyio.fail_after(seconds):
            content = await _body(response, most_bytes)
    except TimeoutError:
        raise httpx.ReadTimeout("the body was not complete in time", request=request) from None
    except BodyOutOfBounds:
        if response.is_success:
            raise
        content = b""
    finally:
        await response.aclose()
    headers = [pair for pair in response.headers.multi_items() if pair[0] not in _OF_THE_BODY]
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=content,
        request=request,
        extensions=response.extensions,
    )


_OF_THE_BODY = {"content-length", "content-encoding", "transfer-encoding"}


async def _body(response: httpx.Response, most_bytes: int) -> bytes:
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise BodyOutOfBounds("the answer is compressed", request=response.request)
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # for mypy: its client is one
    content = bytearray()
    async for chunk in response.stream:
        content += chunk
        if len(content) > most_bytes:
            raise BodyOutOfBounds(f"an answer of over {most_bytes:,} bytes", request=response.request)
    return bytes(content)
