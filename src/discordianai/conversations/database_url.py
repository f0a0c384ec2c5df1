"""The URL of a PostgreSQL database, as libpq reads it, checked before anything connects.

    postgresql://discordianai@db.example.org:5432/discordianai?sslmode=verify-full
    postgresql:///discordianai?host=/run/postgresql

A password never stands in it: the URL is shown in the log, in `discordianai settings` and by `check`. No
error repeats a part of the URL, which may be a password that was written without its percent signs.
"""

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

PASSWORD_VARIABLE, PASSWORD_CREDENTIAL = "DATABASE_PASSWORD", "database-password"

SCHEMES = ("postgresql", "postgres")
USUAL_PORT = 5432
LONGEST = 2000
"""Characters."""

_PARAMETERS = """
    host hostaddr port user passfile require_auth channel_binding connect_timeout options
    application_name fallback_application_name keepalives keepalives_idle keepalives_interval
    keepalives_count tcp_user_timeout gssencmode sslmode sslnegotiation sslcompression sslcert
    sslkey sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version
    ssl_max_protocol_version krbsrvname gsslib gssdelegation target_session_attrs load_balance_hosts
    service
"""

PARAMETERS = frozenset(_PARAMETERS.split())
"""Those of libpq that may follow the question mark."""

SET_BY_THE_BOT = frozenset({"client_encoding", "replication", "dbname"})
SECRETS = frozenset({"password", "sslpassword"})
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONNINFO = re.compile(r"\s*(?:host|hostaddr|dbname|service)\s*=")
"""libpq's other form, as in `host=localhost dbname=bot`."""

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")


class BadUrl(ValueError):
    """It cannot be used; the text says what it should be, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A PostgreSQL database. `text` is the URL as it was written, `hosts` those to be tried in turn.

    A host is a name, an address, the folder of a Unix socket, or empty for libpq's usual place.
    """

    text: str
    hosts: tuple[tuple[str, int], ...]
    user: str
    database: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Without the parameters."""
        return self.text.partition("?")[0]

    @property
    def is_on_this_machine(self) -> bool:
        """Whether nothing of the connection crosses a network."""
        return all(is_this_machine(host) for host, _ in self.hosts)

    @property
    def ssl_mode(self) -> str:
        """libpq's `sslmode`."""
        return self.parameters.get("sslmode", "prefer")

    @property
    def is_encrypted(self) -> bool:
        """Whether libpq refuses a connection without TLS."""
        return self.ssl_mode in {"require", "verify-ca", "verify-full"}


def is_url(database: str) -> bool:
    """Whether `database` of the settings is, or is meant to be, a URL and no file."""
    return bool(_SCHEME.match(database) or _CONNINFO.match(database)) or database.startswith(
        tuple(f"{scheme}:" for scheme in SCHEMES)
    )


def parse(text: str) -> DatabaseUrl:
    """Raises `BadUrl`."""
    rest = _after_scheme(text)
    _refuse_password(rest)
    _refuse_characters(text)
    before, _, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    user, _, places = authority.rpartition("@")
    parameters = _parameters(query)
    database = _decoded(path)
    if not slash or not database or "/" in path:
        raise BadUrl("should name the database after the host, as in postgresql://user@host/database")
    hosts = tuple(_hosts(places, parameters.get("host", ""), parameters.get("port", "")))
    return DatabaseUrl(text, hosts, _decoded(user) or parameters.get("user", ""), database, parameters)


def _after_scheme(text: str) -> str:
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1] not in SCHEMES:
        raise BadUrl(
            "should begin with postgresql://, as in postgresql://user@host/database, or be the path of a file"
        )
    return text[scheme.end() :]


def _refuse_characters(text: str) -> None:
    if len(text) > LONGEST or not text.isprintable() or " " in text or "#" in text:
        raise BadUrl(
            f"should have at most {LONGEST} characters, and no spaces, line breaks or #:"
            " write a space as %20 and # as %23"
        )
    if _BAD_PERCENT.search(text):
        raise BadUrl("should have two hexadecimal digits after each %, and no %00: a % itself is %25")


def _refuse_password(rest: str) -> None:
    """Whatever stands before the last @ with a colon in it: a password may have any character."""
    names = {part.partition("=")[0].lower() for part in re.split("[?&]", rest)[1:]}
    if ":" in rest.rpartition("@")[0] or names & SECRETS:
        raise BadUrl(
            "should have no password in it: set the environment's "
            f"{PASSWORD_VARIABLE}, the systemd credential {PASSWORD_CREDENTIAL}, or a line of ~/.pgpass"
        )


def _parameters(query: str) -> dict[str, str]:
    found = {}
    for number, part in enumerate(query.split("&") if query else (), 1):
        name, equals, value = part.partition("=")
        if name in SET_BY_THE_BOT:
            raise BadUrl(f"should leave out {name}: {_why_not(name)}")
        if name not in PARAMETERS or not equals or not value:
            near = difflib.get_close_matches(name, PARAMETERS, n=1)
            hint = f"did you mean {near[0]}=...?" if near else "one is sslmode=verify-full"
            raise BadUrl(
                "should have libpq's parameters after the question mark, as name=value, and number"
                f" {number} is none; {hint}"
            )
        found[name] = _decoded(value)
    if found.get("sslmode", "prefer") not in SSL_MODES:
        raise BadUrl(f"should have an sslmode of {', '.join(SSL_MODES)}")
    if not found.get("connect_timeout", "1").isdecimal():
        raise BadUrl("should have a connect_timeout in whole seconds")
    return found


def _why_not(name: str) -> str:
    return "the database stands after the host" if name == "dbname" else "the bot sets it itself"


def _hosts(places: str, names: str, ports: str) -> Iterator[tuple[str, int]]:
    """From `a:1,b:2`, or from the parameters `host=a,b` and `port=1,2`."""
    found = [_host(place) for place in places.split(",")]
    if not places:
        found = [(name, "") for name in names.split(",")]
    further = ports.split(",")
    if len(further) not in {1, len(found)}:
        raise BadUrl("should have one port, or one for each host")
    for number, (name, port) in enumerate(found):
        yield name, _port(port or further[min(number, len(further) - 1)])


def _host(place: str) -> tuple[str, str]:
    """A host and its port, which may be empty."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]]*))(?::([0-9]*))?", place)
    if found is None:
        raise BadUrl("should have hosts like db.example.org:5432 or [::1]:5432, with commas between them")
    return found[1] or _decoded(found[2]), found[3] or ""


def _port(text: str) -> int:
    digits = text.isascii() and text.isdecimal() and len(text) < 6
    port = int(text) if digits else USUAL_PORT if not text else 0
    if not 0 < port < 65_536:
        raise BadUrl("should have a port from 1 to 65535")
    return port


def _decoded(text: str) -> str:
    decoded = unquote(text)
    if not decoded.isprintable():
        raise BadUrl("should have no control characters in it, nor their codes after a %")
    return decoded


def is_this_machine(host: str) -> bool:
    """Whether a host of libpq's is reached without a network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host.startswith(("/", "@"))  # a Unix socket
