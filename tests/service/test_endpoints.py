"""Endpoint strings, and what can be wrong with each."""

from __future__ import annotations

import os
import socket
import stat
import sys

import pytest
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint

from passtwist.errors import StartupError
from passtwist.service.listening.bind_errors import EndpointError
from passtwist.service.listening.endpoints import endpoint_from, split
from passtwist.service.listening.listeners import Listeners
from passtwist.testing.spawn_servers import in_reactor
from tests.service.certificates import Authority
from tests.service.test_listeners import PlainDoor


def listeners_on(*listen):
    return Listeners(reactor, listen, PlainDoor)


def refusal_of(description):
    """What the operator is told, after the endpoint's name."""
    with pytest.raises(StartupError) as caught:
        listeners_on(description).bind()
    told = str(caught.value)
    assert told.startswith(f"can't listen on {description}: ")
    return told.removeprefix(f"can't listen on {description}: ")


def ask(path):
    """What comes from who listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp:80", ("tcp", ["80"], {})),
        ("tcp:80:interface=::1", ("tcp", ["80", "", "1"], {"interface": ""})),
        (r"tcp6:80:interface=\:\:1", ("tcp6", ["80"], {"interface": "::1"})),
        (r"unix:/a\:b\\c:mode=660", ("unix", ["/a:b\\c"], {"mode": "660"})),
        ("unix:address=/a=b", ("unix", [], {"address": "/a=b"})),
        ("tls:", ("tls", [""], {})),
        ("x", ("x", [], {})),
    ],
)
def test_strings_are_split_as_twisted_does(text, expected):
    """Colons separate, backslashes escape."""
    assert split(text) == expected


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("tcp:x", "not an endpoint: port 'x' is no number from 0 to 65535"),
        ("tcp:70000", "not an endpoint: port '70000' is no number from 0 to 65535"),
        (
            "tcp:0:bind=127.0.0.1",
            (
                "not an endpoint: tcp: got an unexpected keyword argument 'bind'; "
                "tcp: takes port, interface, backlog"
            ),
        ),
        (
            "tcp:",
            "not an endpoint: port '' is no number from 0 to 65535",
        ),
        ("tcp:0\\", "not an endpoint: it ends with a lone backslash"),
        (
            "tcp:0:interface=192.0.2.77",
            (
                "Cannot assign requested address; interface= has to be an address of "
                "this machine; `ip address` lists them"
            ),
        ),
        ("unix:/x:mode=999", "not an endpoint: mode '999' is no number from 0 to 777"),
        ("unix:/x:group=no-such", "there is no group 'no-such'; make it first"),
        (
            "systemd:domain=INET:name=web:index=0",
            "not an endpoint: systemd: takes index= or name=",
        ),
        ("haproxy:haproxy:tcp:0", "not an endpoint: haproxy: twice"),
        (
            "systemd:domain=INET:name=web",
            (
                "systemd has passed no socket name=web; start the server by a .socket "
                "unit that has it (ListenStream=, and FileDescriptorName= for name=)"
            ),
        ),
        (
            "tls:/no/such/folder",
            (
                "/no/such/folder: No such file or directory; it takes a certificate "
                "and its key, in PEM files that the server may read"
            ),
        ),
        (
            "ssl:0:privateKey=/no/key.pem:certKey=/no/cert.pem",
            (
                "/no/cert.pem: No such file or directory; /no/key.pem: No such file or "
                "directory; it takes a certificate and its key, in PEM files that the "
                "server may read"
            ),
        ),
    ],
)
def test_each_mistake_is_told_with_its_remedy(description, told):
    """When the server starts, before anything is bound."""
    assert refusal_of(description) == told


def test_a_name_that_does_not_resolve_is_told():
    told = refusal_of("tcp:0:interface=no-such-host.invalid")
    assert told.startswith("the name no-such-host.invalid does not resolve (")
    assert told.endswith("); write an address of this machine")


def test_what_is_not_known_here_is_left_to_twisted():
    """And so to the plugins for its endpoints."""
    with pytest.raises(StartupError, match="not an endpoint: Unknown endpoint type"):
        listeners_on("carrier-pigeon:80").bind()
    assert isinstance(endpoint_from(reactor, "tcp:0"), TCP4ServerEndpoint)


def test_a_string_that_twisted_would_not_refuse_is(tmp_path):
    """sslmethod could only name what is obsolete."""
    with pytest.raises(EndpointError, match="leave them out"):
        endpoint_from(reactor, "ssl:0:sslmethod=TLSv1_METHOD")


# --- Unix sockets -----------------------------------------------------------------


@in_reactor
async def test_the_file_of_a_socket_says_who_may_connect(tmp_path):
    """It has its mode from the beginning, and is gone at the end."""
    path = tmp_path / "s"
    group = os.getgid()
    listeners = listeners_on(f"unix:{path}:mode=620:user={os.getuid()}")
    with pytest.raises(StartupError, match="there is no user"):
        listeners.bind()
    umask = os.umask(0o077)
    try:
        listeners = listeners_on(f"unix:{path}:mode=626")
        listeners.bind()
    finally:
        os.umask(umask)
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o626, group)
    assert listeners.addresses() == [f"unix:{path}"]
    ask(path)
    await listeners.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.root
@in_reactor
async def test_the_file_of_a_socket_can_be_given_away(tmp_path):
    """To the user or the group of the proxy."""
    path = tmp_path / "s"
    listeners = listeners_on(f"unix:{path}:mode=660:user=nobody:group=www-data")
    listeners.bind()
    found = path.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (65534, 0o660)
    assert found.st_gid == 33
    await listeners.close()


@in_reactor
async def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path):
    """A server that was killed has left it, with its lock or without."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    # As large as no pid is.
    (tmp_path / "s.lock").symlink_to("99999999")
    listeners = listeners_on(f"unix:{path}")
    listeners.bind()
    ask(path)
    await listeners.close()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listeners.bind()
    ask(path)
    await listeners.close()
    assert os.listdir(tmp_path) == []


