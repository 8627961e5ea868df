"""Where settings come from besides a file: folders, flags and the environment."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import redirect_stdout

import attrs
import pytest
from twisted.python import usage

from passtwist.api.flags import TwistedFlags, flags, settings_from_flags
from passtwist.api.paths import admin_socket, default_runtime_dir
from passtwist.api.settings import for_folders, settings_from_options
from passtwist.api.settings_app import MAX_THREADS, AppSettings
from passtwist.api.settings_declare import declarations, in_effect, setting
from passtwist.api.settings_kinds import Text
from passtwist.api.settings_server import ServerSettings
from passtwist.errors import SettingsError
from passtwist.wire.scoreboard import SLOTS


class Options(TwistedFlags, usage.Options):
    """As the controller's."""


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def test_one_folder_is_served_at_the_root(tmp_path):
    """App keys among the overrides apply to it, server keys to the server."""
    settings = for_folders(
        [str(tmp_path)], {"threads": 3, "max_pool_size": 2}, environ={}
    )
    assert settings.server.max_pool_size == 2
    assert settings.apps == (
        AppSettings(
            name=tmp_path.name,
            root=str(tmp_path),
            threads=3,
            environment="production",
        ),
    )
    assert settings.source == "the command line"


def test_several_folders_are_served_at_their_names():
    """Characters that a name can't have become dashes."""
    settings = for_folders(["/srv/shop", "/srv/my  big blog/", "/"], environ={})
    assert [(app.name, app.base_uri, app.root) for app in settings.apps] == [
        ("shop", "/shop", "/srv/shop"),
        ("my-big-blog", "/my-big-blog", "/srv/my  big blog"),
        ("app", "/app", "/"),
    ]


def test_folders_of_one_name_need_a_file():
    """Two apps of one name could not be told apart."""
    with pytest.raises(SettingsError, match="give each app its own"):
        for_folders(["/srv/a/site", "/srv/b/site"], environ={})


def test_flags_go_before_variables_and_those_before_the_file(load):
    """Each source overrides the one behind it."""
    text = '[server]\nmax_pool_size = 2\nproxy_hops = 2\n[[app]]\nroot = "x"'
    environ = {"PASSTWIST_MAX_POOL_SIZE": "3", "PASSTWIST_KEEP_ALIVE": "2m"}
    environ["PASSTWIST_LISTEN"] = "tcp:1 unix:/x"
    server = load(text, overrides={"max_pool_size": 4}, environ=environ).server
    assert (server.max_pool_size, server.keep_alive, server.proxy_hops) == (4, 120.0, 2)
    assert server.listen == ("tcp:1", "unix:/x")


def test_paths_start_where_they_were_written(load, tmp_path, monkeypatch):
    """In the file at its folder; in a variable or flag where one stands."""
    text = '[server]\nruntime_dir = "r"\nplugin_files = ["p.py"]\n[[app]]\nroot = "x"'
    # Not in tmp_path, whose name may be too long for the sockets.
    with tempfile.TemporaryDirectory(prefix="ptw-") as elsewhere:
        monkeypatch.chdir(elsewhere)
        server = load(text, environ={"PASSTWIST_RUNTIME_DIR": "r"}).server
        monkeypatch.undo()
    assert server.runtime_dir == f"{elsewhere}/r"
    assert server.plugin_files == (str(tmp_path / "p.py"),)


@pytest.mark.parametrize(
    ("environ", "uid", "folder"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, 0, "/run/passtwist"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/passtwist"),
        ({"XDG_RUNTIME_DIR": "x", "HOME": "/h"}, 7, "/h/.local/state/passtwist"),
        ({"HOME": "/h"}, 7, "/h/.local/state/passtwist"),
    ],
)
def test_the_default_runtime_directory(environ, uid, folder):
    """Of the system for root, else of the user; never below /tmp."""
    assert default_runtime_dir(environ, uid) == folder
    assert admin_socket(folder) == f"{folder}/admin.sock"


def test_a_worker_has_a_scoreboard_slot_for_each_thread():
    """The bound of `threads` is written twice, as layers keep them apart."""
    assert MAX_THREADS == SLOTS


def test_every_server_key_is_a_flag_and_no_two_flags_are_one():
    """A flag belongs to one key, and short letters are not used twice."""
    of_server = {flag.declaration for flag in flags()} & set(
        declarations(ServerSettings)
    )
    assert of_server == set(declarations(ServerSettings))
    names = [flag.name for flag in flags()] + [f.short for f in flags() if f.short]
    assert sorted(names) == sorted(set(names))
    assert not {"config", "c", "list-plugins", "help", "version"} & set(names)


