"""The spawn method exec keeps what every spawn method promises."""

from __future__ import annotations

from passtwist_exec.plugin import Exec

from passtwist.model import AppSpec, SpawnRequest
from passtwist.testing.conformance_spawn_methods import SpawnMethodConformance
from passtwist.testing.fakes import FakeToolkit


class TestExec(SpawnMethodConformance):
    """With plain WSGI."""

    method = "exec"


class TestExecOfFlask(SpawnMethodConformance):
    """The framework makes no difference."""

    method = "exec"
    sample = "flask"


def test_no_spawner_is_used_and_none_is_let_go():
    """The route is empty, whatever the app; there is nothing to stop."""
    app = AppSpec("shop", "/srv/shop", framework_key=("root", "python", "django"))
    toolkit = FakeToolkit()
    spawner = Exec().create_spawner(app, toolkit)
    request = SpawnRequest(7, app, generation=2)
    assert spawner.spawn(request) is toolkit.spawns[0]
    spawner.stop()
    assert toolkit.requests == [request]
    assert toolkit.retired == []
    assert (spawner.method, spawner.reason) == ("exec", "")
