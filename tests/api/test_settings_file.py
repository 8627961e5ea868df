"""A settings file: read as a whole, wrong as a whole."""

from __future__ import annotations

import os
import pwd

import attrs
import pytest

from passtwist.api.settings import AppSettings, ServerSettings, load_file
from passtwist.api.settings_declare import setting
from passtwist.api.settings_kinds import Text
from passtwist.api.settings_rules import warnings
from passtwist.errors import SettingsError

APP = '[[app]]\nroot = "site"\n'


def test_an_app_needs_only_a_root(load, tmp_path):
    """Everything else has a default; name and paths are filled in."""
    settings = load(APP)
    assert settings.server == ServerSettings(
        runtime_dir="/run/passtwist"
        if os.geteuid() == 0
        else "/users/ann/.local/state/passtwist"
    )
    assert settings.apps == (
        AppSettings(name="site", root=str(tmp_path / "site"), environment="production"),
    )
    assert settings.source == str(tmp_path / "passtwist.toml")
    assert settings.warnings() == ()


def test_a_full_file(load, tmp_path):
    """Units become seconds and bytes, tables pairs, hosts lower case."""
    settings = load(
        """
        [server]
        listen = ["unix:/run/x.sock", "tcp:80"]
        pool_idle_time = "5m"
        max_request_line = "16KiB"
        environment = "development"
        runtime_dir = "run"
        access_log = "logs/access.log"
        trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "unix"]
        [defaults]
        threads = 4
        max_body = "1GiB"
        [[app]]
        name = "shop"
        root = "/srv/shop"
        hosts = ["Shop.Example.org", "*.shop.example.org"]
        base_uri = "/shop/"
        threads = 2
        env = { B = "2", A = "1" }
        umask = "027"
        [[app]]
        root = "blog"
        environment = "production"
        """
    )
    assert attrs.asdict(settings.server) == attrs.asdict(ServerSettings()) | {
        "listen": ("unix:/run/x.sock", "tcp:80"),
        "pool_idle_time": 300.0,
        "max_request_line": 16384,
        "environment": "development",
        "runtime_dir": str(tmp_path / "run"),
        "access_log": str(tmp_path / "logs/access.log"),
        "trusted_proxies": ("127.0.0.1/32", "10.0.0.0/8", "unix"),
    }
    assert settings.apps == (
        AppSettings(
            name="shop",
            root="/srv/shop",
            hosts=("shop.example.org", "*.shop.example.org"),
            base_uri="/shop",
            threads=2,
            max_body=1024**3,
            env=(("A", "1"), ("B", "2")),
            umask=0o027,
            environment="development",
        ),
        AppSettings(
            name="blog",
            root=str(tmp_path / "blog"),
            threads=4,
            max_body=1024**3,
            environment="production",
        ),
    )


def test_each_part_of_a_list_or_table_is_looked_at(problems):
    """And told by itself."""
    assert problems(
        """
        [server]
        trusted_proxies = ["10.0.0.0/33", "unix", "uinx"]
        [defaults]
        sendfile = ["/", "files/../.."]
        [[app]]
        root = "site"
        static = { "static" = "a", "/b/" = "../b", "/c/" = 3, "/d/" = "d" }
        """
    ) == [
        (
            '[server]: trusted_proxies: "10.0.0.0/33" is no network; write one as '
            '"10.0.0.0/8"'
        ),
        '[server]: trusted_proxies: "uinx" is no network; write one as "10.0.0.0/8"',
        (
            '[defaults]: sendfile: "/" would make the app\'s code and settings public; '
            "name a folder in it that holds nothing else than what is to be sent"
        ),
        '[defaults]: sendfile: "files/../.." holds ".."; write the path without it',
        (
            '[[app]] number 1: static: "static" is no mount point; write "/" or a path '
            'such as "/shop", without escapes, query, empty or dot segments'
        ),
        '[[app]] number 1: static: /b/: "../b" holds ".."; write the path without it',
        "[[app]] number 1: static: /c/: 3 is no text; write it in quotes",
    ]