def test_twistd_and_the_command_read_flags_alike(tmp_path):
    """Repeated flags make lists; others keep their last value."""
    options = parsed(
        *("-l", "tcp:1", "--listen=tcp:2", "-s", "smart", "--threads", "2"),
        *("--plugin-file", "a.py", "--plugin-file", "b.py", "--threads=3"),
        str(tmp_path),
    )
    settings = options.settings()
    assert settings.server.listen == ("tcp:1", "tcp:2")
    assert settings.server.plugin_files == tuple(map(os.path.abspath, ("a.py", "b.py")))
    [app] = settings.apps
    assert (app.spawn_method, app.threads, app.root) == ("smart", 3, str(tmp_path))
    values = {"listen": ("tcp:1", "tcp:2"), "spawn-method": "smart", "threads": "3"}
    values["plugin-file"] = ("a.py", "b.py")
    assert settings_from_flags(values, [str(tmp_path)]) == settings


def test_options_of_one_command_line_are_not_those_of_the_next():
    """Nothing is kept between two instances."""
    assert parsed("-l", "tcp:1")["listen"] == ["tcp:1"]
    assert "listen" not in parsed("x")


def test_twistd_explains_each_flag():
    """`--help` of twistd knows them all."""
    with redirect_stdout(io.StringIO()):
        text = str(Options())
    assert [flag.name for flag in flags() if f"--{flag.name}" not in text] == []
    assert "--list-plugins" in text


def test_wrong_flags_come_at_once_by_their_names(load, tmp_path):
    """Together with what else is wrong on the command line."""
    load('[[app]]\nroot = "x"')
    file = str(tmp_path / "passtwist.toml")
    values = {"threads": "many", "listen": ["80"], "entry": "a:b", "config": file}
    with pytest.raises(SettingsError) as caught:
        settings_from_flags(values, ["folder"], environ={})
    assert caught.value.problems == [
        '--threads: "many" is no whole number; write a whole number from 1 to 128',
        '--listen: "80" is no endpoint; write "tcp:80"',
        (
            f"{file} and folders are given together; name the folders in the file as "
            "[[app]] or leave out the file"
        ),
        (
            "--entry: applies to folders on the command line only; set entry in "
            f"{file}, under [[app]] or [defaults]"
        ),
    ]


def test_without_file_and_folders_the_working_directory_is_served(
    tmp_path, monkeypatch
):
    """By its passtwist.toml if there is one, else as an app."""
    monkeypatch.chdir(tmp_path)
    settings = settings_from_options(None, [], {}, environ={})
    assert [app.root for app in settings.apps] == [str(tmp_path)]
    (tmp_path / "passtwist.toml").write_text('[[app]]\nroot = "inner"')
    settings = settings_from_options(None, [], {}, environ={})
    assert [app.root for app in settings.apps] == [str(tmp_path / "inner")]


def test_a_key_without_effect_keeps_its_default():
    """What a warning says has no effect has none."""

    @attrs.frozen(kw_only=True)
    class LaterSettings(AppSettings):
        colour: str = setting(Text(), "red", "of what is to come", effective=False)

    app = LaterSettings(colour="blue", threads=5)
    assert in_effect(app, "colour") == "red"
    assert in_effect(app, "threads") == 5
    with pytest.raises(KeyError):
        in_effect(app, "nothing")


def test_a_file_is_read_again_with_the_flags_that_it_was_read_with(
    tmp_path, monkeypatch
):
    """Relative paths start where they did, wherever the process has gone."""
    file = tmp_path / "site.toml"
    file.write_text('[server]\nmax_pool_size = 3\n[[app]]\nroot = "x"')
    with tempfile.TemporaryDirectory(prefix="ptw-") as elsewhere:
        monkeypatch.chdir(tmp_path)
        options = parsed(
            *("-c", "site.toml", "--access-log", "log", "--proxy-hops=2"),
            f"--runtime-dir={elsewhere}",
        )
        first = options.settings()
        read = options.reader(first)
        monkeypatch.chdir(elsewhere)
        assert read() == attrs.evolve(first, source=str(file))
        file.write_text('[server]\nmax_pool_size = 4\n[[app]]\nroot = "x"')
        again = read()
        monkeypatch.undo()
    assert first.server.access_log == str(tmp_path / "log")
    assert again.server == attrs.evolve(first.server, max_pool_size=4)


def test_settings_without_a_file_can_not_be_read_again(tmp_path):
    options = parsed(str(tmp_path))
    assert options.reader(options.settings()) is None
