"""Half surrogate pairs: JSON can carry them, from people and from providers, and UTF-8 cannot."""


def well_formed(text: str) -> str:
    """`text` as UTF-8 can carry it, as long in UTF-16 units: halves of a pair joined, lone ones as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
