"""The spawn method exec keeps what every spawn method promises."""

from __future__ import annotations

from passtwist_exec.plugin import Exec
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import ISpawnToolkit
from passtwist.model import AppSpec, SpawnRequest
from passtwist.testing.conformance_spawn_methods import SpawnMethodConformance


class TestExec(SpawnMethodConformance):
    """With plain WSGI."""

    method = "exec"


class TestExecOfFlask(SpawnMethodConformance):
    """The framework makes no difference."""

    method = "exec"
    sample = "flask"


@implementer(ISpawnToolkit)
class FakeToolkit:
    """Keeps what it is asked for.

    :ivar spawned: the requests; each is answered by `answer`.
    :ivar retired: the apps whose spawners are let go.
    """

    def __init__(self):
        self.spawned = []
        self.retired = []
        self.answer = Deferred()

    def spawn(self, request):
        self.spawned.append(request)
        return self.answer

    def retire(self, app):
        self.retired.append(app)


verifyClass(ISpawnToolkit, FakeToolkit)


def test_no_spawner_is_used_and_none_is_let_go():
    """The route is empty, whatever the app; there is nothing to stop."""
    app = AppSpec("shop", "/srv/shop", framework_key=("root", "python", "django"))
    toolkit = FakeToolkit()
    spawner = Exec().create_spawner(app, toolkit)
    request = SpawnRequest(7, app, generation=2)
    assert spawner.spawn(request) is toolkit.answer
    spawner.stop()
    assert toolkit.spawned == [request]
    assert toolkit.retired == []
    assert (spawner.method, spawner.reason) == ("exec", "")
