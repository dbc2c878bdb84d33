"""nginx in front of several servers, by the configuration that ``deploy/nginx.conf`` recommends."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from http.client import HTTPSConnection
from pathlib import Path

from tests.conftest import ROOT

START_SECONDS = 20

_AROUND = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Nginx:
    """Ends TLS on a free port and hands on to the servers of these ports."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        program = next(filter(None, map(shutil.which, (os.environ.get("NGINX", ""), "nginx", "/usr/sbin/nginx"))), None)
        if program is None:
            raise RuntimeError("no nginx: run tests/ensure_nginx.sh")
        self.folder = folder
        self.port, plain = _free_port(), _free_port()
        folder.mkdir()
        self._make_certificate()
        (folder / "site.conf").write_text(self._site(ports, plain))
        (folder / "nginx.conf").write_text(_AROUND.format(folder=folder))
        # Of workers that drop to another user, temporary folders would have to be theirs.
        command = [program, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"]
        self._process = subprocess.Popen([*command, *(["-g", "user root;"] if os.geteuid() == 0 else [])])
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start:\n{(folder / 'error.log').read_text()}")
            time.sleep(0.02)

    def connect(self) -> HTTPSConnection:
        """A connection that knows nginx by its certificate."""
        trusting = ssl.create_default_context(cafile=self.folder / "certificate.pem")
        return HTTPSConnection("localhost", self.port, timeout=30, context=trusting)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)

    def _site(self, ports: list[int], plain: int) -> str:
        site = (ROOT / "deploy" / "nginx.conf").read_text()
        hosts = [line for line in site.splitlines(keepends=True) if line.lstrip().startswith("server 10.0.0.")]
        assert len(hosts) == len(ports)
        for line, port in zip(hosts, ports, strict=True):
            site = site.replace(line, line.replace(line.split()[1], f"127.0.0.1:{port}"))
        for ours, here in (
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("bastion.example.org", "localhost"),
            ("/var/log/nginx/bastion.json.log", str(self.folder / "access.json")),
            ("/etc/ssl/bastion/fullchain.pem", str(self.folder / "certificate.pem")),
            ("/etc/ssl/bastion/privkey.pem", str(self.folder / "key.pem")),
        ):
            assert ours in site
            site = site.replace(ours, here)
        return site

    def _make_certificate(self) -> None:
        subprocess.run(
            [
                *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
                *["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                *["-keyout", self.folder / "key.pem", "-out", self.folder / "certificate.pem"],
            ],
            check=True,
            capture_output=True,
        )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
