"""A real nginx on 127.0.0.1, where one is installed: what most HTTP/2 in the world is spoken by."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from discordianai.sandbox.certificates import Authority

STOP_TIMEOUT = 10.0
START_TIMEOUT = 10.0

CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests {options.keepalive_requests};
    http2_max_concurrent_streams {options.max_concurrent_streams};
    server {{
        listen 127.0.0.1:{port} ssl {protocol};
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        root {folder}/files;
        location /echo {{ return 200 "{body}"; }}
        location /files/ {{ }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class NginxOptions:
    """What it allows. `body` is the answer to `/echo`."""

    keepalive_requests: int = 100
    max_concurrent_streams: int = 10
    http2: bool = True
    body: str = "x" * 2048


def nginx_installed() -> str | None:
    """Where nginx is, if it is: Debian keeps it off the path of ordinary people."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def open_nginx(authority: Authority, options: NginxOptions | None = None) -> Iterator[str]:
    """Run nginx while the block runs; its address. Raises `RuntimeError` if it does not start."""
    program = nginx_installed()
    if program is None:
        raise RuntimeError("nginx is not installed; Debian's nginx-light is enough")
    options = options or NginxOptions()
    with tempfile.TemporaryDirectory(prefix="discordianai-nginx-") as name:
        folder = Path(name)
        (folder / "files" / "files").mkdir(parents=True)
        (folder / "files" / "files" / "large").write_bytes(bytes(range(256)) * 8192)
        authority.certificate.private_key_pem.write_to_path(folder / "key.pem")
        authority.certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        port = _free_port()
        config = CONFIG.format(
            folder=folder,
            options=options,
            port=port,
            protocol="http2" if options.http2 else "",
            body=options.body,
        )
        (folder / "nginx.conf").write_text(config)
        with (folder / "output.log").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # nginx, from the folders of the system
                [program, "-p", name, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")],
                stdout=output,
                stderr=output,
            )
        try:
            _await_port(process, port, folder)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await_port(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    for _ in range(int(START_TIMEOUT / 0.05)):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None:
                break
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise RuntimeError(f"nginx did not start:\n{(folder / 'output.log').read_text()}")
