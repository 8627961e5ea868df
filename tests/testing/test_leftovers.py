"""A test that leaves something behind fails and is told what."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest

@pytest.fixture(autouse=True)
def _every_test_cleans_up(leaves_nothing_behind):
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite whose tests must clean up."""
    pytester.makeconftest(CONFTEST)
    return pytester


def run(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run one module of tests in a process of its own."""
    suite.makepyfile("import pytest_twisted\n" + source)
    return suite.runpytest_subprocess(
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest"
    )


def test_clean_tests_pass_whether_they_use_the_reactor_or_not(suite):
    """Neither plain tests, nor finished timers, sockets and children are leftovers."""
    result = run(
        suite,
        """
import subprocess, sys
from twisted.internet import defer, endpoints, protocol, reactor, task

def test_plain():
    assert 1 + 1 == 2

@pytest_twisted.ensureDeferred
async def test_waits():
    await task.deferLater(reactor, 0)

@pytest_twisted.ensureDeferred
async def test_listens():
    factory = protocol.Factory.forProtocol(protocol.Protocol)
    port = await endpoints.serverFromString(
        reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    client = await endpoints.connectProtocol(
        endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port),
        protocol.Protocol())
    client.transport.loseConnection()
    await port.stopListening()

def test_child():
    subprocess.run([sys.executable, "-c", ""], check=True)
""",
    )
    result.assert_outcomes(passed=4)


LEAKS = {
    "delayed_call": ("reactor.callLater(3600, print)", "delayed call: *print*"),
    "port": (
        'reactor.listenTCP(0, protocol.Factory(), interface="127.0.0.1")',
        "selectable: *Factory*",
    ),
    "child": (
        'kept.append(subprocess.Popen(["sleep", "20"]))',
        "child process: * (sleep)",
    ),
    "descriptor": (
        'kept.append(os.open("/etc/hostname", os.O_RDONLY))',
        "open descriptor: * -> /etc/hostname",
    ),
    "lost_failure": ("defer.fail(ValueError('lost'))", "failure: lost"),
    "logged_failure": (
        "log.failure('oops', failure.Failure(ValueError('told')))",
        "failure: told",
    ),
}


def test_each_kind_of_leftover_fails_the_test_that_made_it_and_no_other(suite):
    """The test errs with the leftover named; the next test is not blamed."""
    tests = "".join(
        f"""
@pytest_twisted.ensureDeferred
async def test_{name}():
    {body}

def test_after_{name}():
    pass
"""
        for name, (body, _) in LEAKS.items()
    )
    result = run(
        suite,
        """
import os, subprocess
from twisted.internet import defer, protocol, reactor
from twisted.logger import Logger
from twisted.python import failure
import pytest
kept = []
log = Logger()

@pytest.fixture(scope="module", autouse=True)
def end_it():
    yield
    for each in kept:
        if isinstance(each, int):
            os.close(each)
        else:
            each.kill()
            each.wait()
"""
        + tests,
    )
    result.assert_outcomes(passed=2 * len(LEAKS), errors=len(LEAKS))
    for name, (_, told) in LEAKS.items():
        result.stdout.fnmatch_lines(
            [
                f"*ERROR at teardown of test_{name} *",
                "the test left behind:",
                f"  {told}",
            ]
        )


def test_a_failure_that_was_meant_is_taken_away(suite):
    """`logged_failures.flush` answers with the failures and forgets them."""
    result = run(
        suite,
        """
from twisted.internet import defer

def test_meant(logged_failures):
    defer.fail(KeyError("a"))
    defer.fail(ValueError("b"))
    assert [str(f.value) for f in logged_failures.flush(ValueError)] == ["b"]
    assert [f.type for f in logged_failures.flush()] == [KeyError]
    assert logged_failures.flush() == []
""",
    )
    result.assert_outcomes(passed=1)


def test_what_a_wider_fixture_made_is_no_leftover(suite):
    """A module's server, its timer that re-arms itself, its child: all may stay."""
    result = run(
        suite,
        """
import subprocess
import pytest
from twisted.internet import protocol, reactor, task

@pytest.fixture(scope="module")
def server():
    port = reactor.listenTCP(0, protocol.Factory(), interface="127.0.0.1")
    timer = task.LoopingCall(lambda: None)
    timer.start(0.001)
    child = subprocess.Popen(["sleep", "20"])
    yield
    timer.stop()
    child.kill()
    child.wait()
    port.stopListening()

@pytest_twisted.ensureDeferred
async def test_once(server):
    await task.deferLater(reactor, 0.01)

@pytest_twisted.ensureDeferred
async def test_twice(server):
    await task.deferLater(reactor, 0.01)
""",
    )
    result.assert_outcomes(passed=2)


def test_nothing_is_imposed_on_suites_that_did_not_ask(pytester):
    """With passtwist installed, somebody else's leaky suite passes as before."""
    pytester.makepyfile(
        """
import os, sys

def test_leaky():
    os.dup(0)

def test_plugin_brought_nothing_along():
    assert not [name for name in sys.modules if name.startswith("passtwist.")
                and not name.startswith("passtwist.testing")]
"""
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
