"""The sandbox's own certificate authority, so that its TLS is real."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs for 127.0.0.1. Only clients that trust it trust the sandbox."""

    ca: trustme.CA
    certificate: trustme.LeafCert
    _contexts: dict[tuple[str, ...], ssl.SSLContext] = field(default_factory=dict, compare=False, repr=False)

    def server_context(self, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> ssl.SSLContext:
        """For servers that offer the protocols `alpn`, the preferred one first; they share it."""
        if alpn not in self._contexts:  # to read the certificate takes 3 ms
            self._contexts[alpn] = self._make_server_context(alpn)
        return self._contexts[alpn]

    def _make_server_context(self, alpn: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.certificate.configure_cert(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def client_context(self) -> ssl.SSLContext:
        """For a client that trusts this authority alone."""
        # With `cadata`, the machine's own authorities are not trusted, nor read, which takes 25 ms.
        return ssl.create_default_context(cadata=self.ca.cert_pem.bytes().decode())

    def write_ca(self, path: Path) -> None:
        """Write the CA certificate, for SSL_CERT_FILE."""
        self.ca.cert_pem.write_to_path(path)


def make_authority() -> Authority:
    """A new authority with a certificate for 127.0.0.1 and localhost."""
    ca = trustme.CA()
    return Authority(ca, ca.issue_cert("127.0.0.1", "localhost"))
