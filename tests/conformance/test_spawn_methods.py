"""The built-in spawn methods keep what every spawn method promises."""

from __future__ import annotations

from passtwist.testing.apps import load_plugins
from passtwist.testing.conformance_spawn_methods import SpawnMethodConformance


def test_direct_is_conservative_by_another_name():
    """The very same object, so what that promises holds for both."""
    registry = load_plugins()
    conservative = registry.spawn_method("conservative")
    assert conservative is not None
    assert registry.spawn_method("direct") is conservative


class TestConservative(SpawnMethodConformance):
    """By its first name."""

    method = "conservative"


class TestSmartLv2(SpawnMethodConformance):
    """Through an app spawner."""

    method = "smart-lv2"


class TestSmart(SpawnMethodConformance):
    """Through a framework spawner and an app spawner."""

    method = "smart"
    sample = "flask"


class TestSmartWithoutFrameworkLayer(SpawnMethodConformance):
    """With plain WSGI it is smart-lv2, and says why."""

    method = "smart"


class TestAuto(SpawnMethodConformance):
    """An app that stands a fork is forked; alone, from its own spawner only."""

    method = "auto"
    sample = "flask"

    def only_chooses(self, chosen):
        return chosen == "smart-lv2"
