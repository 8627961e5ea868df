"""TLS: the certificate for each name, taken up anew when it is renewed.

Runs in: the controller, if it has pyOpenSSL.

The files are looked at once a minute at most, when a connection comes, and at a
reload.  The name that a client asks for only finds what is in memory already:
asking for a thousand unknown ones reads no file, and is told by no log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.endpoints import wrapServerTLS
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IStreamServerEndpoint,
)
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.service.listening.bind_errors import EndpointError
from passtwist.service.listening.certificate_files import (
    Identity,
    PemReader,
    best_for_each_name,
    identities,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory

    from passtwist.api.reactors import Reactor
    from passtwist.service.listening.certificate_files import IsSource

SECONDS_BETWEEN_LOOKS = 60.0
HTTP_1_1 = b"http/1.1"


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """The certificates of one endpoint.

    :param seconds: the time.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(self, source: IsSource, seconds: Callable[[], float]) -> None:
        """
        :raises EndpointError: there is no certificate that could be shown.
        """
        self._source = source
        self._seconds = seconds
        self._reader = PemReader()
        self._by_name: dict[str, Identity] = {}
        self._contexts: dict[bytes, SSL.Context] = {}
        self._made: dict[Identity, SSL.Context] = {}
        self._told: set[str] = set()
        self._default: SSL.Context
        self._next_look = 0.0
        problems = self._look()
        if not self._by_name:
            raise EndpointError(
                "; ".join(problems) or f"{source.place}: there is no certificate in it",
                "it takes a certificate and its key, in PEM files that the server may "
                "read",
            )
        self._tell(problems)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """See `IOpenSSLServerConnectionCreator`."""
        if self._seconds() >= self._next_look:
            self.renew()
        return SSL.Connection(self._default)

    def renew(self) -> None:
        """Look at the files now; what is wrong with them is logged, once.

        A name keeps the certificate that it had while there is no other.
        """
        self._tell(self._look())

    def _look(self) -> list[str]:
        self._next_look = self._seconds() + SECONDS_BETWEEN_LOOKS
        try:
            paths = self._source.paths()
        except OSError as error:
            return [unreadable(str(error.filename), error)]
        changed, files, problems = self._reader.read(paths)
        if not changed and not self._told:
            return problems + self._expired()
        found, unused = identities(files)
        problems += unused
        by_name = best_for_each_name(found)
        if problems:
            # Certbot changes one file after the other; in between, and when it
            # could not, the old ones are better than none.
            by_name = {**self._by_name, **by_name}
        return problems + self._take(by_name) + self._expired()

    def _take(self, by_name: dict[str, Identity]) -> list[str]:
        """Show these from now on; answers what is wrong with some."""
        made: dict[Identity, SSL.Context] = {}
        problems = []
        for one in dict.fromkeys(by_name.values()):
            try:
                made[one] = self._made.get(one) or self._context(one)
            except SSL.Error as error:
                problems.append(f"{one.path}: OpenSSL refuses it: {_words(error)}")
        by_name = {name: one for name, one in by_name.items() if one in made}
        if by_name:
            self._tell_of(made)
            self._made, self._by_name = made, by_name
            self._contexts = {
                name.encode("utf-8"): made[one] for name, one in by_name.items()
            }
            # For clients that ask for no name, or for one that is not there.
            self._default = made[min(made, key=lambda one: one.path)]
        return problems

    def _context(self, identity: Identity) -> SSL.Context:
        context = CertificateOptions().getContext()
        context.use_certificate(identity.certificate)
        context.use_privatekey(identity.key)
        for one in identity.chain:
            context.add_extra_chain_cert(one)
        context.set_tlsext_servername_callback(self._choose)
        context.set_alpn_select_callback(_protocol)
        return context

    def _choose(self, connection: SSL.Connection) -> None:
        name = connection.get_servername()
        if name is None:
            return
        name = name.lower().rstrip(b".")
        context = self._contexts.get(name)
        if context is None:
            context = self._contexts.get(b"*." + name.partition(b".")[2])
        if context is not None:
            connection.set_context(context)

    def _expired(self) -> list[str]:
        return [
            f"{one.path}: has expired, on {one.certificate.not_valid_after_utc}"
            for one in self._made
            if one.has_expired()
        ]

    def _tell_of(self, made: dict[Identity, SSL.Context]) -> None:
        """What was taken up since the start."""
        for one in made:
            if self._made and one not in self._made:
                self.log.info(
                    "a new certificate for {names}, until {end}: {path}",
                    names=", ".join(one.names),
                    end=one.certificate.not_valid_after_utc,
                    path=one.path,
                )

    def _tell(self, problems: list[str]) -> None:
        for problem in problems:
            if problem not in self._told:
                self.log.error(
                    "certificates in {place}: {problem}",
                    place=self._source.place,
                    problem=problem,
                )
        self._told = set(problems)


def _protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """HTTP/1.1 if the client speaks it; Twisted would agree on one without name."""
    return HTTP_1_1 if HTTP_1_1 in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _words(error: SSL.Error) -> str:
    """What OpenSSL says of its errors."""
    return ", ".join(reason for _, _, reason in error.args[0]) if error.args else "?"


@implementer(IStreamServerEndpoint)
class TlsEndpoint:
    """Speaks TLS where another endpoint listens."""

    def __init__(
        self, endpoint: IStreamServerEndpoint, certificates: Certificates, clock: Any
    ) -> None:
        self._endpoint = wrapServerTLS(certificates, endpoint, clock)
        self._certificates = certificates

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See `IStreamServerEndpoint.listen`."""
        return self._endpoint.listen(protocolFactory)

    def renew(self) -> None:
        """See `Certificates.renew`."""
        self._certificates.renew()


def tls_endpoint(
    reactor: Reactor, plain: IStreamServerEndpoint, source: IsSource
) -> TlsEndpoint:
    """TLS on *plain*, with the certificates of *source*.

    :raises EndpointError: there is none.
    """
    return TlsEndpoint(plain, Certificates(source, reactor.seconds), reactor)
