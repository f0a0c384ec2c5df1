"""HTTP/2 on the h2 state machine: one task that reads, one that writes, and one for each exchange.

Only one task writes: exchanges are cancelled whenever their client leaves, and a write cut in the middle
would break the connection for the others.
"""

from collections import deque
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

from discordianai.sandbox.http.server_interface import (
    CLOSE_TIMEOUT,
    ClientConnection,
    Headers,
    PeerGone,
    Server,
    ServerExchange,
)

READ_SIZE = 65_536
SettingCodes = h2.settings.SettingCodes
GRACEFUL: int = 2**31 - 1
"""The last_stream_id of a GOAWAY that refuses nothing yet."""


class Http2Connection(ClientConnection):
    """A connection that speaks HTTP/2 and sends whatever a test wants sent."""

    protocol = "HTTP/2"

    def __init__(self, server: Server, stream: trio.abc.Stream) -> None:
        super().__init__(server, stream)
        self._machine = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._exchanges: dict[int, Http2Exchange] = {}
        self._output = bytearray()
        self._more = trio.Event()
        self._closing = False
        self._stalled = trio.Event()
        self._refuse = server.options.refuse_streams
        self._last_stream_id = GRACEFUL
        # The initial settings await their acknowledgement.
        self._settings: deque[dict[SettingCodes | int, int]] = deque([{}])

    async def serve(self) -> None:
        """See `ClientConnection.serve`."""
        options = self.server.options
        self._machine.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: options.max_concurrent_streams,
                SettingCodes.INITIAL_WINDOW_SIZE: options.initial_window_size,
                SettingCodes.MAX_HEADER_LIST_SIZE: options.max_header_list_size,
            },
        )
        self._machine.initiate_connection()
        await self.flush()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            # Caught in here: outside the nursery it would come in a group.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._read(nursery)
            for exchange in self._exchanges.values():
                exchange.gone()
            self._closing = True
            self._more.set()
            nursery.cancel_scope.deadline = trio.current_time() + CLOSE_TIMEOUT

    async def _write(self, everything: trio.CancelScope) -> None:
        try:
            while True:
                while self._output and not self._stalled.is_set():
                    data = bytes(self._output)
                    self._output.clear()
                    await self.stream.send_all(data)
                if self._closing:
                    return
                await self._more.wait()
                self._more = trio.Event()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            everything.cancel()

    async def _read(self, nursery: trio.Nursery) -> None:
        while data := await self.stream.receive_some(READ_SIZE):
            if self._stalled.is_set():
                await trio.sleep_forever()  # a silent peer: neither reads nor answers
            self._collect()
            try:
                events = self._machine.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                self.complaints.append(f"{type(error).__name__}: {error}")
                await self.flush()
                return
            for event in events:
                self._handle(event, nursery)
            if self.server.options.answer_pings or not any(
                isinstance(event, h2.events.PingReceived) for event in events
            ):
                await self.flush()
            else:
                self._machine.data_to_send()  # dropped: it holds the answer

    def _handle(self, event: h2.events.Event, nursery: trio.Nursery) -> None:
        match event:
            case h2.events.RequestReceived():
                self._open(event, nursery)
            case h2.events.DataReceived(stream_id=stream_id):
                self._give_window_back(event)
                if exchange := self._exchanges.get(stream_id):
                    exchange.arrived(event.data)
            case h2.events.StreamEnded(stream_id=stream_id) if stream_id in self._exchanges:
                self._exchanges[stream_id].ended()
            case h2.events.StreamReset(stream_id=stream_id):
                self.resets_received.append(int(event.error_code or 0))
                if exchange := self._exchanges.get(stream_id):
                    exchange.gone()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for exchange in self._exchanges.values():
                    exchange.window_changed()
            case _:
                self._handle_control(event)

    def _handle_control(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.SettingsAcknowledged():
                self._settings_acknowledged()
            case h2.events.PingReceived():
                self.pings_received += 1

    def _give_window_back(self, event: h2.events.DataReceived) -> None:
        """At once, byte for byte: h2's automatic updates deadlock where a window shrinks below zero."""
        size = event.flow_controlled_length
        if not size:
            return
        self._machine.increment_flow_control_window(size)
        with suppress(h2.exceptions.ProtocolError):  # the stream may be closed by now
            self._machine.increment_flow_control_window(size, event.stream_id)

    def _open(self, event: h2.events.RequestReceived, nursery: trio.Nursery) -> None:
        stream_id = event.stream_id
        if stream_id > self._last_stream_id:
            return  # opened after the GOAWAY: ignored
        self.streams_opened += 1
        if self._refuse:
            self._refuse -= 1
            self._machine.reset_stream(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        exchange = Http2Exchange(self, stream_id, [(str(k), str(v)) for k, v in event.headers or ()])
        self._exchanges[stream_id] = exchange
        self.open_streams += 1
        nursery.start_soon(self._answer, exchange)

    async def _answer(self, exchange: "Http2Exchange") -> None:
        try:
            with exchange.scope:
                await self.server.handler(exchange)
        except PeerGone:
            pass
        finally:
            del self._exchanges[exchange.stream_id]
            self.open_streams -= 1

    @property
    def machine(self) -> h2.connection.H2Connection:
        """The state machine; call `flush` after changing it."""
        return self._machine

    async def flush(self) -> None:
        """Have the state machine's output sent."""
        self._collect()
        await trio.lowlevel.checkpoint()

    async def send_raw(self, data: bytes) -> None:
        """Send these bytes, valid or not, after all earlier output."""
        self._collect(data)
        await trio.lowlevel.checkpoint()

    def _collect(self, more: bytes = b"") -> None:
        self._output += self._machine.data_to_send() + more
        self._more.set()

    @property
    def unsent(self) -> int:
        """Bytes waiting to be sent."""
        return len(self._output)

    def stall(self) -> None:
        """Never read or write again, like a peer whose packets are all lost."""
        self._stalled.set()

    async def goaway(self, last_stream_id: int | None = GRACEFUL, error_code: int = 0) -> None:
        """Send GOAWAY as a raw frame, since h2's ends the connection; None stands for the newest stream."""
        last = self._machine.highest_inbound_stream_id if last_stream_id is None else last_stream_id
        self._last_stream_id = last
        payload = last.to_bytes(4, "big") + error_code.to_bytes(4, "big")
        frame = len(payload).to_bytes(3, "big") + bytes([7, 0]) + bytes(4) + payload
        await self.send_raw(frame)

    async def reset_some_stream(self) -> None:
        """Reset the oldest open stream, if there is one."""
        for stream_id, exchange in self._exchanges.items():
            with suppress(h2.exceptions.ProtocolError):  # its handler may be about to end
                self._machine.reset_stream(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            exchange.gone()
            break
        await self.flush()

    async def update_settings(self, settings: dict[SettingCodes | int, int]) -> None:
        """Change this side's settings, such as MAX_CONCURRENT_STREAMS, while streams are open."""
        # One at a time: h2 takes the first acknowledgement for all that are outstanding.
        self._settings.append(settings)
        if len(self._settings) == 1:
            self._send_settings()
        await self.flush()

    def _settings_acknowledged(self) -> None:
        if self._settings:  # a handler may have sent some by itself
            self._settings.popleft()
        if self._settings:
            self._send_settings()

    def _send_settings(self) -> None:
        with suppress(h2.exceptions.ProtocolError):  # the client may have closed
            self._machine.update_settings(self._settings[0])

    async def ping(self) -> None:
        """Send a PING."""
        self._machine.ping(b"sandbox!")
        await self.flush()


class Http2Exchange(ServerExchange):
    """See `ServerExchange`."""

    http_version = "HTTP/2"

    def __init__(self, connection: Http2Connection, stream_id: int, headers: list[tuple[str, str]]) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.headers = dict(headers)
        self.method = self.headers[":method"]
        self.path = self.headers[":path"]
        self.scope = trio.CancelScope()
        self._chunks: list[bytes] = []
        self._ended = False
        self._arrived = trio.Event()
        self._window = trio.Event()

    def arrived(self, data: bytes) -> None:
        """A part of the body has arrived."""
        self._chunks.append(data)
        self._arrived.set()

    def ended(self) -> None:
        """The body is complete."""
        self._ended = True
        self._arrived.set()

    def gone(self) -> None:
        """The client has reset the stream."""
        self.scope.cancel()

    def window_changed(self) -> None:
        """The flow-control window may allow sending again."""
        self._window.set()

    async def receive(self) -> bytes:
        """See `ServerExchange.receive`."""
        while not self._chunks and not self._ended:
            self._arrived = trio.Event()
            await self._arrived.wait()
        return self._chunks.pop(0) if self._chunks else b""

    async def inform(self, status: int, headers: Headers = ()) -> None:
        """See `ServerExchange.inform`."""
        await self._headers([(":status", str(status)), *headers])

    async def start(self, status: int, headers: Headers = ()) -> None:
        """See `ServerExchange.start`."""
        await self._headers([(":status", str(status)), *headers])

    async def send(self, data: bytes) -> None:
        """See `ServerExchange.send`."""
        machine = self.connection.machine
        while data:
            with _peer_gone():
                window = machine.local_flow_control_window(self.stream_id)
                allowed = min(window, machine.max_outbound_frame_size)
                if allowed > 0:
                    machine.send_data(self.stream_id, data[:allowed])
            if allowed <= 0:
                self._window = trio.Event()
                await self._window.wait()
                continue
            data = data[allowed:]
            await self._flush()

    async def finish(self, trailers: Headers = ()) -> None:
        """See `ServerExchange.finish`."""
        with _peer_gone():
            if trailers:
                self.connection.machine.send_headers(self.stream_id, list(trailers), end_stream=True)
            else:
                self.connection.machine.end_stream(self.stream_id)
        await self._flush()

    async def reset(self, error_code: int = 2) -> None:
        """See `ServerExchange.reset`."""
        with _peer_gone():
            self.connection.machine.reset_stream(self.stream_id, error_code)
        await self._flush()

    async def _headers(self, headers: list[tuple[str, str]]) -> None:
        with _peer_gone():
            self.connection.machine.send_headers(self.stream_id, headers)
        await self._flush()

    async def _flush(self) -> None:
        with _peer_gone():
            await self.connection.flush()


class _peer_gone:  # noqa: N801  # used as a function, like contextlib's
    """Maps the errors of the state machine and the socket when a client is gone to `PeerGone`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(
            error, h2.exceptions.ProtocolError | trio.BrokenResourceError | trio.ClosedResourceError
        ):
            raise PeerGone("the client is gone") from error