def test_all_problems_come_at_once(problems):
    """Each with its key, what is wrong and what would be right."""
    assert problems(
        """
        [server]
        max_pool_sise = 4
        listen = ["8080", "tcp:80"]
        pool_idle_time = "soon"
        keep_alive = true
        [sever]
        [defaults]
        threads = 999
        root = "x"
        treads = 1
        [[app]]
        root = "site"
        min_instances = -1
        memory_limit = "5MB"
        [[app]]
        name = "shop"
        base_uri = "shop"
        hosts = ["http://shop.example.org"]
        """,
        environ={"PASSTWIST_PROXY_HOPS": "some"},
    ) == [
        '[sever]: there is no such section; did you mean "server"?',
        (
            'PASSTWIST_PROXY_HOPS: "some" is no whole number; write a whole number '
            "from 1 to 100"
        ),
        '[server]: listen: "8080" is no endpoint; write "tcp:8080"',
        (
            '[server]: pool_idle_time: "soon" is no duration; write "30s", "5m", "1h" '
            "or a number of seconds"
        ),
        (
            '[server]: keep_alive: true is no duration; write "30s", "5m", "1h" or a '
            "number of seconds"
        ),
        '[server]: max_pool_sise: there is no such key; did you mean "max_pool_size"?',
        "[defaults]: threads: 999 is too large; write a whole number from 1 to 128",
        "[defaults]: root: can't be the same for all apps; set it under [[app]]",
        '[defaults]: treads: there is no such key; did you mean "threads"?',
        (
            "[[app]] number 1: min_instances: -1 is too small; write a whole number "
            "from 0 to 10000"
        ),
        (
            '[[app]] number 1: memory_limit: "5MB" is no size; write "128KiB", '
            '"100MiB", "1GiB" or a number of bytes'
        ),
        (
            '[[app]] "shop": hosts: "http://shop.example.org" is no host name; write '
            'it without scheme, port and path: "shop.example.org" or "*.example.org" '
            '(IDNs as "xn--...")'
        ),
        (
            '[[app]] "shop": base_uri: "shop" is no mount point; write "/" or a path '
            'such as "/shop", without escapes, query, empty or dot segments'
        ),
        '[[app]] "shop": root: is missing; write the path of its folder',
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("max_instances = 2\nmin_instances = 3", "min_instances: 3 is more than "),
        ('memory_limit = "2MiB"\nhard_memory_limit = "1MiB"', "memory_limit: is more "),
        ('user = "nobody-at-all"', 'user: "nobody-at-all" is n'),
        ('group = "nobody-at-all"', 'group: "nobody-at-all" is n'),
        ('spawn_method = "../x"', "spawn_method: \"../x\" can't be a plugin's name"),
        ('env = { "A=B" = "1" }', 'env: "A=B" can\'t be the name of an environment'),
        ("env = { A = 1 }", "env: A: 1 is no text; write it in quotes"),
        ("env = 1", "env: 1 is no table"),
        ("limits = { file = 1 }", 'limits: "file" is no resource limit; known are as,'),
        ('umask = "88"', 'umask: "88" is no umask; write octal digits in quotes'),
        ("umask = 22", "umask: 22 is no umask"),
        ('fork_allow = ["sentry"]', 'fork_allow: "sentry" names no finding'),
        ('warmup = ["login"]', 'warmup: "login" is no path; write it as "/login/"'),
        ('restart_dir = "../x"', 'restart_dir: "../x" holds ".."; write the path'),
        ('freeze = "hard"', 'freeze: "hard" is not known here; write "gc" or "off" or'),
        ("prestart = 1", "prestart: 1 is no switch; write true or false"),
        ('hosts = "a.example"', 'hosts: "a.example" is no list; write ["...", "..."]'),
        ('base_uri = "/a/../b"', 'base_uri: "/a/../b" is no mount point'),
        ('base_uri = "/a//b"', 'base_uri: "/a//b" is no mount point'),
        ('base_uri = "/%41"', 'base_uri: "/%41" is no mount point'),
        ('entry = "a\\u0000b"', 'entry: "a\\u0000b" holds a control character'),
        ("threads = true", "threads: true is no whole number"),
        ("start_timeout = 0", 'start_timeout: 0 is too short; write at least "0.1s"'),
    ],
)
def test_one_wrong_key_of_an_app(problems, lines, problem):
    """The message begins with the app's table and names the key."""
    [found] = problems(APP + 'name = "shop"\n' + lines)
    assert found.startswith(f'[[app]] "shop": {problem}')


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("listen = []", "listen: the list is empty; write at least one"),
        ('listen = ["127.0.0.1:80"]', 'write "tcp:80:interface=127.0.0.1"'),
        ('listen = ["/run/x"]', 'write "unix:/run/x"'),
        ('trusted_proxies = ["10.1.2.3/8"]', 'write one as "10.0.0.0/8"'),
        ('trusted_proxies = ["me"]', '"me" is no network'),
        ('environment = "staging"', 'write "production" or "development"'),
        ('access_log_format = "clf"', 'write "combined" or "json"'),
        ('max_header_field = "1MiB"', "max_header_field: is larger than max_header_by"),
        (f'runtime_dir = "/{"x" * 90}"', "is too long for the sockets in it; use a pa"),
    ],
)
def test_one_wrong_key_of_the_server(problems, line, problem):
    """The message says what would be right."""
    [found] = problems(f"[server]\n{line}\n{APP}")
    assert found.startswith("[server]: ")
    assert problem in found


