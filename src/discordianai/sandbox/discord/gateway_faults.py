"""How the gateway misbehaves on request: at which moment, and how; each combination has a name."""

from dataclasses import dataclass
from enum import Enum, auto


class FaultMoment(Enum):
    """When a fault occurs."""

    OPEN = auto()
    """Where HELLO would come."""
    IDENTIFY = auto()
    """As the answer to IDENTIFY."""
    RESUME = auto()
    """As the answer to RESUME."""
    SESSION = auto()
    """After READY, and after RESUMED."""


class FaultAction(Enum):
    """What the gateway does then."""

    REFUSE = auto()
    """An HTTP error instead of a WebSocket; for `OPEN` only."""
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
    """Bytes that are not zlib."""
    NONSENSE = auto()
    """JSON that is not a gateway message."""


@dataclass(frozen=True, slots=True)
class GatewayFault:
    """What the gateway does wrong, each time this moment comes."""

    moment: FaultMoment
    action: FaultAction
    code: int = 0


FAULTS = {
    "open-refused": GatewayFault(FaultMoment.OPEN, FaultAction.REFUSE),
    "open-4000": GatewayFault(FaultMoment.OPEN, FaultAction.CLOSE, 4000),
    "open-frozen": GatewayFault(FaultMoment.OPEN, FaultAction.FREEZE),
    "open-garbage": GatewayFault(FaultMoment.OPEN, FaultAction.GARBAGE),
    "open-nonsense": GatewayFault(FaultMoment.OPEN, FaultAction.NONSENSE),
    "identify-invalid": GatewayFault(FaultMoment.IDENTIFY, FaultAction.INVALID),
    "identify-invalid-resumable": GatewayFault(FaultMoment.IDENTIFY, FaultAction.RESUMABLE),
    "identify-4000": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4000),
    "identify-4008": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4008),
    "identify-4009": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4009),
    "identify-4004": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4004),
    "identify-4010": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4010),
    "identify-4011": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4011),
    "identify-4012": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4012),
    "identify-4013": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4013),
    "identify-4014": GatewayFault(FaultMoment.IDENTIFY, FaultAction.CLOSE, 4014),
    "identify-frozen": GatewayFault(FaultMoment.IDENTIFY, FaultAction.FREEZE),
    "identify-garbage": GatewayFault(FaultMoment.IDENTIFY, FaultAction.GARBAGE),
    "identify-nonsense": GatewayFault(FaultMoment.IDENTIFY, FaultAction.NONSENSE),
    "resume-invalid": GatewayFault(FaultMoment.RESUME, FaultAction.INVALID),
    "resume-invalid-resumable": GatewayFault(FaultMoment.RESUME, FaultAction.RESUMABLE),
    "resume-4000": GatewayFault(FaultMoment.RESUME, FaultAction.CLOSE, 4000),
    "resume-4009": GatewayFault(FaultMoment.RESUME, FaultAction.CLOSE, 4009),
    "resume-frozen": GatewayFault(FaultMoment.RESUME, FaultAction.FREEZE),
    "resume-garbage": GatewayFault(FaultMoment.RESUME, FaultAction.GARBAGE),
    "session-invalid": GatewayFault(FaultMoment.SESSION, FaultAction.INVALID),
    "session-invalid-resumable": GatewayFault(FaultMoment.SESSION, FaultAction.RESUMABLE),
    "session-reconnect": GatewayFault(FaultMoment.SESSION, FaultAction.RECONNECT),
    "session-1000": GatewayFault(FaultMoment.SESSION, FaultAction.CLOSE, 1000),
    "session-4003": GatewayFault(FaultMoment.SESSION, FaultAction.CLOSE, 4003),
    "session-4000": GatewayFault(FaultMoment.SESSION, FaultAction.CLOSE, 4000),
    "session-4009": GatewayFault(FaultMoment.SESSION, FaultAction.CLOSE, 4009),
    "session-frozen": GatewayFault(FaultMoment.SESSION, FaultAction.FREEZE),
    "session-garbage": GatewayFault(FaultMoment.SESSION, FaultAction.GARBAGE),
}
"""Every fault, by its name."""
