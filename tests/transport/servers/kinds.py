"""What each server is called, how it is configured, and how it is told to reload."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.request import Request, urlopen

from tests.transport.servers.launching import Command, Kind, Place, Running

ROOT = os.geteuid() == 0
"""Some servers give their workers to another user then, who must not."""


def _by_signal(number: signal.Signals) -> Callable[[Running], None]:
    return lambda running: running.signal(number)


@dataclass(frozen=True, slots=True)
class NginxOptions:
    """What it allows. `body` is the answer to `/echo`."""

    keepalive_requests: int = 1000
    max_concurrent_streams: int = 128
    http2: bool = True
    body: str = "x" * 2048


NGINX_CONFIG = """\
daemon off;
worker_processes 1;
{user}
pid {place.folder}/nginx.pid;
error_log {place.folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {place.folder}/body;
    proxy_temp_path {place.folder}/proxy;
    fastcgi_temp_path {place.folder}/fastcgi;
    uwsgi_temp_path {place.folder}/uwsgi;
    scgi_temp_path {place.folder}/scgi;
    keepalive_requests {options.keepalive_requests};
    http2_max_concurrent_streams {options.max_concurrent_streams};
    server {{
        listen 127.0.0.1:{place.port} ssl {protocol};
        ssl_certificate {place.certificate};
        ssl_certificate_key {place.key};
        root {place.files};
        add_header x-id $http_x_id always;
        location /echo {{ return 200 "{options.body}"; }}
        location /reject {{ return 413; }}
        location /files/ {{ }}
    }}
}}
"""


def _nginx(options: NginxOptions, place: Place, program: str) -> Command:
    config = NGINX_CONFIG.format(
        place=place,
        options=options,
        user="user root;" if ROOT else "",
        protocol="http2" if options.http2 else "",
    )
    path = place.write("nginx.conf", config)
    return [program, "-p", str(place.folder), "-c", str(path), "-e", str(place.folder / "error.log")]


def nginx(options: NginxOptions) -> Kind:
    """With other limits than usual."""
    configure = partial(_nginx, options)
    return Kind("nginx", "nginx", "apt: nginx-light", configure, _by_signal(signal.SIGHUP))


HAPROXY_CONFIG = """\
global
    tune.h2.max-concurrent-streams 100
    hard-stop-after 20s
    stats socket {place.folder}/admin.sock mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend https
    bind 127.0.0.1:{place.port} ssl crt {place.folder}/both.pem alpn h2,http/1.1
    http-request return status 413 hdr x-id %[req.hdr(x-id)] if {{ path /reject }}
    default_backend plain
backend plain
    server plain 127.0.0.1:{place.backend}
"""


def _haproxy(place: Place, program: str) -> Command:
    path = place.write("haproxy.cfg", HAPROXY_CONFIG.format(place=place))
    return [program, "-W", "-f", str(path)]


def _caddy(place: Place, program: str) -> Command:
    config = {
        "admin": {"listen": f"127.0.0.1:{place.admin}"},
        "storage": {"module": "file_system", "root": str(place.folder / "storage")},
        "apps": {
            "tls": {
                "certificates": {
                    "load_files": [{"certificate": str(place.certificate), "key": str(place.key)}]
                }
            },
            "http": {
                "grace_period": "10s",
                "servers": {
                    "https": {
                        "listen": [f"127.0.0.1:{place.port}"],
                        "automatic_https": {"disable": True},
                        "tls_connection_policies": [{}],
                        "protocols": ["h1", "h2"],
                        "routes": [
                            {
                                "handle": [
                                    {
                                        "handler": "headers",
                                        "response": {"set": {"x-id": ["{http.request.header.x-id}"]}},
                                    }
                                ]
                            },
                            _caddy_answer("/echo", 200, "x" * 2048),
                            _caddy_answer("/reject", 413, "too much"),
                            {"handle": [{"handler": "file_server", "root": str(place.files)}]},
                        ],
                    }
                },
            },
        },
    }
    path = place.write("caddy.json", json.dumps(config))
    return ["env", f"HOME={place.folder}", program, "run", "--config", str(path)]


def _caddy_answer(path: str, status: int, body: str) -> dict[str, object]:
    answer = {"handler": "static_response", "status_code": status, "body": body}
    return {"match": [{"path": [path]}], "handle": [answer]}


def _reload_caddy(running: Running) -> None:
    config = (running.place.folder / "caddy.json").read_bytes()
    headers = {
        "content-type": "application/json",
        "cache-control": "must-revalidate",  # reload though nothing has changed
    }
    request = Request(f"http://127.0.0.1:{running.place.admin}/load", config, headers)
    urlopen(request, timeout=15).close()  # noqa: S310  # its administration's own address


LIGHTTPD_CONFIG = """\
server.modules = ("mod_access", "mod_proxy", "mod_openssl")
server.bind = "127.0.0.1"
server.port = {place.port}
server.document-root = "{place.files}"
server.errorlog = "{place.folder}/error.log"
server.upload-dirs = ("{place.folder}")
server.feature-flags = ("server.graceful-shutdown-timeout" => 10)
server.stream-request-body = 1
server.stream-response-body = 1
ssl.engine = "enable"
ssl.pemfile = "{place.certificate}"
ssl.privkey = "{place.key}"
$HTTP["url"] == "/reject" {{ server.max-request-size = 8 }}
$HTTP["url"] != "/files/large" {{
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => {place.backend})))
}}
"""


def _lighttpd(place: Place, program: str) -> Command:
    path = place.write("lighttpd.conf", LIGHTTPD_CONFIG.format(place=place))
    return [program, "-D", "-f", str(path)]


def _nghttpd(place: Place, program: str) -> Command:
    options = ["--address=127.0.0.1", f"--htdocs={place.files}", "--echo-upload", "--early-response"]
    return [program, *options, str(place.port), str(place.key), str(place.certificate)]


APACHE_CONFIG = """\
ServerRoot {place.folder}
ServerName 127.0.0.1
PidFile {place.folder}/apache.pid
ErrorLog {place.folder}/error.log
Mutex file:{place.folder}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule http2_module {modules}/mod_http2.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
Listen 127.0.0.1:{place.port}
DocumentRoot {place.files}
GracefulShutdownTimeout 10
Protocols h2 http/1.1
SSLEngine on
SSLCertificateFile {place.certificate}
SSLCertificateKeyFile {place.key}
Redirect 413 /reject
Header set x-id "expr=%{{req:x-id}}"
ProxyPass /echo http://127.0.0.1:{place.backend}/echo
"""


def _apache(place: Place, program: str) -> Command:
    config = APACHE_CONFIG.format(
        place=place,
        modules="/usr/lib/apache2/modules",
        user="User nobody\nGroup nogroup" if ROOT else "",
    )
    path = place.write("apache.conf", config)
    return [program, "-DFOREGROUND", "-f", str(path)]


H2O_CONFIG = """\
listen:
  host: 127.0.0.1
  port: {place.port}
  ssl:
    certificate-file: {place.certificate}
    key-file: {place.key}
{user}
temp-buffer-path: {place.folder}
pid-file: {place.folder}/h2o.pid
hosts:
  default:
    paths:
      /files: {{ file.dir: {place.files}/files }}
      /reject: {{ status: ON }}
      /: {{ proxy.reverse.url: "http://127.0.0.1:{place.backend}/" }}
