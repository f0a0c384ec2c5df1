"""Real HTTP/2 servers on 127.0.0.1, each a process with a configuration in a folder of its own.

All of them offer the same. POST /echo is answered with the `x-id` of the request, as a header or in the
body. GET /files/large is `LARGE`. PATCH /reject is answered before the body was read, where the server can.
"""

from tests.transport.servers.kinds import (
    APACHE,
    BY_HAND,
    CADDY,
    GRANIAN,
    H2O,
    HAPROXY,
    HYPERCORN,
    IN_CI,
    LIGHTTPD,
    NGHTTPD,
    NGINX,
    NODE,
    NginxOptions,
    nginx,
)
from tests.transport.servers.launching import Kind, Running, open_server

__all__ = [
    "APACHE",
    "BY_HAND",
    "CADDY",
    "GRANIAN",
    "H2O",
    "HAPROXY",
    "HYPERCORN",
    "IN_CI",
    "LIGHTTPD",
    "NGHTTPD",
    "NGINX",
    "NODE",
    "Kind",
    "NginxOptions",
    "Running",
    "nginx",
    "open_server",
]
