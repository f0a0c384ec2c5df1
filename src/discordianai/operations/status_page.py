"""The status page: one HTML text with its style and script in it, and the policy that lets in no others."""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from discordianai.latencies import BOUNDS


@dataclass(frozen=True, slots=True)
class Page:
    """`policy` are the directives of a Content-Security-Policy that allow what is in the text."""

    text: str
    policy: str


def read_page() -> Page:
    """Put the three files together."""
    folder = files("discordianai.operations") / "status"
    html, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    bounds = " ".join(map(str, BOUNDS))  # of the buckets of each latency, whose counts a snapshot has
    text = html.replace("BOUNDS", bounds).replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    return Page(text, f"style-src '{_hash(style)}'; script-src '{_hash(script)}'")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
