"""Certificates by name, and what happens when they are renewed."""

from __future__ import annotations

import contextlib
import os
import ssl

import pytest
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher

from passtwist.service.listening.bind_errors import EndpointError
from passtwist.service.listening.certificate_files import PemFiles, PemFolder
from passtwist.service.listening.tls_endpoint import SECONDS_BETWEEN_LOOKS, Certificates
from tests.service.certificates import Authority


@pytest.fixture(scope="module")
def authority():
    return Authority()


class Bench:
    """Certificates in a folder, and clients that ask for them by name."""

    def __init__(self, authority, live, clock):
        self.authority = authority
        self.live = live
        self.clock = clock
        self.certificates = None
        self.source = PemFolder(str(live))

    def start(self):
        self.certificates = Certificates(self.source, self.clock.seconds)

    def issue(self, folder, *names, **times):
        issued = self.authority.issue(*names, **times)
        issued.write_as_certbot(self.live, folder)
        return issued.serial

    def shown_to(self, name, checks=True):
        """The number of the certificate that a client gets.

        :param checks: False for a client to whom every certificate is good.
        """
        context = self.authority.client_context()
        if not checks:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return shake_hands(self.certificates, context, name)[0]

    def later(self):
        """Time enough passes for a look at the files."""
        self.clock.advance(SECONDS_BETWEEN_LOOKS)


