"""HPACK of one connection: header blocks, in however many frames they come."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import hpack
from h2.errors import ErrorCodes

from discordianai.transport.frames import CONTINUATION, END_HEADERS, END_STREAM, Frame, header_block
from discordianai.transport.protocol_errors import Http2ConnectionError

MAX_HEADER_LIST = 65_536
"""Bytes of a header list that are taken; a block may be as long, for it is compressed."""

HeaderList = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class FieldBlock:
    """A header block that has begun."""

    stream_id: int
    end_stream: bool
    data: bytearray = field(default_factory=bytearray)


class FieldBlockCodec:
    """Decodes every block that is received, wanted or not: the table depends on each."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(MAX_HEADER_LIST)
        self._encoder = hpack.Encoder()
        self.begun: FieldBlock | None = None
        """The block that is not whole yet."""

    def interrupted_by(self, frame: Frame) -> bool:
        """Whether `frame` comes in the midst of a block, where only its CONTINUATION may (RFC 9113, 6.10)."""
        if self.begun is None:
            return frame.kind == CONTINUATION
        return frame.kind != CONTINUATION or frame.stream_id != self.begun.stream_id

    def add(self, frame: Frame) -> tuple[FieldBlock, HeaderList] | None:
        """Take a HEADERS or CONTINUATION frame; the block and its list, if it is whole.

        Raises `Http2ConnectionError`.
        """
        if self.begun is None:
            block = FieldBlock(frame.stream_id, bool(frame.flags & END_STREAM))
            block.data += header_block(frame)
        else:
            block = self.begun
            block.data += frame.payload
        if len(block.data) > MAX_HEADER_LIST:
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, "a header block that does not end")
        if not frame.flags & END_HEADERS:
            self.begun = block
            return None
        self.begun = None
        return block, self._decode(bytes(block.data))

    def encode(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The block for these."""
        return self._encoder.encode(headers)

    def limit(self, table_size: int) -> None:
        """The peer's decoder has a table of so many bytes."""
        if self._encoder.header_table_size != table_size:
            self._encoder.header_table_size = table_size

    def _decode(self, block: bytes) -> HeaderList:
        try:
            return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except hpack.OversizedHeaderListError:
            why = f"headers of more than {MAX_HEADER_LIST} bytes"
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, why) from None
        except (hpack.HPACKError, IndexError, ValueError) as error:
            why = f"headers that cannot be decoded ({type(error).__name__})"
            raise Http2ConnectionError(ErrorCodes.COMPRESSION_ERROR, why) from None
