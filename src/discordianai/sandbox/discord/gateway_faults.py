"""How the gateway can be told to misbehave: at which moment, and what it does then, by a name for each."""

from dataclasses import dataclass
from enum import Enum, auto


class Moment(Enum):
    """When it happens."""

    OPEN = auto()
    """Where HELLO would come."""
    IDENTIFY = auto()
    """As the answer to IDENTIFY."""
    RESUME = auto()
    """As the answer to RESUME."""
    SESSION = auto()
    """After READY, and after RESUMED."""


class Deed(Enum):
    """What it does."""

    REFUSE = auto()
    """An HTTP error, and no WebSocket; for `OPEN` alone."""
    CLOSE = auto()
    """It closes the connection, with `code`."""
    INVALID = auto()
    """Op 9: the session is invalid for good."""
    RESUMABLE = auto()
    """Op 9: the session is invalid, but may be resumed."""
    RECONNECT = auto()
    """Op 7."""
    FREEZE = auto()
    """Nothing more is sent, nor read, and the connection stays open."""
    GARBAGE = auto()
    """Bytes that are no zlib."""
    NONSENSE = auto()
    """JSON that is no message."""


@dataclass(frozen=True, slots=True)
class GatewayFault:
    """One misbehaviour, every time that the moment comes."""

    moment: Moment
    deed: Deed
    code: int = 0


FAULTS = {
    "open-refused": GatewayFault(Moment.OPEN, Deed.REFUSE),
    "open-4000": GatewayFault(Moment.OPEN, Deed.CLOSE, 4000),
    "open-frozen": GatewayFault(Moment.OPEN, Deed.FREEZE),
    "open-garbage": GatewayFault(Moment.OPEN, Deed.GARBAGE),
    "open-nonsense": GatewayFault(Moment.OPEN, Deed.NONSENSE),
    "identify-invalid": GatewayFault(Moment.IDENTIFY, Deed.INVALID),
    "identify-invalid-resumable": GatewayFault(Moment.IDENTIFY, Deed.RESUMABLE),
    "identify-4000": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4000),
    "identify-4008": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4008),
    "identify-4009": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4009),
    "identify-4004": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4004),
    "identify-4010": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4010),
    "identify-4011": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4011),
    "identify-4012": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4012),
    "identify-4013": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4013),
    "identify-4014": GatewayFault(Moment.IDENTIFY, Deed.CLOSE, 4014),
    "identify-frozen": GatewayFault(Moment.IDENTIFY, Deed.FREEZE),
    "identify-garbage": GatewayFault(Moment.IDENTIFY, Deed.GARBAGE),
    "identify-nonsense": GatewayFault(Moment.IDENTIFY, Deed.NONSENSE),
    "resume-invalid": GatewayFault(Moment.RESUME, Deed.INVALID),
    "resume-invalid-resumable": GatewayFault(Moment.RESUME, Deed.RESUMABLE),
    "resume-4000": GatewayFault(Moment.RESUME, Deed.CLOSE, 4000),
    "resume-4009": GatewayFault(Moment.RESUME, Deed.CLOSE, 4009),
    "resume-frozen": GatewayFault(Moment.RESUME, Deed.FREEZE),
    "resume-garbage": GatewayFault(Moment.RESUME, Deed.GARBAGE),
    "session-invalid": GatewayFault(Moment.SESSION, Deed.INVALID),
    "session-invalid-resumable": GatewayFault(Moment.SESSION, Deed.RESUMABLE),
    "session-reconnect": GatewayFault(Moment.SESSION, Deed.RECONNECT),
    "session-1000": GatewayFault(Moment.SESSION, Deed.CLOSE, 1000),
    "session-4000": GatewayFault(Moment.SESSION, Deed.CLOSE, 4000),
    "session-4009": GatewayFault(Moment.SESSION, Deed.CLOSE, 4009),
    "session-frozen": GatewayFault(Moment.SESSION, Deed.FREEZE),
    "session-garbage": GatewayFault(Moment.SESSION, Deed.GARBAGE),
}
"""By the name that a test or an operator says."""
