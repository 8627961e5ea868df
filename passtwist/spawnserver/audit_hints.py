"""What is known of libraries: how they go together with forks.

Runs in: app spawners.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, NamedTuple, Tuple

AFTER_FORK = 'a function decorated with passtwist.lifecycle.on("after_fork")'

# By the kind of a token.
GENERAL: Dict[str, str] = {
    "thread": "Start it in %s, or at the first request." % AFTER_FORK,
    "socket": "Connect in %s or at the first request; or close it in one for "
    '"before_fork".' % AFTER_FORK,
    "sqlite": "Open it where a request needs it; or close it in a function "
    'decorated with passtwist.lifecycle.on("before_fork").',
    "loop": "Make the loop in %s, or in the view that needs it." % AFTER_FORK,
    "lock": "Take the lock in %s." % AFTER_FORK,
    "file": "Open it in %s, or for appending." % AFTER_FORK,
    "process": "Start it in %s, or as a service of its own." % AFTER_FORK,
    "descriptor": "Make it in %s." % AFTER_FORK,
}

# By the module whose code made it.
_LIBRARIES: Dict[str, str] = {
    "concurrent.futures": "Make the executor at the first use: a forked one takes "
    "work and never does it.",
    "logging.handlers": "Start the QueueListener in %s." % AFTER_FORK,
    "multiprocessing": "Make pools and managers in %s." % AFTER_FORK,
    "asyncio": "Use asyncio.run() in the view, or make the loop in %s." % AFTER_FORK,
    "twisted": "Import the reactor where it is run; a WSGI app has no use for one "
    "before it is forked.",
    "sqlalchemy": "Call engine.dispose(close=False) in %s, and connect to nothing "
    "at import." % AFTER_FORK,
    "django.db": "Do not query at import; connections are closed before the fork "
    "only if Django knows of them.",
    "psycopg": "Make pools with open=False and open them in %s." % AFTER_FORK,
    "psycopg2": "Connect in %s." % AFTER_FORK,
    "redis": "Call client.connection_pool.disconnect() in a function decorated with "
    'passtwist.lifecycle.on("before_fork").',
    "pymongo": "Make MongoClient in %s." % AFTER_FORK,
    "sentry_sdk": "Call sentry_sdk.init() in %s." % AFTER_FORK,
    "opentelemetry": "Set the provider up, with its BatchSpanProcessor, in %s."
    % AFTER_FORK,
    "grpc": "Make channels in %s." % AFTER_FORK,
    "confluent_kafka": "Make producers and consumers in %s." % AFTER_FORK,
    "kafka": "Make producers and consumers in %s." % AFTER_FORK,
    "kombu": "Connect in %s." % AFTER_FORK,
    "apscheduler": "Run the scheduler in a process of its own: each worker would "
    "run every job.",
    "ddtrace": "Start the tracer in %s." % AFTER_FORK,
    "watchdog": "Start observers in %s." % AFTER_FORK,
}

# Imported by these names, their places are remembered.
REACTOR = "twisted.internet.reactor"
NUMPY_RANDOM = "numpy.random"


class Library(NamedTuple):
    """A library of C code that is known for trouble over forks.

    :ivar file: how the name of its file begins.
    :ivar modules: which modules bring it.
    """

    file: str
    modules: Tuple[str, ...]
    hint: str


MAPPED: Tuple[Library, ...] = (
    Library("cygrpc", ("grpc",), _LIBRARIES["grpc"]),
    Library(
        "libcuda",
        ("torch", "cupy", "pycuda"),
        "Touch no GPU at import: CUDA can't be used in a process forked after that.",
    ),
    Library("librdkafka", ("confluent_kafka",), _LIBRARIES["confluent_kafka"]),
    Library(
        "libgomp",
        ("sklearn", "torch"),
        "Run nothing parallel at import, or set OMP_NUM_THREADS=1 in env.",
    ),
    Library(
        "libmkl",
        ("numpy", "torch"),
        "Set MKL_THREADING_LAYER=SEQUENTIAL or MKL_NUM_THREADS=1 in env.",
    ),
    Library("libvips", ("pyvips",), "Process no image at import."),
    Library(
        "libpq",
        ("psycopg2", "psycopg", "psycopg_c"),
        "Connections made "
        "before the fork must not be used after it; connect to nothing at "
        "import.",
    ),
)

NOTED_MODULES: FrozenSet[str] = frozenset(
    [REACTOR, NUMPY_RANDOM, *(name for one in MAPPED for name in one.modules)]
)


def hint(kind: str, modules: Iterable[str]) -> str:
    """What to do about a finding.

    :param kind: what its token begins with.
    :param modules: on the way to where it was made, the innermost first.
    """
    for module in modules:
        while module:
            if module in _LIBRARIES:
                return _LIBRARIES[module]
            module = module.rpartition(".")[0]
    return GENERAL.get(kind, "")