def shake_hands(certificates, context, name):
    """A handshake without sockets: the certificate's number, and the ALPN."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    server = certificates.serverConnectionForTLS(None)
    server.set_accept_state()
    for _ in range(10):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        else:
            number = client.getpeercert(binary_form=True)
            return serial_of(number), client.selected_alpn_protocol()
        server.bio_write(to_server.read())
        try:
            server.do_handshake()
        except SSL.WantReadError:
            pass
        with contextlib.suppress(SSL.WantReadError):  # it has nothing to say
            to_client.write(server.bio_read(1 << 16))
    raise AssertionError("the handshake came to no end")


def serial_of(der):
    from cryptography import x509

    return f"{x509.load_der_x509_certificate(der).serial_number:X}"


@pytest.fixture
def bench(authority, tmp_path):
    return Bench(authority, tmp_path / "live", Clock())


@pytest.fixture
def logged():
    """What was logged since it was last asked."""
    events = []
    globalLogPublisher.addObserver(events.append)

    def take():
        taken = [formatEvent(event) for event in events]
        events.clear()
        return taken

    yield take
    globalLogPublisher.removeObserver(events.append)


def test_each_name_gets_its_certificate(bench):
    """By the exact name, then by a wildcard, else the first in the folder."""
    blog = bench.issue("blog.example", "blog.example")
    shop = bench.issue("shop.example", "shop.example", "www.shop.example")
    any_below = bench.issue("wild", "*.shop.example")
    bench.start()
    assert bench.shown_to("shop.example") == shop
    assert bench.shown_to("WWW.Shop.Example") == shop
    assert bench.shown_to("admin.shop.example") == any_below
    assert bench.shown_to("a.admin.shop.example", checks=False) == blog
    assert bench.shown_to("unknown.example", checks=False) == blog
    assert bench.shown_to(None, checks=False) == blog


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)],
)
def test_no_protocol_is_agreed_on_but_http_1(bench, offered, agreed):
    """A client that would like h2 is not told that it may."""
    bench.issue("a", "shop.example")
    bench.start()
    context = bench.authority.client_context()
    context.set_alpn_protocols(offered)
    found = shake_hands(bench.certificates, context, "shop.example")
    assert found[1] == agreed


def test_unknown_names_read_no_files(bench, monkeypatch):
    """Only time does: once a minute, whatever clients ask for."""
    shown = bench.issue("a", "shop.example")
    bench.start()
    looks = []
    paths = bench.source.paths
    monkeypatch.setattr(bench.source, "paths", lambda: looks.append(1) or paths())
    for number in range(50):
        assert bench.shown_to(f"n{number}.example", checks=False) == shown
    assert looks == []
    bench.later()
    for number in range(50):
        bench.shown_to(f"n{number}.example", checks=False)
    assert looks == [1]


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "a/b", "%2e%2e", "x" * 250])
def test_a_name_is_never_a_path(bench, name):
    """It is looked up among those of the certificates."""
    shown = bench.issue("a", "shop.example")
    bench.start()
    connection = bench.certificates.serverConnectionForTLS(None)

    class Asking:
        """A connection on which the client has asked for the name."""

        context = None

        def get_servername(self):
            return name.encode()

        def set_context(self, context):
            self.context = context

    asking = Asking()
    bench.certificates._choose(asking)
    assert asking.context is None
    assert connection.get_context() is not None
    assert bench.shown_to("shop.example") == shown


def test_a_renewed_certificate_is_taken_up_within_a_minute(bench):
    """New connections get it; nothing is restarted."""
    old = bench.issue("shop.example", "shop.example")
    other = bench.issue("blog.example", "blog.example")
    bench.start()
    new = bench.issue("shop.example", "shop.example")
    assert bench.shown_to("shop.example") == old
    bench.later()
    assert bench.shown_to("shop.example") == new
    assert bench.shown_to("blog.example") == other


def test_the_log_says_what_was_taken_up_and_what_has_expired(bench, logged):
    """Each thing once; at the start, only what is wrong."""
    bench.issue("shop.example", "shop.example", begins=-9, ends=-1)
    bench.start()
    path = f"{bench.live}/shop.example/cert.pem"
    (first,) = logged()
    assert first.startswith(f"certificates in {bench.live}: {path}: has expired, on ")
    bench.later()
    bench.shown_to("shop.example", checks=False)
    assert logged() == []
    bench.issue("shop.example", "shop.example")
    bench.certificates.renew()
    bench.certificates.renew()
    (taken,) = logged()
    assert taken.startswith("a new certificate for shop.example, until ")
    assert taken.endswith(f": {path}")


def test_a_reload_takes_it_up_at_once(bench):
    bench.issue("shop.example", "shop.example")
    bench.start()
    new = bench.issue("shop.example", "shop.example")
    added = bench.issue("wiki.example", "wiki.example")
    bench.certificates.renew()
    assert bench.shown_to("shop.example") == new
    assert bench.shown_to("wiki.example") == added


def test_in_the_middle_of_a_renewal_the_old_one_is_shown(bench):
    """The key is new already, the certificate is not."""
    old = bench.issue("shop.example", "shop.example")
    bench.start()
    issued = bench.authority.issue("shop.example")
    folder = bench.live / "shop.example"
    (folder / "privkey.pem").unlink()
    (folder / "privkey.pem").write_bytes(issued.key())
    bench.later()
    assert bench.shown_to("shop.example") == old
    issued.write_as_certbot(bench.live, "shop.example")
    bench.later()
    assert bench.shown_to("shop.example") == issued.serial


@pytest.mark.parametrize("damage", ["broken", "gone", "unreadable folder"])
def test_damage_leaves_the_old_one(bench, damage):
    """And does not touch the others."""
    old = bench.issue("shop.example", "shop.example")
    bench.start()
    folder = bench.live / "shop.example"
    for name in os.listdir(folder):
        (folder / name).unlink()
    if damage == "broken":
        text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        (folder / "fullchain.pem").write_bytes(text)
    elif damage == "unreadable folder":
        folder.rmdir()
        bench.live.rename(bench.live.with_name("away"))
    bench.later()
    assert bench.shown_to("shop.example") == old


def test_of_several_for_a_name_the_newest_valid_one_is_shown(bench):
    """As in certbot's archive, where the old ones stay."""
    bench.issue("a", "shop.example", begins=-9, ends=-1)
    bench.issue("b", "shop.example", begins=-3, ends=3)
    newest = bench.issue("c", "shop.example", begins=-2, ends=1)
    bench.issue("d", "shop.example", begins=1, ends=5)
    bench.start()
    assert bench.shown_to("shop.example") == newest


def test_the_chain_comes_from_wherever_it_is(bench, tmp_path):
    """Behind the certificate, or in a file of its own."""
    issued = bench.authority.issue("shop.example")
    issued.write_as_certbot(bench.live, "x")
    folder = bench.live / "x"
    for names in (
        ("cert.pem", "privkey.pem", "chain.pem"),
        ("fullchain.pem", "privkey.pem"),
    ):
        bench.source = PemFiles([str(folder / name) for name in names])
        bench.start()
        # The client knows the root only.
        assert bench.shown_to("shop.example") == issued.serial
    both = tmp_path / "both.pem"
    both.write_bytes(issued.key() + issued.fullchain)
    bench.source = PemFiles([str(both)])
    bench.start()
    assert bench.shown_to("shop.example") == issued.serial


def test_there_must_be_one_to_begin_with(bench):
    """An empty folder, and a FIFO that would never be read."""
    bench.live.mkdir()
    with pytest.raises(EndpointError, match="there is no certificate in it"):
        bench.start()
    os.mkfifo(bench.live / "a.pem")
    with pytest.raises(EndpointError, match=r"a\.pem: is no regular file"):
        bench.start()
