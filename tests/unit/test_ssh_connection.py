"""The one connection of a host: sharing, backoff, cancelling; without a network."""

import threading
import time

import pytest

from console.clock import Deadline, ManualClock, SystemClock
from console.errors import FailureKind, LinkError
from console.links.ssh.call import Call, Turns
from console.links.ssh.connection import LOGIN_DELAY, LONGEST_DELAY, STEADY, Connection


class FakeSession:
    def __init__(self):
        self.alive = True

    def kill(self):
        self.alive = False


class FakeServer:
    """Connects or fails as it is told; counts the attempts."""

    def __init__(self):
        self.attempts = 0
        self.failure = None
        self.stubborn = False
        self.sessions = []
        self.gate = threading.Event()
        self.gate.set()

    def connect(self, call):
        self.attempts += 1
        while not self.gate.wait(0.01):
            if not self.stubborn:
                call.check()
        if self.failure is not None:
            raise self.failure
        self.sessions.append(FakeSession())
        return self.sessions[-1]


def error(kind=FailureKind.UNREACHABLE):
    return LinkError(kind, "host:x", "no", "nothing")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
def connection(server, clock):
    made = Connection("host:x", server.connect, clock)
    yield made
    made.close()


def call(seconds=10.0):
    return Call("host:x", Deadline.after(SystemClock(), seconds))


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_one_session_is_shared(connection, server):
    server.gate.clear()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(connection.session(call()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: server.attempts == 1)
    server.gate.set()
    for thread in threads:
        thread.join(10)
    assert server.attempts == 1
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_failure_is_given_again_until_its_time_has_passed(connection, server, clock):
    server.failure = error()
    waits = []
    for _ in range(8):
        with pytest.raises(LinkError):
            connection.session(call())
        tried = server.attempts
        waited = 0.0
        while server.attempts == tried:
            with pytest.raises(LinkError):
                connection.session(call())
            if server.attempts == tried:
                clock.advance(0.5)
                waited += 0.5
        waits.append(waited)
    assert waits == [1, 2, 4, 8, 16, LONGEST_DELAY, LONGEST_DELAY, LONGEST_DELAY]


def test_a_refused_login_is_not_repeated_soon(connection, server, clock):
    server.failure = error(FailureKind.DENIED)
    with pytest.raises(LinkError):
        connection.session(call())
    clock.advance(LOGIN_DELAY - 0.5)
    with pytest.raises(LinkError):
        connection.session(call())
    assert server.attempts == 1
    clock.advance(1.0)
    server.failure = None
    assert connection.session(call()).alive


def test_a_lost_session_that_was_steady_is_replaced_at_once(connection, server, clock):
    first = connection.session(call())
    clock.advance(STEADY)
    first.alive = False
    assert connection.session(call()) is not first
    assert server.attempts == 2


def test_sessions_that_die_young_are_replaced_ever_more_slowly(connection, server, clock):
    for expected in (1, 2):
        session = connection.session(call())
        session.alive = False
        clock.advance(expected - 0.5)
        with pytest.raises(LinkError) as caught:
            connection.session(call(0.15))
        assert caught.value.failure.kind is FailureKind.TIMEOUT
        clock.advance(1.0)
    assert connection.session(call()).alive
    assert server.attempts == 3


def test_a_slow_connection_outlasts_the_call_that_wanted_it(connection, server):
    server.gate.clear()
    with pytest.raises(LinkError) as caught:
        connection.session(call(0.1))
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    server.gate.set()
    assert connection.session(call()).alive
    assert server.attempts == 1


def test_abort_ends_the_attempt_and_the_next_call_makes_another(connection, server, clock):
    server.gate.clear()
    with pytest.raises(LinkError):
        connection.session(call(0.1))
    connection.abort()
    server.gate.set()
    assert connection.session(call()).alive
    assert server.attempts == 2


def test_whatever_else_goes_wrong_is_a_link_error(connection, server):
    server.failure = KeyError("\x1b[31mboom")
    with pytest.raises(LinkError) as caught:
        connection.session(call())
    assert caught.value.failure.kind is FailureKind.INVALID
    assert "\x1b" not in caught.value.failure.why


def test_a_session_that_comes_after_close_is_killed(connection, server):
    server.gate.clear()
    server.stubborn = True
    with pytest.raises(LinkError):
        connection.session(call(0.1))
    connection.close()
    server.gate.set()
    eventually(lambda: server.sessions and not server.sessions[0].alive)


def test_a_cancelled_call_ends_and_runs_its_closers():
    one = call(60)
    closed = []
    one.on_cancel(lambda: closed.append(1))
    failures = []

    def wait():
        with pytest.raises(LinkError) as caught:
            one.wait(threading.Event(), lambda: True)
        failures.append(caught.value.failure.kind)

    thread = threading.Thread(target=wait)
    thread.start()
    one.cancel()
    thread.join(5)
    one.on_cancel(lambda: closed.append(2))
    assert failures == [FailureKind.TIMEOUT]
    assert closed == [1, 2]


def test_turns_are_bounded_and_lowered_by_a_refusal():
    turns = Turns(3)
    with turns.take(call()), turns.take(call()), turns.take(call()):
        with pytest.raises(LinkError), turns.take(call(0.1)):
            pytest.fail("a fourth turn")
        assert turns.fewer(), "two others had theirs"
    with turns.take(call()), turns.take(call()), pytest.raises(LinkError), turns.take(call(0.1)):
        pytest.fail("a third turn")
    with turns.take(call()):
        assert not turns.fewer(), "nobody else: waiting is in vain"
