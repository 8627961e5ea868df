"""The plugins of this repository, installed as anybody would install them.

They have no more rights than those that others write.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
from pathlib import Path

import pytest

from passtwist.testing.interpreters import oldest_interpreter
from passtwist.testing.server import TWISTD, RunningServer
from tests.conformance.environments import Environment, run

PLUGINS = Path(__file__).parents[2] / "plugins"
NAMES = ("passtwist-bottle", "passtwist-exec", "passtwist-sticky")

GUESTBOOK = """
from bottle import request, route, run, template


@route("/")
def index():
    return template("Hello {{who}}", who=request.query.who or "stranger")


run()
"""

WHO_AM_I = """
import sys
from bottle import Bottle

app = Bottle()


@app.route("/")
def index():
    ours = [name for name in sys.modules if name.startswith("passtwist_bottle")]
    return {"python": list(sys.version_info[:2]), "ours": ours}
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A copy of the plugins, so that building leaves nothing in the tree."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in NAMES:
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        shutil.copytree(PLUGINS / name, folder / name, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def environment(sources, tmp_path_factory) -> Environment:
    """A virtual environment with all of them."""
    environment = Environment.make(tmp_path_factory.mktemp("with_plugins"))
    environment.install(*(sources / name for name in NAMES))
    return environment


@pytest.fixture
def guestbook(tmp_path) -> Path:
    """A Bottle app as its tutorial writes them, with a template."""
    folder = tmp_path / "guestbook"
    folder.mkdir()
    (folder / "main.py").write_text(GUESTBOOK)
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_plugin_passes_its_own_tests_where_it_is_installed(
    environment, sources, name
):
    """Its unit tests, and the conformance suite of what it provides."""
    shown = environment.run("-m", "pytest", "-q", "-rA", cwd=sources / name)
    summary = shown.strip().splitlines()[-1]
    assert "passed" in summary, shown
    assert not any(word in summary for word in ("failed", "error", "skipped")), shown


def test_list_plugins_names_them_with_distribution_and_version(environment):
    """`twistd passtwist --list-plugins`."""
    shown = environment.run(*TWISTD, "passtwist", "--list-plugins")
    rows = [tuple(re.split(r"  +", line)[:3]) for line in shown.splitlines()]
    assert ("framework", "bottle", "passtwist-bottle 0.1.0") in rows
    assert ("spawn method", "exec", "passtwist-exec 0.1.0") in rows
    assert ("pool policy", "sticky", "passtwist-sticky 0.1.0") in rows


def test_a_blocked_plugin_is_not_there(environment):
    """As if it were not installed; the others are."""
    code = (
        "import os; os.environ['PASSTWIST_BLOCK_PLUGINS'] = 'exec'\n"
        "from passtwist.api.registry import Registry\n"
        "names = Registry.load().spawn_method_names\n"
        "print('exec' in names, 'smart' in names)"
    )
    assert environment.run("-c", code) == "False True\n"


@pytest.mark.parametrize(
    ("method", "in_effect", "spawners"),
    [("smart", "smart", ["app", "framework"]), ("exec", "exec", [])],
)
def test_a_bottle_app_is_served(environment, guestbook, method, in_effect, spawners):
    """By a built-in spawn method and by an installed one."""
    arguments = [f"--spawn-method={method}", str(guestbook)]
    with RunningServer(*arguments, python=environment.python) as server:
        answers = [server.get(path).text for path in ("/", "/?who=World")]
        status = server.status()
    (app,) = status["apps"]
    assert answers == ["Hello stranger", "Hello World"]
    assert (app["framework"], app["spawn_method"]) == ("bottle", in_effect)
    assert app["spawn_method_reason"] == ""
    assert [one["spawn_method"] for one in app["workers"]] == [in_effect]
    kinds = sorted(one["kind"] for one in status["spawn_server"]["spawners"])
    assert kinds == spawners


@pytest.mark.interpreter
def test_an_app_has_its_own_python_and_its_own_bottle(environment, tmp_path):
    """The oldest Python here; nothing of the plugin is installed for it."""
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "app.py").write_text(WHO_AM_I)
    python = oldest_interpreter()
    run(python, "-m", "venv", "--without-pip", folder / ".venv")
    (site,) = folder.glob(".venv/lib/python*/site-packages")
    copy_distribution("bottle", site)
    with RunningServer(
        "--spawn-method=smart", str(folder), python=environment.python
    ) as server:
        answer = json.loads(server.get("/").text)
        (app,) = server.status()["apps"]
    version = [int(number) for number in run(python, "-c", VERSION).split()]
    assert answer == {"python": version, "ours": []}
    assert (app["spawn_method"], app["spawn_method_reason"]) == ("smart", "")


VERSION = "import sys; print(*sys.version_info[:2])"


def copy_distribution(name: str, site: Path) -> None:
    """Install it as it is installed here, without its scripts."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(distribution.locate_file(file), target)
