"""The settings of a running server: put into effect as a whole, or not at all."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from passtwist.testing.server import CUT_OFF, RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.accounts import OWNER, give, server_for_all, site_of
from tests.integration.admin import ask
from tests.integration.commands import complaint, output
from tests.integration.load import Load
from tests.integration.sites import Site, configure, serve

COLOUR = """
import os

def application(environ, start_response):
    text = "%s %s" % (os.environ.get("COLOUR", "none"), os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""


def coloured(parent, name="shop", **keys):
    """An app that tells its environment and its pid."""
    site = Site(parent, name, **{"base_uri": f"/{name}", **keys})
    site.write("passenger_wsgi.py", COLOUR)
    return site


def colour(server, name="shop"):
    return server.get(f"/{name}/").text.partition(" ")[0]


def pids(server, name):
    return {worker["pid"] for worker in server.workers(name)}


def steady(parent):
    """An app that no test changes."""
    keys = {"min_instances": 2, "max_instances": 2, "prestart": True}
    return Site(parent, "steady", base_uri="/steady", **keys)


# --- apps -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["conservative", "smart-lv2"])
def test_apps_come_go_and_change_without_touching_the_others(tmp_path, method):
    """No request to the one that stays fails, and its workers go on."""
    rock, old = steady(tmp_path), coloured(tmp_path, "old")
    rock.keys["spawn_method"] = method
    shop = coloured(tmp_path, spawn_method=method)
    server = serve(tmp_path, rock, old, shop, max_pool_size=6)
    with server, Load(server, "/steady/echo"):
        wait_until(lambda: len(server.workers("steady", "idle", "busy")) == 2, "both")
        workers = pids(server, "steady")
        assert (colour(server), colour(server, "old")) == ("none", "none")

        shop.keys |= {"env": {"COLOUR": "red"}, "max_queue_size": 7}
        new = coloured(tmp_path, "new")
        configure(tmp_path, rock, shop, new, max_pool_size=6)
        assert output(server, "reload") == (
            "app old: removed\n"
            "app new: added\n"
            "app shop: changed: env, max_queue_size; restarting it for env\n"
        )
        assert colour(server, "new") == "none"
        assert server.get("/old/").status == 404
        wait_until(lambda: colour(server) == "red", "the new workers of the shop")
        names = [app["name"] for app in server.status()["apps"]]
        assert sorted(names) == ["new", "shop", "steady"]
        assert pids(server, "steady") == workers
        assert server.app("steady")["generation"] == 0
        assert output(server, "reload") == "nothing is different\n"


def test_limits_change_in_place(tmp_path):
    """More workers come, surplus ones leave, and the one that is there stays."""
    site = Site(tmp_path)
    with serve(tmp_path, site, max_pool_size=4) as server:
        first = int(server.get("/pid").text)
        site.keys["min_instances"] = 3
        configure(tmp_path, site, max_pool_size=4)
        assert output(server, "reload") == "app probe: changed: min_instances\n"
        wait_until(lambda: len(server.workers("probe", "idle")) == 3, "three workers")
        assert first in pids(server, "probe")
        site.keys |= {"min_instances": 1, "max_instances": 1}
        configure(tmp_path, site, max_pool_size=4)
        output(server, "reload")
        wait_until(lambda: len(server.workers("probe")) == 1, "two to leave")
        assert server.app("probe")["generation"] == 0
        configure(tmp_path, site, max_pool_size=9)
        assert output(server, "reload") == "[server]: changed: max_pool_size\n"
        assert server.status()["pool"]["max_pool_size"] == 9


def test_another_root_is_a_new_release_of_the_same_app(tmp_path):
    """The old one serves until the new one is ready, and requests that wait stay."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    old = coloured(one, env={"COLOUR": "old"})
    new = coloured(two, env={"COLOUR": "new"})
    with serve(tmp_path, old) as server:
        assert colour(server) == "old"
        configure(tmp_path, new)
        assert output(server, "reload") == (
            "app shop: changed: root, env; restarting it for root, env\n"
        )
        wait_until(lambda: colour(server) == "new", "the new release")
        assert server.app("shop")["root"] == str(new.root)


def test_a_changed_app_that_does_not_start_goes_on_as_it_was(tmp_path):
    """Status says so; with the next reload all is well again."""
    shop = coloured(tmp_path, env={"COLOUR": "red"})
    with serve(tmp_path, shop) as server:
        assert colour(server) == "red"
        shop.keys |= {"entry": "nowhere:application", "env": {"COLOUR": "blue"}}
        configure(tmp_path, shop)
        output(server, "reload")
        wait_until(lambda: server.app("shop")["state"] == "degraded", "the failure")
        assert colour(server) == "red"
        assert "nowhere" in server.app("shop")["last_spawn_error"]
        del shop.keys["entry"]
        configure(tmp_path, shop)
        output(server, "reload")
        wait_until(lambda: colour(server) == "blue", "the good settings")
        wait_until(lambda: server.app("shop")["state"] == "ready", "the good state")


def test_an_app_can_be_moved_while_requests_are_under_way(tmp_path):
    """Those under way are finished; the next ones find it at its new place."""
    site = Site(tmp_path, base_uri="/here")
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        answer = client.submit(server.get, "/here/wait?gate=a")
        site.wait_for_notes("begun a")
        site.keys |= {"base_uri": "/there", "max_body": 10}
        configure(tmp_path, site)
        output(server, "reload")
        assert server.get("/here/").status == 404
        assert server.request("POST", "/there/echo", b"x" * 11).status == 413
        site.open_gate("a")
        assert answer.result().text == "a"
        assert server.get("/there/").text == "hello from probe"


def test_a_removed_app_finishes_what_it_has_begun(tmp_path):
    """Who waits for a worker is told that there is none; a new one may follow."""
    rock, site = steady(tmp_path), Site(tmp_path, max_instances=1)
    with serve(tmp_path, rock, site) as server, ThreadPoolExecutor(2) as clients:
        running = clients.submit(server.get, "/wait?gate=a")
        site.wait_for_notes("begun a")
        waiting = clients.submit(server.get, "/pid")
        wait_until(lambda: server.app("probe")["queue"] == 1, "one to wait")
        (worker,) = pids(server, "probe")
        configure(tmp_path, rock)
        assert output(server, "reload") == "app probe: removed\n"
        (left,) = server.status()["leaving"]
        found = (left["app"], left["pid"], left["state"])
        assert found == ("probe", worker, "draining")
        assert "\nworkers of removed apps: probe\n" in output(server, "status")
        assert waiting.result().status == 503
        assert server.get("/pid").status == 404
        configure(tmp_path, rock, site)
        assert output(server, "reload") == "app probe: added\n"
        assert server.get("/pid").text != str(worker)
        site.open_gate("a")
        assert running.result().text == "a"
        wait_until(lambda: not os.path.exists(f"/proc/{worker}"), "the old to leave")
        wait_until(lambda: not server.status()["leaving"], "that to be known")
        assert server.get("/").status == 200


# --- what can't be put into effect ----------------------------------------------


def test_an_invalid_file_changes_nothing_and_says_why(tmp_path):
    """All of it: command, log and status name every problem, until one is fine."""
    rock, shop = steady(tmp_path), coloured(tmp_path)
    server = serve(tmp_path, rock, shop)
    with server, Load(server, "/steady/echo"):
        assert colour(server) == "none"
        before = pids(server, "steady") | pids(server, "shop")
        shop.keys |= {"env": {"COLOUR": "red"}, "treads": 2, "umask": "9"}
        file = configure(tmp_path, rock, shop, coloured(tmp_path, "new"))
        told = complaint(server, "reload")
        assert told.startswith(f"nothing has changed: 2 problems in {file}:\n")
        problems = [
            '[[app]] "shop": umask: ',
            '[[app]] "shop": treads: there is no such key; did you mean "threads"?',
        ]
        for problem in problems:
            assert problem in told
            assert problem in server.log()
            assert problem in server.status()["last_reload_error"]
            assert problem in output(server, "status")
        assert (colour(server), server.get("/new/").status) == ("none", 404)

        server.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: server.log().count("reload: nothing has changed") == 2, "the signal"
        )
        assert pids(server, "steady") | pids(server, "shop") == before
        file.unlink()
        assert "can't be read" in complaint(server, "reload")
        os.mkfifo(file)
        assert "is no regular file" in complaint(server, "reload")
        file.unlink()
        shop.keys = {k: v for k, v in shop.keys.items() if k not in ("treads", "umask")}
        configure(tmp_path, rock, shop)
        assert output(server, "reload").startswith("app shop: changed: env;")
        assert server.status()["last_reload_error"] is None


def test_a_key_that_a_running_server_can_not_change_refuses_the_whole(tmp_path):
    """So that what runs is always what the file says, or has said before."""
    shop, plugin = coloured(tmp_path), tmp_path / "plugin.py"
    with serve(tmp_path, shop) as server:
        assert colour(server) == "none"
        shop.keys["env"] = {"COLOUR": "red"}
        configure(tmp_path, shop, plugin_files=[str(plugin)])
        assert complaint(server, "reload") == (
            "nothing has changed: [server]: plugin_files: can't be changed from [] to "
            f'["{plugin}"] while the server runs; restart the server, or write what '
            "it was"
        )
        assert colour(server) == "none"
        assert server.app("shop")["generation"] == 0


def test_settings_without_a_file_can_not_be_read_again(tmp_path):
    """The command says so; the signal restarts the apps, as ever."""
    site = Site(tmp_path)
    with RunningServer(str(site.root)) as server:
        before = server.get("/pid").text
        assert complaint(server, "reload") == (
            "nothing has changed: the settings come from the command line; there is "
            "no file to read"
        )
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.get("/pid").text != before, "new workers")
        assert server.app("probe")["generation"] == 1


# --- SIGHUP ---------------------------------------------------------------------


def test_hanging_up_reloads_and_restarts_all_apps_without_a_loss(tmp_path):
    """Those that have not changed as well, but not one that is new."""
    rock, shop = steady(tmp_path), coloured(tmp_path)
    server = serve(tmp_path, rock, shop)
    with server, Load(server, "/steady/echo"):
        assert colour(server) == "none"
        before = pids(server, "steady")
        shop.keys["env"] = {"COLOUR": "red"}
        new = coloured(tmp_path, "new", prestart=True)
        configure(tmp_path, rock, shop, new)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: colour(server) == "red", "the changed app")
        wait_until(
            lambda: len(now := pids(server, "steady")) == 2 and not now & before,
            "the workers of the app that has not changed",
        )
        assert server.get("/new/").status == 200
        generations = {
            app["name"]: app["generation"] for app in server.status()["apps"]
        }
        assert generations == {"steady": 1, "shop": 1, "new": 0}


def test_the_file_is_found_again_wherever_twistd_has_gone(tmp_path):
    """A relative path, and --rundir."""
    shop = coloured(tmp_path)
    configure(tmp_path, shop)
    server = RunningServer(
        "--config=passtwist.toml", before=["--rundir=/"], cwd=str(tmp_path)
    )
    with server:
        assert colour(server) == "none"
        shop.keys["env"] = {"COLOUR": "red"}
        configure(tmp_path, shop)
        assert output(server, "reload").startswith("app shop: changed: env")
        wait_until(lambda: colour(server) == "red", "the new settings")


# --- the server's own settings --------------------------------------------------


def test_the_access_log_goes_on_in_another_file(tmp_path):
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    site = Site(tmp_path)
    with serve(tmp_path, site, access_log=str(one)) as server:
        server.get("/?first")
        configure(tmp_path, site, access_log=str(two), access_log_format="json")
        assert output(server, "reload") == (
            "[server]: changed: access_log, access_log_format\n"
        )
        server.get("/?second")
        wait_until(lambda: "second" in two.read_text(), "the second line")
        assert "first" in one.read_text()
        assert "second" not in one.read_text()
        assert two.read_text().startswith("{")
        configure(tmp_path, site, access_log=str(tmp_path / "no" / "folder"))
        assert "access_log" in complaint(server, "reload")
        server.get("/?third")
        wait_until(lambda: "third" in two.read_text(), "the third line")


def test_how_it_stops_is_what_was_set_last(tmp_path):
    site = Site(tmp_path)
    server = serve(tmp_path, site, shutdown_timeout="1h")
    with server, server.connect() as client:
        client.sendall(b"GET /spin HTTP/1.1\r\nHost: x\r\n\r\n")
        site.wait_for_notes("spinning")
        configure(tmp_path, site, shutdown_timeout="100ms")
        assert output(server, "reload") == "[server]: changed: shutdown_timeout\n"
        assert server.stop() == CUT_OFF


def test_new_limits_hold_for_connections_that_come_later(tmp_path):
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, 30)
        kept.request("GET", "/")
        kept.getresponse().read()
        configure(tmp_path, site, requests_per_connection=1)
        output(server, "reload")
        kept.request("GET", "/")
        response = kept.getresponse()
        response.read()
        assert not response.will_close
        kept.close()
        assert server.get("/").headers["Connection"] == "close"


# --- listeners ------------------------------------------------------------------


def served_by_tac(folder, *flags, **options):
    """A server whose file is the only one to say where it listens.

    :param flags: of twistd.
    """
    tac = folder / "site.tac"
    tac.write_text(
        "from twisted.application.service import Application\n"
        "from passtwist.assembly import make_service\n"
        "application = Application('site')\n"
        "make_service('passtwist.toml').setServiceParent(application)\n"
    )
    return RunningServer(
        tac=str(tac), before=["--no_save", *flags], cwd=str(folder), **options
    )


HOME = "tcp:0:interface=127.0.0.1"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def connect_to(address):
    client = socket.socket(
        socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    )
    client.settimeout(30)
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def refuses(address):
    """Nobody listens there (any more)."""
    try:
        connect_to(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    return False


def ask_at(address, path="/"):
    """One request, on a connection that is kept, to which the socket belongs."""
    client = connect_to(address)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return client


def head_of(client):
    return client.recv(65536).partition(b"\r\n\r\n")[0].split(b"\r\n")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_listeners_come_and_go(tmp_path, kind):
    """Connections of one that goes end with their request; others don't notice."""
    site = Site(tmp_path, threads=4)
    folder = Path(tempfile.mkdtemp(prefix="ptw-"))  # short, for a socket's name
    if kind == "tcp":
        port = free_port()
        address, listener = ("127.0.0.1", port), f"tcp:{port}:interface=127.0.0.1"
    else:
        address = str(folder / "site.sock")
        listener = f"unix:{address}"
    configure(tmp_path, site, listen=[HOME])
    with served_by_tac(tmp_path) as server, Load(server, "/echo", clients=2):
        configure(tmp_path, site, listen=[HOME, listener])
        assert output(server, "reload") == f"listening on {listener}\n"
        idle, busy = ask_at(address), ask_at(address, "/wait?gate=a")
        assert head_of(idle)[0] == b"HTTP/1.1 200 OK"
        site.wait_for_notes("begun a")

        configure(tmp_path, site, listen=[HOME])
        assert output(server, "reload") == f"not listening on {listener} any more\n"
        assert idle.recv(65536) == b""
        idle.close()
        wait_until(lambda: refuses(address), "the listener to be closed")
        site.open_gate("a")
        head = head_of(busy)
        assert head[0] == b"HTTP/1.1 200 OK"
        assert b"Connection: close" in head
        assert busy.recv(65536) in (b"a", b"")
        busy.close()

        # And again, at the same place.
        configure(tmp_path, site, listen=[HOME, listener])
        output(server, "reload")
        again = ask_at(address)
        assert head_of(again)[0] == b"HTTP/1.1 200 OK"
        again.close()
    folder.rmdir()


@pytest.mark.root
def test_a_port_that_only_root_may_bind_can_not_be_added_later(tmp_path):
    """The remedy is a restart; until then all is as it was."""
    reserved = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    found = server_for_all()
    if found is None or reserved <= 81:
        pytest.skip("needs passtwist for all users, and ports that are root's")
    python, env = found
    folder = Path(tempfile.mkdtemp(prefix="ptw-"))
    site = site_of(OWNER, folder, "who")
    give(folder, OWNER)
    configure(folder, site, listen=[HOME])
    env = {**env, "PASSTWIST_RUNTIME_DIR": str(folder / "run")}
    server = served_by_tac(folder, f"--uid={OWNER}", python=python, env=env)
    server.runtime_dir = folder / "run"
    with server:
        assert server.get("/").status == 200
        configure(folder, site, listen=[HOME, "tcp:81:interface=127.0.0.1"])
        told = complaint(server, "reload")
        assert "Permission denied" in told
        assert "only a server that is started as root can bind it" in told
        assert server.get("/").status == 200
    shutil.rmtree(folder)


def test_a_listener_that_can_not_be_bound_changes_nothing(tmp_path):
    """Not even those that could; nor is anything else in the file put into effect."""
    shop = coloured(tmp_path)
    configure(tmp_path, shop, listen=[HOME])
    with socket.socket() as other, served_by_tac(tmp_path) as server:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        free = free_port()
        good = f"tcp:{free}:interface=127.0.0.1"
        assert colour(server) == "none"
        shop.keys["env"] = {"COLOUR": "red"}
        log = tmp_path / "access"
        configure(tmp_path, shop, listen=[HOME, good, taken], access_log=str(log))
        told = complaint(server, "reload")
        assert told.startswith(f"nothing has changed: can't listen on {taken}: ")
        assert "Address already in use" in told
        wait_until(lambda: refuses(("127.0.0.1", free)), "the good one to be closed")
        assert server.app("shop")["generation"] == 0
        assert colour(server) == "none"
        assert log.read_text() == ""


def test_a_listener_in_the_way_of_another_is_named(tmp_path):
    """The remedy is a reload without it, first."""
    site = Site(tmp_path)
    port = free_port()
    narrow, wide = f"tcp:{port}:interface=127.0.0.1", f"tcp:{port}"
    configure(tmp_path, site, listen=[HOME, narrow])
    with served_by_tac(tmp_path) as server:
        configure(tmp_path, site, listen=[HOME, wide])
        assert f"if it is {narrow} that is in its way" in complaint(server, "reload")
        configure(tmp_path, site, listen=[HOME])
        output(server, "reload")
        open_to_all = f"unix:{tmp_path}/front"
        configure(tmp_path, site, listen=[HOME, open_to_all])
        output(server, "reload")
        configure(tmp_path, site, listen=[HOME, f"{open_to_all}:mode=600"])
        assert f"if it is {open_to_all} that is in" in complaint(server, "reload")
        configure(tmp_path, site, listen=[HOME, "tcp:nonsense"])
        assert "not an endpoint" in complaint(server, "reload")
        assert ask(server, "ready")[0] == 200
        assert server.get("/").status == 200
