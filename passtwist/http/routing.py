"""Which app a request is for: by host, then by path.

Runs in: the controller.  Pure, but for a look at which folders there are.

A site with the exact host comes before one with a wildcard, a longer wildcard
before a shorter, and sites for any host come last.  Among the sites of a host
the longest `base_uri` counts; when none fits the path, the next group of hosts
is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.http.files.site import SiteFiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from passtwist.http.config import Site

# Hosts come from clients; so many of them are remembered at a time.
_CACHED_HOSTS = 1024
# A name has at most 255 bytes (RFC 1035, 2.3.4); one of thousands of labels would take
# milliseconds to look for, each time.
_LONGEST_AUTHORITY = 255 + len(".:65535")


class Route:
    """One way to one site.

    :ivar script_name: the site's base URI, b"" when it is ``/``.
    :ivar files: those that are served here; None while there are none.
    """

    __slots__ = ("_below", "_files", "files", "script_name", "site")

    def __init__(self, site: Site) -> None:
        self.site = site
        self.script_name = site.base_uri.rstrip("/").encode("utf-8")
        self._below = self.script_name + b"/"
        self._files = SiteFiles(site, self.script_name) if site.root else None
        self.files: SiteFiles | None = None
        self.look()

    def look(self) -> None:
        """Files may have come or gone; asked now and then."""
        if self._files is not None:
            self.files = self._files if self._files.are_needed() else None

    def leads_to(self, path: bytes) -> bool:
        """Is *path* this site's, at a boundary between segments?"""
        if path.startswith(self._below) or path == self.script_name:
            return True
        # OPTIONS * asks the server as a whole.
        return path == b"*" and not self.script_name


class Router:
    """All routes, in the order in which they are tried for each host."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._exact: dict[bytes, list[Route]] = {}
        self._wildcard: dict[bytes, list[Route]] = {}
        self._default: list[Route] = []
        self._all: list[Route] = []
        for site in sites:
            route = Route(site)
            self._all.append(route)
            if not site.hosts:
                self._default.append(route)
            for host in site.hosts:
                name = _encode_host(host)
                if name.startswith(b"*."):
                    self._wildcard.setdefault(name[1:], []).append(route)
                else:
                    self._exact.setdefault(name, []).append(route)
        for routes in (
            *self._exact.values(),
            *self._wildcard.values(),
            self._default,
        ):
            routes.sort(key=lambda route: len(route.script_name), reverse=True)
        self._known: dict[bytes | None, list[Route]] = {}

    def look(self) -> None:
        """Look which sites have files of their own: once a second is enough."""
        for route in self._all:
            route.look()

    def find(self, authority: bytes | None, path: bytes) -> Route | None:
        """The route for *path* on *authority* (a host with or without a port)."""
        routes = self._known.get(authority)
        if routes is None:
            routes = self._routes(authority)
        for route in routes:
            if route.leads_to(path):
                return route
        return None

    def _routes(self, authority: bytes | None) -> list[Route]:
        if authority is not None and len(authority) > _LONGEST_AUTHORITY:
            return self._default
        routes: list[Route] = []
        if authority is not None:
            host = host_of(authority)
            routes += self._exact.get(host, ())
            dot = host.find(b".", 1)
            while dot >= 0:
                routes += self._wildcard.get(host[dot:], ())
                dot = host.find(b".", dot + 1)
        routes += self._default
        if len(self._known) >= _CACHED_HOSTS:
            self._known.clear()
        self._known[authority] = routes
        return routes


def _encode_host(host: str) -> bytes:
    labels = host.lower().rstrip(".").split(".")
    return b".".join(
        label.encode("ascii" if label.isascii() else "idna") for label in labels
    )


def host_of(authority: bytes) -> bytes:
    """The host in *authority*, in lower case, without port and final dot."""
    authority = authority.lower()
    if authority.startswith(b"["):
        return authority.partition(b"]")[0] + b"]"
    return authority.partition(b":")[0].rstrip(b".")