limit-request-body: 150000
"""


def _h2o(place: Place, program: str) -> Command:
    path = place.write("h2o.yaml", H2O_CONFIG.format(place=place, user="user: root" if ROOT else ""))
    return [program, "-m", "worker", "-c", str(path)]


NODE_PROGRAM = """\
const http2 = require("http2"), fs = require("fs");
const folder = process.argv[2];
const server = http2.createSecureServer({
    key: fs.readFileSync(folder + "/key.pem"), cert: fs.readFileSync(folder + "/certificate.pem")});
server.on("stream", (stream, headers) => {
    const answer = (status, body) => {
        if (stream.destroyed) return;
        stream.respond({":status": status, "x-id": headers["x-id"] || ""});
        stream.end(body);
    };
    stream.on("error", () => {});
    if (headers[":path"] === "/files/large")  // not from memory, of which a session may take 10 MB
        return stream.respondWithFile(folder + "/www/files/large", {"x-id": headers["x-id"] || ""});
    if (headers[":path"] === "/reject") { answer(413, "too much"); return stream.close(); }
    stream.resume();
    stream.on("end", () => answer(200, "x".repeat(2048)));
});
server.on("sessionError", () => {});
server.listen(Number(process.argv[3]), "127.0.0.1");
"""


def _node(place: Place, program: str) -> Command:
    return [program, str(place.write("server.js", NODE_PROGRAM)), str(place.folder), str(place.port)]


APP = "tests.transport.servers.asgi:app"


def _hypercorn(place: Place, program: str) -> Command:
    files = ["--certfile", str(place.certificate), "--keyfile", str(place.key)]
    return [sys.executable, "-m", "hypercorn", "-b", f"127.0.0.1:{place.port}", *files, APP]


def _granian(place: Place, program: str) -> Command:
    files = ["--ssl-certificate", str(place.certificate), "--ssl-keyfile", str(place.key)]
    address = ["--host", "127.0.0.1", "--port", str(place.port), "--no-ws"]
    return [program, "--interface", "asgi", "--http", "auto", *address, *files, APP]


NGINX = nginx(NginxOptions())
HAPROXY = Kind("haproxy", "haproxy", "apt: haproxy", _haproxy, _by_signal(signal.SIGUSR2), backed=True)
CADDY = Kind("caddy", "caddy", "apt: caddy", _caddy, _reload_caddy)
LIGHTTPD = Kind(
    "lighttpd",
    "lighttpd",
    "apt: lighttpd and lighttpd-mod-openssl",
    _lighttpd,
    _by_signal(signal.SIGUSR1),
    backed=True,
)
NGHTTPD = Kind("nghttpd", "nghttpd", "apt: nghttp2-server", _nghttpd, rejects=404)
APACHE = Kind("apache2", "apache2", "apt: apache2", _apache, _by_signal(signal.SIGUSR1), backed=True)
H2O = Kind("h2o", "h2o", "apt: h2o", _h2o, rejects=None, backed=True)
NODE = Kind("node", "node", "apt: nodejs", _node)
HYPERCORN = Kind("hypercorn", "hypercorn", "pip: hypercorn", _hypercorn)
GRANIAN = Kind("granian", "granian", "pip: granian", _granian)

IN_CI = (NGINX, HAPROXY, CADDY, LIGHTTPD, NGHTTPD)
BY_HAND = (APACHE, H2O, NODE, HYPERCORN, GRANIAN)
