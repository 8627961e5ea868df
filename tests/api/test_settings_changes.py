"""What differs between two settings, and what has to happen for it."""

from __future__ import annotations

import pytest

from passtwist.api.settings_app import AppSettings
from passtwist.api.settings_changes import Changes, compare
from passtwist.api.settings_declare import declarations

BOTH = """
[server]
listen = ["tcp:8080"]
runtime_dir = "/run/one"

[[app]]
name = "shop"
root = "/srv/shop"

[[app]]
name = "blog"
root = "/srv/blog"
base_uri = "/blog"
"""

RUNTIME = 'runtime_dir = "/run/one"'


@pytest.fixture
def changes(load):
    """What differs when one text in the file takes the place of another."""

    def changes(old: str = "", new: str = "") -> Changes:
        assert old in BOTH
        return compare(load(BOTH), load(BOTH.replace(old, new, 1)))

    return changes


def test_the_same_file_changes_nothing(changes):
    """Nor does another order of its apps."""
    assert not changes()
    assert changes() == Changes()
    assert changes().sentences() == ()


def test_the_order_of_apps_is_no_change(load):
    head, shop, blog = BOTH.split("[[app]]")
    assert not compare(load(BOTH), load(f"{head}[[app]]{blog}[[app]]{shop}"))


# What stands after [[app]] "shop", and what follows for it: the keys that
# differ, and those for which its processes are replaced.
APP_CHANGES = [
    ('hosts = ["shop.example.org"]', ("hosts",), ()),
    ("min_instances = 3", ("min_instances",), ()),
    ("max_instances = 3", ("max_instances",), ()),
    ("prestart = true", ("prestart",), ()),
    ("spawn_concurrency = 2", ("spawn_concurrency",), ()),
    ("spare_workers = 2", ("spare_workers",), ()),
    ("max_queue_size = 7", ("max_queue_size",), ()),
    ('max_queue_time = "7s"', ("max_queue_time",), ()),
    ('max_body = "1MiB"', ("max_body",), ()),
    ("max_requests = 10", ("max_requests",), ()),
    ('max_request_time = "10s"', ("max_request_time",), ()),
    ('memory_limit = "1GiB"', ("memory_limit",), ()),
    ('hard_memory_limit = "1GiB"', ("hard_memory_limit",), ()),
    ('restart_dir = "run"', ("restart_dir",), ()),
    ("restart_parallelism = 3", ("restart_parallelism",), ()),
    ('drain_time = "3s"', ("drain_time",), ()),
    ("buffer_requests = false", ("buffer_requests",), ()),
    ('static = { "/s/" = "s" }', ("static",), ()),
    ('public = "www"', ("public",), ()),
    ('static_max_age = "1h"', ("static_max_age",), ()),
    ('sendfile = ["media"]', ("sendfile",), ()),
    ('accel = { "/p/" = "media" }', ("accel",), ()),
    ('health_check = "/healthz"', ("health_check",), ()),
    ('base_uri = "/shop"', ("base_uri",), ("base_uri",)),
    ('framework = "flask"', ("framework",), ("framework",)),
    ('entry = "shop.wsgi:app"', ("entry",), ("entry",)),
    ('python = "python3.12"', ("python",), ("python",)),
    ('spawn_method = "smart"', ("spawn_method",), ("spawn_method",)),
    ('fork_allow = ["thread:x"]', ("fork_allow",), ("fork_allow",)),
    ("threads = 4", ("threads",), ("threads",)),
    ('spawner_max_age = "1h"', ("spawner_max_age",), ("spawner_max_age",)),
    ('warmup = ["/"]', ("warmup",), ("warmup",)),
    ('freeze = "off"', ("freeze",), ("freeze",)),
    ('env = { DEBUG = "1" }', ("env",), ("env",)),
    ('environment = "development"', ("environment",), ("environment",)),
    ('umask = "077"', ("umask",), ("umask",)),
    ("limits = { nofile = 100 }", ("limits",), ("limits",)),
    ("no_new_privileges = false", ("no_new_privileges",), ("no_new_privileges",)),
    ('start_timeout = "5s"', ("start_timeout",), ("start_timeout",)),
    ('log_file = "log"', ("log_file",), ("log_file",)),
    ("threads = 4\nmin_instances = 3", ("min_instances", "threads"), ("threads",)),
]