def test_apps_that_could_not_be_told_apart(problems, tmp_path):
    """One name, or one host and mount point, for two apps is an error."""
    assert problems(
        """
        [[app]]
        root = "a/site"
        [[app]]
        root = "b/site"
        [[app]]
        root = "blog"
        [[app]]
        root = "shop"
        base_uri = "/shop"
        hosts = ["a.example", "b.example"]
        [[app]]
        root = "other"
        base_uri = "/shop/"
        hosts = ["b.example"]
        """
    ) == [
        (
            f'[[app]] "site": name: both "{tmp_path}/a/site" and "{tmp_path}/b/site" '
            "have this name; give each app its own"
        ),
        (
            '[[app]] "blog": base_uri: "/" on any host is already that of app '
            "'site'; change base_uri or hosts"
        ),
        (
            '[[app]] "other": base_uri: "/shop" on host b.example is already that of '
            "app 'shop'; change base_uri or hosts"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'there is no app; write a line [[app]] and below it a line root = "/path'),
        ("[app]\nroot = 1", "[app]: is no list of tables; write [[app]] for each app"),
        ("server = 1\n" + APP, "[server]: is no table; write a line [server]"),
        ("[server", "the file is no TOML: "),
    ],
)
def test_sections_of_a_wrong_shape(problems, text, problem):
    """What is not even a table is said in so many words."""
    [found] = problems(text)
    assert found.startswith(problem)


def test_a_file_that_is_not_there(tmp_path):
    """It is an error of the settings like any other."""
    with pytest.raises(SettingsError) as caught:
        load_file(str(tmp_path / "none.toml"), environ={})
    assert str(caught.value) == (
        f"1 problem in {tmp_path}/none.toml:\n"
        "  the file can't be read: No such file or directory"
    )


def test_the_running_user_may_be_named(load):
    """Naming the user we run as changes nothing and is no error."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    settings = load(APP + f'user = "{user}"')
    assert (settings.apps[0].user, settings.warnings()) == (user, ())


def test_a_root_that_does_not_exist_keeps_nobody_from_serving(load):
    """It is that app's problem, found when it is looked into."""
    settings = load(APP + '[[app]]\nroot = "/no/such/folder"\nbase_uri = "/b"')
    assert [app.name for app in settings.apps] == ["site", "folder"]


@attrs.frozen(kw_only=True)
class LaterSettings(AppSettings):
    """Those of a version whose documentation is ahead of its code."""

    colour: str = setting(Text(), "red", "of what is to come", effective=False)


def test_keys_of_later_versions_are_accepted_with_a_warning():
    """They are validated, and said to have no effect."""
    apps = (
        LaterSettings(name="one", root="/one", colour="blue"),
        LaterSettings(name="two", root="/two"),
    )
    assert warnings(ServerSettings(), apps) == (
        '[[app]] "one": colour: accepted, but has no effect in this version',
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('static = { "/" = "files" }', 'static: "/" would leave nothing to the app'),
        ('static = { "/s" = "" }', "static: /s: it is empty; write something"),
        ('static = { "/s" = "a", "/s/" = "b" }', "static: /s is there twice"),
        ('static = { "/s" = "../x" }', 'static: /s: "../x" holds ".."'),
        ('static = { "/s" = "./" }', 'static: /s: "./" would make the app\'s code'),
        ('static = { "/s" = "/srv" }', 'static: "/srv" holds the app\'s code'),
        ('public = "/srv/site"', 'public: "/srv/site" holds the app\'s code'),
        ('sendfile = ["media", "/"]', 'sendfile: "/" would make the app\'s code'),
        ('accel = { "/p" = "." }', 'accel: /p: "." would make the app\'s code'),
    ],
)
def test_a_folder_for_clients_holds_nothing_else(load, line, problem):
    """Else the app's settings would be a file that anybody may ask for."""
    with pytest.raises(SettingsError) as caught:
        load('[[app]]\nroot = "/srv/site"\n' + line)
    assert f": {problem}" in str(caught.value)


def test_folders_from_which_nothing_can_be_sent_are_warned_of(load, tmp_path):
    """It is no error: they may be made while the server runs."""
    root = tmp_path / "shop"
    for folder in ("media", "www"):
        (root / folder).mkdir(parents=True)
    (root / "public").symlink_to("www")
    (root / "link").symlink_to("media")
    table = f'[[app]]\nroot = "{root}"\nsendfile = ["link/sub"]\n'
    settings = load(table + 'static = { "/a" = "media/none", "/b" = "media" }')
    app, linked = '[[app]] "shop": ', "is a symbolic link, and no file is sent through"
    found = "".join(f"{one}\n" for one in settings.warnings())
    assert found == (
        f'{app}static: "{root}/media/none" is no folder, so nothing is sent from '
        "there; make it (for Django: manage.py collectstatic)\n"
        f'{app}public: "{root}/public" {linked} one; name the folder that it leads to\n'
        f'{app}sendfile: "{root}/link" {linked} one; name the folder that it leads to\n'
    )


def test_minima_that_the_pool_can_not_hold_are_warned_of(load):
    """It is no error: the minima are kept as long as there is room."""
    settings = load("[server]\nmax_pool_size = 2\n" + APP + "min_instances = 3")
    assert settings.warnings() == (
        (
            "[server]: max_pool_size: the apps' min_instances add up to 3, more than "
            "the 2 workers of the pool; not all can be kept"
        ),
    )
