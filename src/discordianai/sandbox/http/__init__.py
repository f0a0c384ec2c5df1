"""A small HTTP server that misbehaves on request: HTTP/2 and HTTP/1.1, with TLS and without.

ASGI cannot cut an answer, reset a stream or send GOAWAY; here a handler can.
"""

from discordianai.sandbox.http.server_interface import (
    ClientConnection,
    Handler,
    Headers,
    PeerGone,
    Server,
    ServerExchange,
    ServerOptions,
)
from discordianai.sandbox.http.socket_server import open_server

__all__ = [
    "ClientConnection",
    "Handler",
    "Headers",
    "PeerGone",
    "Server",
    "ServerExchange",
    "ServerOptions",
    "open_server",
]
