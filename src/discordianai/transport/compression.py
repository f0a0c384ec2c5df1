"""Field block compression (HPACK) of one connection; a block may come in several frames."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import hpack
from h2.errors import ErrorCodes

from discordianai.transport.frames import CONTINUATION, END_HEADERS, END_STREAM, Frame, field_block
from discordianai.transport.protocol_errors import Http2ConnectionError

MAX_HEADER_LIST = 65_536
"""Bytes of a decoded header list, and of its compressed block, that are accepted."""

HeaderList = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class FieldBlock:
    """A field block, as far as it has come."""

    stream_id: int
    end_stream: bool
    data: bytearray = field(default_factory=bytearray)


class FieldBlockCodec:
    """Decodes every block, even of closed streams: each one changes the table of the next (RFC 9113, 4.3)."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(MAX_HEADER_LIST)
        self._encoder = hpack.Encoder()
        self.incomplete: FieldBlock | None = None
        """The block that CONTINUATION frames are still expected for."""

    def interrupted_by(self, frame: Frame) -> bool:
        """Whether `frame` is out of place between a block's frames (RFC 9113, 6.10)."""
        if self.incomplete is None:
            return frame.kind == CONTINUATION
        return frame.kind != CONTINUATION or frame.stream_id != self.incomplete.stream_id

    def add(self, frame: Frame) -> tuple[FieldBlock, HeaderList] | None:
        """Take a HEADERS or CONTINUATION frame. Returns the block and its header list once it is complete.

        Raises `Http2ConnectionError`.
        """
        if self.incomplete is None:
            block = FieldBlock(frame.stream_id, bool(frame.flags & END_STREAM))
            block.data += field_block(frame)
        else:
            block = self.incomplete
            block.data += frame.payload
        if len(block.data) > MAX_HEADER_LIST:
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, "a field block that does not end")
        if not frame.flags & END_HEADERS:
            self.incomplete = block
            return None
        self.incomplete = None
        return block, self._decode(bytes(block.data))

    def encode(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The field block of these headers."""
        return self._encoder.encode(headers)

    def set_table_size(self, size: int) -> None:
        """Limit the encoder's dynamic table to `size` bytes."""
        if self._encoder.header_table_size != size:
            self._encoder.header_table_size = size

    def _decode(self, block: bytes) -> HeaderList:
        try:
            return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except hpack.OversizedHeaderListError:
            why = f"headers of more than {MAX_HEADER_LIST} bytes"
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, why) from None
        except (hpack.HPACKError, IndexError, ValueError) as error:
            why = f"headers that cannot be decoded ({type(error).__name__})"
            raise Http2ConnectionError(ErrorCodes.COMPRESSION_ERROR, why) from None
