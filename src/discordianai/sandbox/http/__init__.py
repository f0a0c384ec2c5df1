"""A small HTTP server that can be told to misbehave: HTTP/2 and HTTP/1.1, by TLS and without.

ASGI can neither cut an answer, nor reset a stream, nor say GOAWAY; here a handler can.
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
