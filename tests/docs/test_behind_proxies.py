"""The pages about proxies in front: what they say is run, and does what they say."""

from __future__ import annotations

import hashlib
import http.client
import os
import tomllib

import pytest

from tests.docs.proxies import NAME, Place, Proxy
from tests.integration.websocket import BINARY, CLOSE, WebSocket

pytest.importorskip("OpenSSL", reason="needs passtwist[tls]")

CLIENT = "127.0.0.2"
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Ssl": "off",
    "Forwarded": "for=6.6.6.6;proto=http",
    "Proxy": "http://6.6.6.6/",
}
AS_ROOT = os.geteuid() == 0


def over_tcp(place):
    """Flags for a proxy on what would be another machine."""
    return [
        f"--listen=tcp:{place.inner_port}:interface=127.0.0.1",
        "--trusted-proxies=unix",
        "--trusted-proxies=127.0.0.1",
    ]


def nginx(place):
    """The command that runs it, and further flags of ours."""
    folder = place.folder
    _, _, other = place.block("nginx", port=place.other_port).rpartition("server {")
    other = other.replace("http://passtwist;", f"http://127.0.0.1:{place.inner_port};")
    (folder / "shop.conf").write_text(f"{place.block('nginx')}\nserver {{{other}")
    (folder / "nginx.conf").write_text(
        f"{'user www-data;' if AS_ROOT else ''} worker_processes 1; daemon off;\n"
        f"pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body;\n"
        f"proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n"
        f"scgi_temp_path {folder}/scgi; uwsgi_temp_path {folder}/uwsgi;\n"
        f"include {folder}/shop.conf; }}\n"
    )
    command = ("nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log")
    return command, over_tcp(place)


def apache(place):
    """The command that runs it, and further flags of ours."""
    folder = place.folder
    other = place.block("apache", port=place.other_port).replace(
        f"unix:{place.socket}|http://passtwist/",
        f"http://127.0.0.1:{place.inner_port}/",
    )
    modules = ("mpm_event", "authz_core", "proxy", "proxy_http", "headers", "ssl")
    loaded = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in modules
    )
    (folder / "apache.conf").write_text(
        f"ServerRoot {folder}\nServerName localhost\nListen 127.0.0.1:{place.port}\n"
        f"Listen 127.0.0.1:{place.other_port}\n"
        f"PidFile {folder}/apache.pid\nErrorLog {folder}/apache.log\nMutex fcntl\n"
        f"DefaultRuntimeDir {folder}\n{loaded}"
        f"{'User www-data' if AS_ROOT else ''}\n"
        f"{'Group www-data' if AS_ROOT else ''}\n"
        f"{place.block('apache')}{other}"
    )
    command = ("apache2", "-f", f"{folder}/apache.conf", "-DFOREGROUND")
    return command, over_tcp(place)


def haproxy(place):
    """The command that runs it, and further flags of ours."""
    file = place.folder / "haproxy.cfg"
    passing = place.block("haproxy", 1, place.other_port)
    file.write_text(f"global\n    maxconn 64\n{place.block('haproxy')}\n{passing}")
    (listen,) = tomllib.loads(place.block("toml", 1))["server"]["listen"]
    return ("haproxy", "-db", "-f", str(file)), [f"--listen={listen}"]


NGINX = pytest.param(nginx, marks=pytest.mark.debian("nginx"), id="nginx")
ALL = [
    NGINX,
    pytest.param(apache, marks=pytest.mark.debian("apache2"), id="apache"),
    pytest.param(haproxy, marks=pytest.mark.debian("haproxy"), id="haproxy"),
]


@pytest.fixture(scope="module", params=ALL)
def place(request):
    """passtwist behind each of them in turn."""
    place = Place(f"behind-{request.param.__name__}.md")
    command, flags = request.param(place)
    with place.server(*flags) as server, Proxy(place.folder, place.port, *command):
        place.running = server
        yield place
    place.remove()


for_nginx = pytest.mark.parametrize("place", [NGINX], indirect=True)


def test_the_app_and_the_log_see_the_client(place):
    """Its address, that it came by https, the host and the path that it asked for.

    In both ways that the page shows: by a Unix socket and by TCP, or with TLS ended
    by the proxy and passed on.
    """
    for port in (place.port, place.other_port):
        path = f"/a%2Fb//c/%C3%A4/.?q=%20{port}"
        environ = place.environ(path, {"Host": NAME}, port)
        assert environ["REMOTE_ADDR"] == CLIENT
        assert (environ["wsgi.url_scheme"], environ["HTTPS"]) == ("https", "on")
        assert environ["HTTP_HOST"] == NAME
        assert environ["PATH_INFO"] == "/a/b//c/\xc3\xa4/."
        assert environ["REQUEST_URI"] == path
    assert place.logged(path) == [CLIENT]


def test_what_the_client_says_of_itself_counts_for_nothing(place):
    """Whatever of it the proxy hands through."""
    environ = place.environ("/", {**FORGED, "Host": NAME})
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "https")
    assert {"HTTP_FORWARDED", "HTTP_PROXY"} & set(environ) == set()


def test_large_uploads_arrive_byte_for_byte(place):
    """With a length, and chunked."""
    body = os.urandom(1 << 16) * 64
    digest = hashlib.sha256(body).hexdigest()
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    for sent in (body, pieces):
        status, _, answer = place.ask("/digest", {"Host": NAME}, "POST", sent)
        assert (status, answer.decode()) == (200, digest)


def test_connections_are_kept_and_streams_flow_at_once(place):
    """The first event is there while the app makes the second."""
    client = place.client()
    for path in ("/one", "/two"):
        client.request("GET", path)
        assert client.getresponse().read()
    client.request("GET", "/stream")
    answer = client.getresponse()
    assert answer.read1(65536) == b"data: first\n\n"
    (place.site.root / "gate").touch()
    assert answer.read() == b"data: second\n\n"
    client.close()


def test_websockets_go_through(place):
    """To the app for any host, whose workers take them."""
    with WebSocket(place) as talk:
        for message in (b"hello", os.urandom(100_000)):
            talk.send(message)
            assert talk.receive() == (BINARY, message)
        talk.send(b"", CLOSE)
        assert talk.receive()[0] == CLOSE


@for_nginx
def test_nginx_sends_the_file_that_the_app_names(place):
    """X-Accel-Redirect reaches a proxy that is trusted, and nobody else."""
    status, headers, body = place.ask("/photo")
    assert (status, body) == (200, b"a photo")
    assert "X-Accel-Redirect" not in headers
    stranger = http.client.HTTPConnection(
        "127.0.0.1", place.inner_port, timeout=20, source_address=(CLIENT, 0)
    )
    stranger.request("GET", "/photo", headers={"Host": NAME})
    answer = stranger.getresponse()
    assert (answer.status, answer.getheader("X-Accel-Redirect")) == (200, None)
    answer.read()
    stranger.close()
    status, _, _ = place.ask("/protected/photo.jpg")
    assert status == 404


@for_nginx
def test_nginx_sends_visitors_to_https(place):
    client = http.client.HTTPConnection("127.0.0.1", place.plain_port, timeout=20)
    client.request("GET", "/a?b", headers={"Host": NAME})
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, f"https://{NAME}/a?b")
    answer.read()
    client.close()


@pytest.mark.root
@for_nginx
def test_only_the_proxy_s_group_may_connect(place):
    found = place.socket.stat()
    assert (found.st_mode & 0o777, found.st_gid) == (0o660, 33)
