"""HTTP/1.1 on the h11 state machine: one exchange at a time."""

import h11
import trio

from discordianai.sandbox.http.server_interface import ClientConnection, Headers, PeerGone, ServerExchange

READ_SIZE = 65_536


class Http1Connection(ClientConnection):
    """A connection that speaks HTTP/1.1."""

    protocol = "HTTP/1.1"

    async def serve(self) -> None:
        """See `ClientConnection.serve`."""
        machine = h11.Connection(h11.SERVER)
        while True:
            request = await next_event(self, machine)
            if not isinstance(request, h11.Request):
                return
            self.streams_opened += 1
            self.open_streams += 1
            try:
                await self.server.handler(Http1Exchange(self, machine, request))
            except PeerGone:
                return
            finally:
                self.open_streams -= 1
            if machine.our_state is not h11.DONE or machine.their_state is not h11.DONE:
                return
            machine.start_next_cycle()


async def next_event(connection: ClientConnection, machine: h11.Connection) -> object:
    """The state machine's next event; reads from the socket as needed."""
    while True:
        event = machine.next_event()
        if event is not h11.NEED_DATA:
            return event
        machine.receive_data(bytes(await connection.stream.receive_some(READ_SIZE)))


class Http1Exchange(ServerExchange):
    """See `ServerExchange`."""

    http_version = "HTTP/1.1"

    def __init__(self, connection: ClientConnection, machine: h11.Connection, request: h11.Request) -> None:
        self.connection = connection
        self.method = request.method.decode()
        self.path = request.target.decode()
        self.headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        self._machine = machine

    async def receive(self) -> bytes:
        """See `ServerExchange.receive`."""
        try:
            event = await next_event(self.connection, self._machine)
        except h11.RemoteProtocolError as error:  # for instance, it left in the middle of its body
            raise PeerGone("the client ended its request early") from error
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.ConnectionClosed):
            raise PeerGone("the client closed the connection")
        return b""

    async def inform(self, status: int, headers: Headers = ()) -> None:
        """See `ServerExchange.inform`."""
        await self._write(h11.InformationalResponse(status_code=status, headers=_encoded(headers)))

    async def start(self, status: int, headers: Headers = ()) -> None:
        """See `ServerExchange.start`."""
        await self._write(h11.Response(status_code=status, headers=_encoded(headers)))

    async def send(self, data: bytes) -> None:
        """See `ServerExchange.send`."""
        await self._write(h11.Data(data=data))

    async def finish(self, trailers: Headers = ()) -> None:
        """See `ServerExchange.finish`."""
        await self._write(h11.EndOfMessage(headers=_encoded(trailers)))

    async def reset(self, error_code: int = 2) -> None:  # noqa: ARG002  # HTTP/1.1 has no codes
        """See `ServerExchange.reset`."""
        await self.connection.abort()
        raise PeerGone("the exchange was aborted")

    async def _write(self, event: h11.Event) -> None:
        data = self._machine.send(event)
        try:
            await self.connection.stream.send_all(data or b"")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerGone("the client is gone") from error


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]
