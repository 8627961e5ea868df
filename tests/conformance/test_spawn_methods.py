"""The built-in spawn methods keep what every spawn method promises."""

from __future__ import annotations

from passtwist.testing.conformance_spawn_methods import SpawnMethodConformance


class TestConservative(SpawnMethodConformance):
    """By its first name."""

    method = "conservative"


class TestDirect(SpawnMethodConformance):
    """The same by its alias."""

    method = "direct"


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
