"""The local Discord in a browser, with what carries its answers; one page, on 127.0.0.1."""
