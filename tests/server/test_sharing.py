"""Connections among workers, and threads among connections: what ``SharingWorker`` adds to gunicorn's."""

import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from bastion import gunicorn_worker
from bastion.gunicorn_worker import PLACES, SharingWorker
from tests.databases import Databases
from tests.servers import Server

LATER = 0.05
"""Seconds: long after a thread has given up waiting for more on its connection."""


@contextmanager
def serving(databases: Databases, folders: pytest.TempPathFactory, workers: int, threads: int) -> Iterator[Server]:
    instance = folders.mktemp("sharing") / "instance"
    running = Server(databases.blank("sqlite"), instance, BASTION_WORKERS=str(workers), BASTION_THREADS=str(threads))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def narrow(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker that answers one request at a time."""
    with serving(databases, tmp_path_factory, 1, 1) as running:
        yield running


@pytest.fixture(scope="module")
def wide(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(databases, tmp_path_factory, 3, 4) as running:
        yield running


def connected(server: Server) -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.connect()
    return connection


def is_alive(connection: HTTPConnection) -> bool:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200


def sockets_of(pid: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    return {name for name in found if name.startswith("socket:")}


def other_ends(connections: list[HTTPConnection]) -> set[str]:
    """The sockets of the server that these connections lead to, as ``sockets_of`` names them."""
    ours = {f"{connection.sock.getsockname()[1]:04X}" for connection in connections}
    ends = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{end[9]}]" for end in ends if end[2].rpartition(":")[2] in ours}


def test_connections_opened_at_once_are_shared(wide: Server) -> None:
    # A worker that is slow to wake up is not waited for: on a busy machine that can be all but one, once.
    shares = [shares_of_thirty(wide) for _ in range(5)]

    assert max(map(min, shares)) >= 4, shares


def shares_of_thirty(server: Server) -> list[int]:
    """How many of thirty connections, opened at once, each worker takes."""
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(closing(connected(server))) for _ in range(30)]
        assert all(map(is_alive, connections))
        theirs = other_ends(connections)
        taken = [len(sockets_of(pid) & theirs) for pid in server.worker_pids()]
        assert sum(taken) == 30
    return taken


def test_a_stuck_worker_is_not_waited_for(wide: Server) -> None:
    stuck = wide.worker_pids()[0]
    os.kill(stuck, signal.SIGSTOP)
    try:
        with ExitStack() as open_ones:
            connections = [open_ones.enter_context(closing(connected(wide))) for _ in range(20)]
            assert all(map(is_alive, connections))
    finally:
        os.kill(stuck, signal.SIGCONT)


def test_a_dead_worker_is_not_waited_for(wide: Server) -> None:
    dead = wide.worker_pids()[0]
    os.kill(dead, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while dead in (pids := wide.worker_pids()) or len(pids) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(closing(connected(wide))) for _ in range(20)]
        assert all(map(is_alive, connections))


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SharingWorker, socket.socket]]:
    """A worker with three connections beside one that has none, and where they listen."""
    monkeypatch.setattr(gunicorn_worker, "_open", memoryview(bytearray(4 * PLACES)).cast("i"))
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as poller:
        for age, connections in ((8, 0), (7, 3)):
            worker = SharingWorker.__new__(SharingWorker)
            worker.age, worker.nr_conns, worker.alive, worker.worker_connections = age, connections, True, 100
            worker.sockets, worker.poller, worker._accepting, worker._left_until = [listener], poller, False, None
            worker._tell()
        yield worker, listener


def test_each_connection_is_left_to_others_by_itself(crowded: tuple[SharingWorker, socket.socket]) -> None:
    worker, listener = crowded
    for _ in range(3):
        worker.set_accept_enabled(True)
        with socket.create_connection(listener.getsockname()):
            worker.wait_for_and_dispatch_events(20)
            assert worker._left_until is not None
            assert not worker._accepting
            listener.accept()[0].close()
        while not worker._accepting:
            worker.wait_for_and_dispatch_events(20)
            worker.set_accept_enabled(True)
        worker.wait_for_and_dispatch_events(20)
        assert worker._left_until is None


@pytest.mark.parametrize("change", [{"alive": False}, {"nr_conns": 100}])
def test_a_worker_that_takes_no_more_waits_in_peace(
    crowded: tuple[SharingWorker, socket.socket], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    worker, listener = crowded
    worker.set_accept_enabled(True)
    with socket.create_connection(listener.getsockname()):
        worker.wait_for_and_dispatch_events(20)
    waits: list[float] = []
    monkeypatch.setattr(worker.poller, "select", lambda timeout: waits.append(timeout) or [])
    for name, value in change.items():
        setattr(worker, name, value)

    worker.wait_for_and_dispatch_events(1.0)

    assert waits == [1.0]


def test_no_count_that_went_wrong_outlasts_its_worker(crowded: tuple[SharingWorker, socket.socket]) -> None:
    worker, _ = crowded
    for connections, alive, told in ((-2, True, 1), (5, True, 6), (5, False, 0)):
        worker.nr_conns, worker.alive = connections, alive
        worker._tell()
        assert gunicorn_worker._open[worker.age] == told
    worker._tell()
    gunicorn_worker.forget(worker.age)
    assert gunicorn_worker._open[worker.age] == 0


def test_one_connection_is_answered_again_at_once_and_later(narrow: Server) -> None:
    with closing(connected(narrow)) as connection:
        for pause in (0, 0, LATER, 0):
            time.sleep(pause)
            assert is_alive(connection)


def test_requests_that_are_sent_together_are_answered_in_turn(narrow: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", narrow.port), timeout=20)) as connection:
        asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(asked * 4 + last)
        answered = b""
        while received := connection.recv(65536):
            answered += received
    assert answered.count(b"HTTP/1.1 200 OK") == 5


def test_a_busy_connection_leaves_the_thread_to_others(narrow: Server) -> None:
    stop = threading.Event()
    answered = []
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    def keep_asking() -> None:
        """The next request is always there before the answer to the last one is read."""
        with closing(socket.create_connection(("127.0.0.1", narrow.port), timeout=20)) as connection:
            connection.sendall(request * 200)
            while not stop.is_set():
                answers = connection.recv(65536).count(b"HTTP/1.1 200 OK")
                answered.append(answers)
                connection.sendall(request * answers)

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        with closing(connected(narrow)) as connection:
            for _ in range(20):
                assert is_alive(connection)
        deadline = time.monotonic() + 20
        while sum(answered) <= 20 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()
    assert sum(answered) > 20


def test_a_silent_connection_does_not_hold_the_thread(narrow: Server) -> None:
    with ExitStack() as open_ones:
        for _ in range(8):
            silent = open_ones.enter_context(closing(connected(narrow)))
            assert is_alive(silent)
        with closing(connected(narrow)) as connection:
            assert is_alive(connection)
            assert is_alive(silent)


def test_a_server_that_ends_answers_what_was_asked(databases: Databases, tmp_path: Path) -> None:
    """Also on a connection whose thread has stayed with it."""
    server = Server(databases.blank("sqlite"), tmp_path / "instance", BASTION_WORKERS="1", BASTION_THREADS="2")
    answers: list[bool] = []
    refused = threading.Event()

    def keep_asking() -> None:
        with closing(connected(server)) as connection:
            while not refused.is_set():
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answers.append(answer.read() != b"" and answer.status == 200)
                if answer.will_close:
                    refused.set()

    thread = threading.Thread(target=keep_asking)
    thread.start()
    while len(answers) < 20:
        time.sleep(0.01)
    server.stop()
    thread.join(30)
    assert refused.is_set()
    assert all(answers)
