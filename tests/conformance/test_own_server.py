"""A framework that serves by itself keeps what every framework plugin promises."""

from __future__ import annotations

from pathlib import Path

from passtwist.testing.conformance_frameworks import FrameworkConformance

PLUGIN = Path(__file__).parents[1] / "apps" / "talker" / "talker_plugin.py"

APP = """
async def application(method, target, headers, body):
    return 200, {greeting!r}.encode()
"""


class TestTalker(FrameworkConformance):
    """HTTP/1.1 by asyncio, in the child half."""

    framework = "talker"
    plugin_file = str(PLUGIN)

    def make_app(self, folder, greeting):
        (folder / "talker.py").write_text(APP.format(greeting=greeting))
