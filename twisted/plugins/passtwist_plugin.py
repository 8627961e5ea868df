"""Tells twistd that there is a `twistd passtwist`.

Runs in: every twistd on the machine, so it names things and imports none.
"""

from twisted.application.service import ServiceMaker

passtwist = ServiceMaker(
    "passtwist",
    "passtwist.tap",
    "Application server for Python web applications",
    "passtwist",
)
