"""A framework whose apps are served by a server of its own, for tests."""

from __future__ import annotations

import os

from zope.interface import implementer

from passtwist.api.detection import Detection
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IFramework


@implementer(IFramework)
class Talker:
    """Apps in the file talker.py, with a coroutine function `application`."""

    name = "talker"
    description = "talker.py, served by asyncio"
    priority = 50
    child = os.path.join(os.path.dirname(os.path.abspath(__file__)), "talker_child.py")
    distribution = ""

    def detect(self, files):
        if not files.contains("talker.py", "async def application"):
            return None
        reasons = ("talker.py defines application",)
        return Detection("talker:application", "talker.py", reasons)


@hookimpl
def passtwist_frameworks():
    return [Talker()]
