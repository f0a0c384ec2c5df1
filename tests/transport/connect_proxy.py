"""An HTTP proxy that knows CONNECT, with or without a password."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener

from discordianai.sandbox.certificates import Authority

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class ConnectProxy:
    """`url` has the name and password that it wants; `tunnels` are the targets that were asked for."""

    port: int = 0
    scheme: str = "http"
    wants: tuple[str, str] | None = None
    answer: bytes = OPEN
    """To a CONNECT that is let through; with another status no tunnel is opened."""
    tunnels: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """For HTTPS_PROXY."""
        user = f"{':'.join(self.wants)}@" if self.wants else ""
        return f"{self.scheme}://{user}127.0.0.1:{self.port}"

    async def serve(self, stream: ByteStream) -> None:
        """One connection."""
        async with stream:
            try:
                await self._serve(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead):
                return

    async def _serve(self, stream: ByteStream) -> None:
        head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", 65_536)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split()
        if method != "CONNECT":
            raise anyio.EndOfStream
        if self.wants is not None:
            credentials = b64encode(":".join(self.wants).encode()).decode()
            if f"Proxy-Authorization: Basic {credentials}" not in lines:
                await stream.send(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                return
        self.tunnels.append(target)
        await stream.send(self.answer)
        if b" 20" not in self.answer:
            return
        host, _, port = target.rpartition(":")
        async with (
            await anyio.connect_tcp(host.strip("[]"), int(port)) as origin,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_copy, stream, origin, tasks.cancel_scope)
            tasks.start_soon(_copy, origin, stream, tasks.cancel_scope)


async def _copy(source: ByteStream, target: ByteStream, ended: anyio.CancelScope) -> None:
    try:
        async for data in source:
            await target.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass
    ended.cancel()


@asynccontextmanager
async def open_proxy(proxy: ConnectProxy, authority: Authority | None = None) -> AsyncIterator[ConnectProxy]:
    """It listens while the block runs; over TLS, if its scheme says so."""
    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    proxy.port = tcp.extra(SocketAttribute.local_port)  # noqa: S610  # not Django's
    async with tcp, anyio.create_task_group() as tasks:
        if proxy.scheme == "https":
            assert authority is not None
            context = authority.server_context(("http/1.1",))
            tls = TLSListener(tcp, context, standard_compatible=False)
            tasks.start_soon(tls.serve, proxy.serve)
        else:
            tasks.start_soon(tcp.serve, proxy.serve)
        yield proxy
        tasks.cancel_scope.cancel()
