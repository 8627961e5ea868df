"""What the admin API may want of the server as a whole.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from passtwist.api.commands import CommandError, checked
from passtwist.service.reload import ReloadRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passtwist.api.front_end import IFrontEnd
    from passtwist.service.draining import Draining
    from passtwist.service.reload import Reload

STOPPING = "the server is stopping"


class ServerOrders:
    """Readiness, draining and reloading, as JSON."""

    def __init__(
        self, draining: Draining, reload: Reload, front_end: IFrontEnd
    ) -> None:
        self._draining = draining
        self._reload = reload
        self._front_end = front_end

    def ready(self) -> dict[str, bool]:
        """Whether requests are wanted; CommandError (503) when they are not."""
        if self._draining.since is not None:
            is_final = self._draining.is_final
            raise CommandError(503, STOPPING if is_final else "draining")
        return {"ready": True}

    def state(self) -> dict[str, object]:
        """What the status page says of all this."""
        return {
            "draining": self._draining.since is not None,
            "last_reload_error": self._reload.error,
            "clients": self._front_end.clients(),
        }

    def drain(self, given: Mapping[str, Any]) -> dict[str, bool]:
        """Want no more requests; says whether that is news."""
        checked(given)
        return {"changed": self._draining.drain()}

    def undrain(self, given: Mapping[str, Any]) -> dict[str, bool]:
        """Want requests again; says whether that is news."""
        checked(given)
        if self._draining.is_final:
            raise CommandError(409, STOPPING)
        return {"changed": self._draining.undrain()}

    def reload(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Put the file of settings into effect, as it is now."""
        checked(given)
        try:
            return self._reload.run()
        except ReloadRefused as refused:
            raise CommandError(409, str(refused)) from refused