def test_it_was_decided_for_every_key_of_an_app():
    """Whoever adds one has to say whether its processes must be replaced for it."""
    elsewhere = {"name", "root", "hosts", "user", "group"}
    keys = {key for _, keys, _ in APP_CHANGES for key in keys}
    assert keys | elsewhere == {one.key for one in declarations(AppSettings)}


@pytest.mark.parametrize(("line", "keys", "renewing"), APP_CHANGES)
def test_a_changed_app_is_told_with_its_keys(changes, line, keys, renewing):
    """Limits change in place; for what processes see they are replaced."""
    found = changes('root = "/srv/shop"\n', f'root = "/srv/shop"\n{line}\n')
    (change,) = found.changed
    assert (change.app.name, change.keys, change.renewing) == ("shop", keys, renewing)
    assert (found.server, found.added, found.removed) == ((), (), ())


def test_an_app_with_another_root_is_the_same_app(changes):
    """It is a new release of it, in another folder."""
    found = changes('"/srv/shop"', '"/srv/shop2"')
    (change,) = found.changed
    assert (change.app.root, change.renewing) == ("/srv/shop2", ("root",))
    assert found.sentences() == ("app shop: changed: root; restarting it for root",)


def test_an_app_with_another_name_is_another_app(changes):
    """Though its folder is the same."""
    found = changes('"shop"', '"store"')
    assert ([app.name for app in found.added], found.removed) == (["store"], ("shop",))
    assert found.sentences() == ("app shop: removed", "app store: added")


def test_the_environment_of_the_server_is_that_of_its_apps(changes):
    """So its change is theirs, too; their own would hold."""
    found = changes("[server]", '[server]\nenvironment = "development"')
    assert found.server == ("environment",)
    assert [one.renewing for one in found.changed] == [("environment",)] * 2


def test_listeners_are_told_one_by_one(changes):
    found = changes('["tcp:8080"]', '["unix:/run/site.sock", "tcp:9090"]')
    assert found.listen_added == ("unix:/run/site.sock", "tcp:9090")
    assert found.listen_removed == ("tcp:8080",)
    assert found.sentences() == (
        "listening on unix:/run/site.sock",
        "listening on tcp:9090",
        "not listening on tcp:8080 any more",
    )


@pytest.mark.parametrize(
    ("line", "key", "was", "wanted"),
    [
        ('runtime_dir = "/run/two"', "runtime_dir", '"/run/one"', '"/run/two"'),
        ('default_user = "daemon"', "default_user", '"nobody"', '"daemon"'),
        ('plugin_files = ["/p.py"]', "plugin_files", "[]", '["/p.py"]'),
    ],
)
def test_what_a_running_server_can_not_change_is_told_with_the_remedy(
    changes, line, key, was, wanted
):
    found = changes(RUNTIME, line if key == "runtime_dir" else f"{RUNTIME}\n{line}")
    sentence = (
        f"[server]: {key}: can't be changed from {was} to {wanted} while the server "
        "runs; restart the server, or write what it was"
    )
    assert found.fixed == (sentence,)


@pytest.mark.parametrize(
    "line",
    [
        "max_pool_size = 9",
        'pool_idle_time = "9s"',
        'spawner_idle_time = "9s"',
        'access_log = "off"',
        'access_log_format = "json"',
        'trusted_proxies = ["10.0.0.0/8"]',
        "proxy_hops = 2",
        'drain_delay = "9s"',
        'shutdown_timeout = "9s"',
        'keep_alive = "9s"',
        'max_header_bytes = "32KiB"',
    ],
)
def test_other_keys_of_the_server_change_in_place(changes, line):
    found = changes("[server]", f"[server]\n{line}")
    key = line.partition(" ")[0]
    assert (found.server, found.fixed, found.changed) == ((key,), (), ())
    assert found.sentences() == (f"[server]: changed: {key}",)


def test_values_of_apps_are_not_told(changes):
    """There are secrets among them."""
    found = changes('root = "/srv/shop"\n', 'root = "/srv/shop"\nenv = { K = "s3" }\n')
    assert "s3" not in "".join(found.sentences())
