"""All that the server writes logs to.

Runs in: the controller.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from passtwist.service.stream_relay import StreamRelay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passtwist.service.parts import IsLog
    from passtwist.service.server_log import ServerLog


class Logs:
    """The access log, the server's own log, and our standard streams.

    :param output_dropped: lines of each app's output that were not logged.
    :param reopen_output: has workers reopen what they print to.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        access_log: IsLog,
        output_dropped: Callable[[], Mapping[str, int]],
        reopen_output: Callable[[], None],
    ) -> None:
        self.access_log = access_log
        self._output_dropped = output_dropped
        self._reopen_output = reopen_output
        self._server_log: ServerLog | None = None
        self._relay: StreamRelay | None = None

    def keep(self, server_log: ServerLog) -> None:
        """Have the server's own log go there, once `attach` is called."""
        self._server_log = server_log

    def attach(self, application: object) -> None:
        """Tell twistd, by its application, where the server's own log goes.

        :param application: what the service is a part of; any collection of
            services may be.
        """
        if self._server_log is None or not isinstance(application, Componentized):
            return
        if application.getComponent(ILogObserver) is None:
            application.setComponent(ILogObserver, self._server_log.observer())

    def relay_streams(self, reactor: Any) -> None:
        """Let nobody stop us who does not read our standard streams.

        To be called before twistd turns itself into a daemon; only in a process
        that is ours alone.
        """

        def tell(text: str) -> None:
            reactor.callFromThread(self.log.error, "{text}", text=text)

        relay = self._relay = StreamRelay(tell)

        def start() -> None:
            try:
                relay.start()
            except OSError as error:
                self.log.error("our log may stop us: {error}", error=error)

        reactor.callWhenRunning(start)
        atexit.register(relay.stop)

    def reopen(self) -> None:
        """SIGUSR1: the files were moved away."""
        if self._server_log is not None:
            self._server_log.reopen()
        self.access_log.reopen()
        self._reopen_output()
        self.log.info("the logs are reopened")

    def page(self) -> dict[str, Any]:
        """For the status: lines that are in no log, because it did not take them."""
        server = 0
        if self._server_log is not None:
            server += self._server_log.dropped
        if self._relay is not None:
            server += self._relay.dropped
        return {
            "access_log_dropped": self.access_log.dropped,
            "server_log_dropped": server,
            "output_dropped": dict(self._output_dropped()),
        }
