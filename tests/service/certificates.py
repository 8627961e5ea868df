"""Certificates made for tests, signed by an authority of the test's own."""

from __future__ import annotations

import datetime
import ssl

import pytest

pytest.importorskip("OpenSSL", reason="needs passtwist[tls]")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM
DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates by way of an intermediate one, as real ones do."""

    def __init__(self):
        self.root = _Signer("root", None)
        self.intermediate = _Signer("intermediate", self.root)

    def issue(self, *names, begins=-1, ends=1):
        """A certificate for host names, from and to so many days from now."""
        return Issued(self, names, begins, ends)

    def client_context(self):
        """What a client needs that trusts this authority."""
        return ssl.create_default_context(cadata=self.root.pem.decode())


class Issued:
    """A certificate, its key and its chain."""

    def __init__(self, authority, names, begins, ends):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._chain = authority.intermediate.pem
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0]))
            .issuer_name(_name("intermediate"))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * DAY)
            .not_valid_after(now + ends * DAY)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
                False,
            )
            .sign(authority.intermediate.key, hashes.SHA256())
        )

    @property
    def serial(self):
        """Its number, as a client sees it."""
        return f"{self.certificate.serial_number:X}"

    @property
    def fullchain(self):
        """PEM: it, and who signed it."""
        return self.certificate.public_bytes(PEM) + self._chain

    def key(self, password=None):
        """PEM of the key."""
        encryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password)
        return self._key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def write_as_certbot(self, live, name):
        """The files of ``live/NAME``; others of that name are replaced."""
        folder = live / name
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "privkey.pem": self.key(),
            "cert.pem": self.certificate.public_bytes(PEM),
            "chain.pem": self._chain,
            "fullchain.pem": self.fullchain,
        }
        for file, text in files.items():
            # As certbot does: by a link that is swapped.
            archived = live.parent / "archive" / f"{name}-{self.serial}-{file}"
            archived.parent.mkdir(exist_ok=True)
            archived.write_bytes(text)
            link = folder / f"{file}.new"
            link.symlink_to(archived)
            link.rename(folder / file)


class _Signer:
    """A certificate that signs others."""

    def __init__(self, name, by):
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        public = self.key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        signed = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(identifier, False)
            .sign((by or self).key, hashes.SHA256())
        )
        self.pem = signed.public_bytes(PEM)


def _name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
