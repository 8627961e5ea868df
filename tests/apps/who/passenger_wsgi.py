"""An app that tells who it is and what it may do.

Runs in: app spawners and workers.  Standard library only, Python 3.9 and newer.
"""

import json
import os
import resource
import sys

LOADED_BY = os.getpid()


def can_open(path):
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        return error.strerror
    return True


def come_back():
    """What happens to one who tries to be root again."""
    told = {}
    for name, arguments in (
        ("setuid", (0,)),
        ("setgid", (0,)),
        ("setgroups", ([0],)),
        ("setresuid", (-1, 0, -1)),
    ):
        try:
            getattr(os, name)(*arguments)
        except OSError as error:
            told[name] = error.strerror
    return told


def about():
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "pid": os.getpid(),
        "loaded_by": LOADED_BY,
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": sorted(os.getgroups()),
        "umask": umask,
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
        "as": resource.getrlimit(resource.RLIMIT_AS),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "prefix": sys.prefix,
        "stdout": can_open("/dev/stdout"),
        "come_back": come_back(),
        "descriptors": {
            number: os.readlink("/proc/self/fd/" + number)
            for number in os.listdir("/proc/self/fd")
            if os.path.lexists("/proc/self/fd/" + number)
        },
    }


def application(environ, start_response):
    if environ["PATH_INFO"] == "/print":
        print("printed by %d" % os.getuid(), flush=True)
    body = json.dumps(about()).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
