"""A small HTTP server that can be told to misbehave: HTTP/2 and HTTP/1.1, by TLS and without.

ASGI can neither cut an answer, nor reset a stream, nor say GOAWAY; here a handler can.
"""

from discordianai.sandbox.http.server_interface import Exchange, Handler, Headers, PeerGone
from discordianai.sandbox.http.socket_server import Connection, Server, ServerOptions, open_server

__all__ = [
    "Connection",
    "Exchange",
    "Handler",
    "Headers",
    "PeerGone",
    "Server",
    "ServerOptions",
    "open_server",
]