@in_reactor
async def test_a_lock_whose_number_is_another_process_s_by_now_is_replaced(tmp_path):
    """After a reboot numbers begin anew; then it is older than the process."""
    path, lock = tmp_path / "s", tmp_path / "s.lock"
    told = "Address already in use: another server has locked it"
    lock.symlink_to(str(os.getppid()))
    assert told in refusal_of(f"unix:{path}")
    for number in (os.getppid(), 1):
        lock.unlink(missing_ok=True)
        lock.symlink_to(str(number))
        os.utime(lock, (1, 1), follow_symlinks=False)
        listeners = listeners_on(f"unix:{path}")
        listeners.bind()
        ask(path)
        await listeners.close()
    assert os.listdir(tmp_path) == []


@in_reactor
async def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path):
    """Ours, another server's, one without a lock, one whose queue is full."""
    path = tmp_path / "s"
    ours = listeners_on(f"unix:{path}")
    ours.bind()
    assert refusal_of(f"unix:{path}") == (
        f"{path}: Address already in use: another server has locked it; "
        "`ss -ltnp` shows who listens there"
    )
    ask(path)
    await ours.close()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        told = f"{path}: Address already in use; `ss -ltnp` shows who listens there"
        assert refusal_of(f"unix:{path}") == told
        assert refusal_of(f"unix:{path}") == told
    assert os.listdir(tmp_path) == ["s"]


@in_reactor
async def test_the_file_of_a_successor_is_not_removed(tmp_path):
    """Only what we have made."""
    path = tmp_path / "s"
    listeners = listeners_on(f"unix:{path}:lockfile=0")
    listeners.bind()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(str(path))
        await listeners.close()
        assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize("what", ["a file", "a folder", "a symbolic link"])
def test_what_is_no_socket_is_not_removed(tmp_path, what):
    """It may be anything: a path that was mistyped."""
    path = tmp_path / "s"
    if what == "a file":
        path.write_text("precious")
    elif what == "a folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    before = path.lstat()
    assert refusal_of(f"unix:{path}") == (
        f"{path}: there is {what} in its place, which was not removed; remove it, or "
        "take another path"
    )
    assert path.lstat().st_ino == before.st_ino
    assert os.listdir(tmp_path) == ["s"]


def test_a_socket_in_a_place_that_there_is_not_is_told(tmp_path):
    """Folder missing, name too long, and a lock that is none."""
    for rest in ("", ":lockfile=0"):
        told = f"{tmp_path}/no: No such file or directory; make that folder first"
        assert refusal_of(f"unix:{tmp_path}/no/s{rest}") == told
    long = f"{tmp_path}/{'x' * 100}"
    assert refusal_of(f"unix:{long}").startswith(
        f"{long}: a Unix socket's path has at most 107 bytes"
    )
    lock = tmp_path / "s.lock"
    told = f"{lock}: is no lock of a server; remove it"
    lock.write_text("no link")
    assert refusal_of(f"unix:{tmp_path}/s") == told
    lock.unlink()
    lock.symlink_to("no number")
    assert refusal_of(f"unix:{tmp_path}/s") == told


# --- TLS --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issued():
    return Authority().issue("shop.example")


def test_what_is_wrong_with_certificates_is_told(tmp_path, issued):
    """File by file."""
    good, other = issued.fullchain, Authority().issue("shop.example")
    cases = {
        "encrypted": (good, issued.key(b"secret"), "the key is encrypted, and nobody"),
        "damaged": (good, issued.key()[:80] + issued.key()[90:], "a key in it is dam"),
        "empty": (b"", issued.key(), "there is neither a certificate nor a key in it"),
        "another's": (good, other.key(), "there is no certificate for this key"),
    }
    for name, (certificate, key, expected) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "cert.pem").write_bytes(certificate)
        (folder / "key.pem").write_bytes(key)
        paths = f"privateKey={folder}/key.pem:certKey={folder}/cert.pem"
        for told in (refusal_of(f"ssl:0:{paths}"), refusal_of(f"tls:{folder}:port=0")):
            assert f".pem: {expected}" in told
            assert "it takes a certificate and its key" in told


@pytest.mark.parametrize("missing", ["OpenSSL", "cryptography"])
def test_what_tls_needs_is_told_where_it_is_missing(monkeypatch, missing):
    """It is an extra."""
    for name in ("certificate_files", "tls_endpoint"):
        monkeypatch.delitem(
            sys.modules, f"passtwist.service.listening.{name}", raising=False
        )
    monkeypatch.setitem(sys.modules, missing, None)
    assert refusal_of("tls:/etc/letsencrypt/live") == (
        "TLS needs pyOpenSSL; pip install 'passtwist[tls]'"
    )


@in_reactor
async def test_addresses_are_written_as_urls(tmp_path, issued):
    """With the scheme that they speak."""
    (tmp_path / "site.pem").write_bytes(issued.fullchain + issued.key())
    listeners = listeners_on(
        "tcp:0:interface=127.0.0.1",
        f"tls:{tmp_path}/site.pem:port=0:interface=127.0.0.1",
        f"haproxy:tls:{tmp_path}:port=0:interface=127.0.0.1",
        r"tcp6:0:interface=\:\:1",
    )
    listeners.bind()
    schemes = [one.rpartition(":")[0] for one in listeners.addresses()]
    assert schemes == [
        "http://127.0.0.1",
        "https://127.0.0.1",
        "https://127.0.0.1",
        "http://[::1]",
    ]
    await listeners.close()
