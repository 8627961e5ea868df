"""Certificates and keys in PEM files: found, read, and put together.

Runs in: the controller, which has pyOpenSSL and with it cryptography.

A key belongs to the certificate that has its public half; so it does not matter
how files are named, and certbot's folders will do as well as a single file.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----\r?\n?", re.DOTALL
)
_LARGEST = 1 << 20

# What OpenSSL can show to clients.
Key = (
    RSAPrivateKey
    | EllipticCurvePrivateKey
    | Ed25519PrivateKey
    | Ed448PrivateKey
    | DSAPrivateKey
)


class IsSource(Protocol):
    """Where certificates come from.

    :ivar place: for messages.
    """

    place: str

    def paths(self) -> list[str]:
        """The files, in order; raises OSError."""


class PemFolder:
    """All files ``*.pem`` in a folder and those below it."""

    def __init__(self, place: str) -> None:
        self.place = place

    def paths(self) -> list[str]:
        """See `IsSource.paths`."""
        found = []
        for folder, folders, names in os.walk(self.place, onerror=_raise):
            folders.sort()
            found += [f"{folder}/{name}" for name in names if name.endswith(".pem")]
        return sorted(found)


class PemFiles:
    """Files that are named one by one."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.place = paths[0]
        self._paths = list(paths)

    def paths(self) -> list[str]:
        """See `IsSource.paths`."""
        return self._paths


class PemFile(NamedTuple):
    """What a file holds, in its order."""

    path: str
    certificates: tuple[x509.Certificate, ...]
    keys: tuple[Key, ...]


class Identity(NamedTuple):
    """What a server shows to clients.

    :ivar path: the file of the certificate.
    :ivar names: host names in lower case, ``*.`` in front for any below.
    :ivar chain: the certificates of those who signed it, but for the root's.
    """

    path: str
    names: tuple[str, ...]
    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...]

    def has_expired(self) -> bool:
        """Clients will refuse it."""
        return self.certificate.not_valid_after_utc < datetime.now(UTC)

    def rank(self, now: datetime) -> tuple[bool, datetime, int]:
        """The highest of those for one name is the one to show."""
        one = self.certificate
        valid = one.not_valid_before_utc <= now <= one.not_valid_after_utc
        return valid, one.not_valid_before_utc, len(self.chain)


class PemReader:
    """Reads files, and those again that have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], PemFile | str]] = {}

    def read(self, paths: Iterable[str]) -> tuple[bool, list[PemFile], list[str]]:
        """What is in the files, and what is wrong with them.

        :returns: whether anything has changed since the last call, what could be
            read, and one sentence for each file that could not.
        """
        before, self._known = self._known, {}
        for path in paths:
            try:
                mark = _mark(path)
            except OSError as error:
                self._known[path] = ((), unreadable(path, error))
                continue
            known = before.get(path)
            if known is None or known[0] != mark:
                known = (mark, _read(path))
            self._known[path] = known
        found = [content for _, content in self._known.values()]
        return (
            self._known != before,
            [one for one in found if isinstance(one, PemFile)],
            [one for one in found if isinstance(one, str)],
        )


def identities(files: Sequence[PemFile]) -> tuple[list[Identity], list[str]]:
    """The certificates with a key, and what is wrong: keys without certificate."""
    keys = {_public_half(key): (one.path, key) for one in files for key in one.keys}
    found, used = [], set()
    for one in files:
        if not one.certificates:
            continue
        first = one.certificates[0]
        half = _public_half(first)
        if half in keys:
            used.add(half)
            chain = one.certificates[1:] or tuple(_chain(first, one.path, files))
            found.append(
                Identity(one.path, names_of(first), first, keys[half][1], chain)
            )
    problems = [
        f"{path}: there is no certificate for this key"
        for half, (path, _) in keys.items()
        if half not in used
    ]
    return found, problems


def best_for_each_name(found: Iterable[Identity]) -> dict[str, Identity]:
    """Of several certificates for a name, the newest of those that are valid."""
    now = datetime.now(UTC)
    best: dict[str, Identity] = {}
    for one in found:
        for name in one.names:
            other = best.get(name)
            if other is None or one.rank(now) > other.rank(now):
                best[name] = one
    return best


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = [str(one.value) for one in common]
    return tuple(name.lower() for name in names)


def _chain(
    certificate: x509.Certificate, path: str, files: Sequence[PemFile]
) -> Iterator[x509.Certificate]:
    """Who signed it, from the files beside it before all others."""
    folder = os.path.dirname(path)
    near = sorted(files, key=lambda one: os.path.dirname(one.path) != folder)
    pool = [other for one in near for other in one.certificates]
    for _ in range(len(pool)):
        issuer = next((one for one in pool if _signed(one, certificate)), None)
        if issuer is None or issuer.subject == issuer.issuer:
            return
        yield issuer
        certificate = issuer


def _signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if issuer.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _public_half(one: Any) -> bytes:
    """Of a key, and of a certificate: equal when they belong together."""
    half: bytes = one.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return half


def _mark(path: str) -> tuple[int, ...]:
    found = os.stat(path)
    return (
        stat.S_IFMT(found.st_mode),
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def _read(path: str) -> PemFile | str:
    try:
        # To open a FIFO would stop the server until somebody writes.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as f:
            if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                return f"{path}: is no regular file"
            text = f.read(_LARGEST + 1)
    except OSError as error:
        return unreadable(path, error)
    if len(text) > _LARGEST:
        return f"{path}: is larger than {_LARGEST >> 20} MiB; that is no PEM file"
    certificates, keys = [], []
    for block in _BLOCK.finditer(text):
        kind = block[1]
        try:
            if kind == b"CERTIFICATE":
                certificates.append(x509.load_pem_x509_certificate(block[0]))
            elif kind.endswith(b"PRIVATE KEY"):
                keys.append(_key(block[0]))
        except TypeError:
            return (
                f"{path}: the key is encrypted, and nobody is there to be asked for "
                "the passphrase; decrypt it with `openssl pkey`, for the server alone "
                "to read"
            )
        except ValueError:
            what = "certificate" if kind == b"CERTIFICATE" else "key"
            return f"{path}: a {what} in it is damaged, or of an unknown kind"
    if not certificates and not keys:
        return f"{path}: there is neither a certificate nor a key in it"
    return PemFile(path, tuple(certificates), tuple(keys))


def _key(text: bytes) -> Key:
    key = load_pem_private_key(text, None)
    if not isinstance(key, Key):
        raise ValueError("not a key for TLS")
    return key


def unreadable(path: str, error: OSError) -> str:
    """One sentence for who can do something about it."""
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = "; only a server that stays root, or has its group, may read it"
    return f"{path}: {error.strerror}{remedy}"


def _raise(error: OSError) -> None:
    raise error
