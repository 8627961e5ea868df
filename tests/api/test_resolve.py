"""From the settings of an app to what its processes need to know."""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import subprocess
import sys
import types

import attrs
import pytest
from zope.interface import implementer

from passtwist.api.detection import Detection
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IFramework, ISpawnMethod
from passtwist.api.interpreters import changes_start, framework_place, library_folders
from passtwist.api.registry import Registry
from passtwist.api.resolve import Explanation
from passtwist.api.resolve import resolve as resolve_as
from passtwist.api.settings import AppSettings, ServerSettings
from passtwist.api.standing import Standing
from passtwist.errors import DetectionError, PluginError
from passtwist.model import AppSpec

USER = pwd.getpwuid(os.geteuid()).pw_name
# As of a server that is not root, whoever runs the tests.
ONE_USER = attrs.evolve(Standing.current(), switches_users=False)


def resolve(app, server, registry):
    return resolve_as(app, server, registry, ONE_USER)


@implementer(IFramework)
class Acme:
    """A framework that knows apps by a file start.py."""

    name = "acme"
    description = "Acme: start.py"
    priority = 50
    child = os.path.abspath(__file__)
    distribution = "Acme-Web"

    def detect(self, files):
        if files.is_file("broken.py"):
            raise DetectionError("broken.py is Acme's, but the app is not there")
        if files.is_file("crash.py"):
            raise ZeroDivisionError("over")
        if not files.is_file("start.py"):
            return None
        return Detection("start:app", "start.py", ("start.py is there",), {"level": 3})


@implementer(IFramework)
class Wsgi(Acme):
    """The framework that loads what nobody knows."""

    name = "wsgi"
    description = "plain: x.py"
    priority = 0
    distribution = ""

    def detect(self, files):
        return None


@implementer(ISpawnMethod)
class Method:
    """The spawn method of every app here."""

    name = "auto"
    aliases = ("automatic",)
    description = "of a test"

    def create_spawner(self, app, toolkit):
        raise AssertionError("resolving creates no spawner")


@pytest.fixture
def registry(source) -> Registry:
    module = types.ModuleType("plugin")

    @hookimpl
    def passtwist_spawn_methods():
        return [Method()]

    @hookimpl
    def passtwist_frameworks():
        return [Wsgi(), Acme()]

    @hookimpl
    def passtwist_spawn_environment(app):
        return {"ACME": app.entry, "LEVEL": "1"}

    vars(module).update(locals())
    return Registry.from_sources([source("acme", module)])


@pytest.fixture
def app(tmp_path) -> AppSettings:
    """An app of Acme's."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/start.py").write_text("")
    return AppSettings(name="shop", root=str(tmp_path / "root"))


@pytest.fixture
def failure(app, registry):
    """What resolving the app, with other settings, is refused with."""

    def failure(**settings: object) -> str:
        with pytest.raises(DetectionError) as caught:
            resolve(attrs.evolve(app, **settings), ServerSettings(), registry)
        text = str(caught.value)
        assert text.startswith(f"app shop in {settings.get('root', app.root)}: ")
        return text.partition(": ")[2]

    return failure


def virtualenv(root: str, name: str = ".venv", *distributions: str) -> str:
    """The names of a virtualenv, nothing more; its interpreter's path."""
    folder = os.path.join(root, name)
    packages = os.path.join(folder, "lib", "python3.12", "site-packages")
    os.makedirs(os.path.join(folder, "bin"))
    for distribution in distributions:
        os.makedirs(os.path.join(packages, distribution))
    open(os.path.join(folder, "pyvenv.cfg"), "w").close()
    # As virtualenvs are: a link, here one that leads nowhere.
    os.symlink("/no/such/python3.12", os.path.join(folder, "bin", "python"))
    return os.path.join(folder, "bin", "python")


def test_an_app_that_says_nothing(app, registry):
    """Framework and entry are detected; the interpreter is our own."""
    resolved = resolve(app, ServerSettings(environment="development"), registry)
    assert resolved.spec == AppSpec(
        name="shop",
        root=app.root,
        framework="acme",
        child="acme.py",
        entry="start:app",
        python=sys.executable,
        environment="development",
        env=(("ACME", "start:app"), ("LEVEL", "1")),
        options={"level": 3},
    )
    assert resolved.method is registry.spawn_method("auto")
    assert resolved.explanation == Explanation(
        framework_reasons=("start.py is there",),
        entry_reason="from start.py",
        python_reason="there is no .venv or venv in the app's folder, so our own",
        framework_key_reason=f"no Acme-Web was found among the packages of "
        f"{sys.executable}",
        variables=("ACME", "LEVEL"),
    )


def test_an_app_that_says_everything(app, registry):
    """A setting goes before what is found, and env before what plugins say."""
    python = virtualenv(app.root, "other")
    settings = attrs.evolve(
        app,
        framework="wsgi",
        entry="lib/main.py:make()",
        python="other/bin/python",
        spawn_method="automatic",
        environment="production",
        env=(("LEVEL", "2"),),
        base_uri="/shop",
        threads=4,
        umask=0o027,
        fork_allow=("thread:sentry",),
        start_timeout=5.0,
    )
    server = ServerSettings(environment="development")
    resolved = resolve(settings, server, registry)
    assert resolved.spec == AppSpec(
        name="shop",
        root=app.root,
        framework="wsgi",
        child="wsgi.py",
        entry="lib/main.py:make()",
        python=python,
        environment="production",
        env=(("ACME", "lib/main.py:make()"), ("LEVEL", "2")),
        base_uri="/shop",
        threads=4,
        umask=0o027,
        fork_allow=("thread:sentry",),
        start_timeout=5.0,
    )
    assert resolved.explanation == Explanation(
        framework_reasons=('framework = "wsgi" is set',),
        entry_reason="entry is set",
        python_reason="python is set",
        framework_key_reason="wsgi has no framework layer",
        variables=("ACME", "LEVEL"),
    )


def test_keys_without_effect_change_nothing(app, registry):
    """As their warning says."""
    changed = attrs.evolve(app, memory_limit=1, max_requests=5)
    server = ServerSettings()
    assert resolve(changed, server, registry) == resolve(app, server, registry)


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_the_virtualenv_in_the_root_is_used(app, registry, name):
    """By its name; where the link leads is not looked at."""
    python = virtualenv(app.root, name, "acme_web-2.1.dist-info", "other-1.dist-info")
    resolved = resolve(app, ServerSettings(), registry)
    packages = os.path.join(app.root, name, "lib/python3.12/site-packages")
    assert resolved.spec.python == python
    assert resolved.spec.framework_key == (USER, python, "acme", "2.1", packages)
    why = resolved.explanation
    assert why.python_reason == f"{name} is a virtualenv in the app's folder"
    assert why.framework_key_reason == f"Acme-Web 2.1 is in {packages}"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("Acme_Web-2.1.dist-info", "2.1"),
        ("acme.web-2.1rc1.dist-info", "2.1rc1"),
        ("ACME-WEB-2.1.egg-info", "2.1"),
        ("acme_web-2.1-py3.11.egg-info", "2.1"),
        ("acme_web-2.1.data", None),
        ("acme_web-plus-2.1.dist-info", None),
        ("acme-2.1.dist-info", None),
        ("acme_web-2\n1.dist-info", None),
    ],
)
def test_the_version_of_a_framework_is_in_a_name(tmp_path, name, version):
    """However the distribution is spelled; nothing is opened."""
    python = virtualenv(str(tmp_path), "venv", "other-1.dist-info", name)
    place = framework_place(python, "Acme-Web")
    packages = os.path.join(tmp_path, "venv/lib/python3.12/site-packages")
    assert place == (None if version is None else (version, packages))


@pytest.mark.parametrize(
    ("file", "env", "reason"),
    [
        ("x.py", (), None),
        ("acme.py", (), "the app's folder holds a acme.py of its own"),
        ("acme_web.py", (), "the app's folder holds a acme_web.py of its own"),
        ("acme_web/x", (), "the app's folder holds a acme_web of its own"),
        (
            "x.py",
            (("PYTHONPATH", "/x"),),
            "env sets PYTHONPATH, which an interpreter reads as it starts",
        ),
        (
            "x.py",
            (("A", "1"), ("LD_PRELOAD", "/x")),
            "env sets LD_PRELOAD, which an interpreter reads as it starts",
        ),
        ("x.py", (("PYTHONUNBUFFERED", "1"),), None),
    ],
)
def test_apps_that_can_not_share_a_framework_spawner(app, registry, file, env, reason):
    """What would be imported must be the same for all that share it."""
    virtualenv(app.root, ".venv", "Acme.Web-2.1.dist-info")
    os.makedirs(os.path.dirname(os.path.join(app.root, file)), exist_ok=True)
    open(os.path.join(app.root, file), "w").close()
    resolved = resolve(attrs.evolve(app, env=env), ServerSettings(), registry)
    if reason is None:
        assert len(resolved.spec.framework_key) == 5
    else:
        assert resolved.spec.framework_key == ()
        assert resolved.explanation.framework_key_reason == reason


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"root": "/no/such/folder"},
            "root does not exist; make the folder or correct root",
        ),
        ({"root": __file__}, "root is no folder; set it to the folder of the app"),
        (
            {"spawn_method": "autmatic"},
            "spawn_method: no plugin has 'autmatic'; did you mean \"automatic\"?",
        ),
        (
            {"framework": "acne"},
            (
                "framework: no plugin has 'acne'; did you mean \"acme\"?; known are "
                "acme, wsgi and auto"
            ),
        ),
        (
            {"framework": "wsgi"},
            (
                'framework = "wsgi" is set, but nothing of it was found in the folder '
                "(plain: x.py); set entry as well"
            ),
        ),
        (
            {"entry": "shop.wsgi"},
            (
                'entry: "shop.wsgi" is not understood; write '
                '"package.module:application", "package:create_app()" or '
                '"folder/file.py:application"'
            ),
        ),
        (
            {"python": "bin/python"},
            (
                'python: "ROOT/bin/python" does not exist; make the virtualenv or '
                "correct the path"
            ),
        ),
        (
            {"python": "no-such-python"},
            (
                'python: no command "no-such-python" is on the PATH; set python to the '
                "path of an interpreter"
            ),
        ),
    ],
)
def test_an_app_that_can_not_be_started(failure, app, settings, text):
    """Each message names the place and the remedy."""
    assert failure(**settings) == text.replace("ROOT", app.root)


def test_nothing_is_detected(failure, app):
    """The message says what was looked for, and the two ways out."""
    os.remove(os.path.join(app.root, "start.py"))
    assert failure() == (
        "nothing was detected; looked for acme, wsgi (Acme: start.py; plain: x.py). "
        'Set entry, for example to "package.module:application", or add a '
        "passenger_wsgi.py that defines application"
    )


def test_an_entry_for_a_folder_that_nobody_knows(app, registry):
    """It is loaded as plain WSGI."""
    os.remove(os.path.join(app.root, "start.py"))
    settings = attrs.evolve(app, entry="x:y")
    resolved = resolve(settings, ServerSettings(), registry)
    assert (resolved.spec.framework, resolved.spec.entry) == ("wsgi", "x:y")
    assert resolved.explanation.framework_reasons == (
        "no framework knows the folder; entry is set, so wsgi loads it",
    )


def test_a_folder_that_is_a_frameworks_but_unclear(failure, app, registry):
    """Its error ends the search, unless entry says what to load."""
    open(os.path.join(app.root, "broken.py"), "w").close()
    text = "broken.py is Acme's, but the app is not there"
    assert failure() == text
    assert failure(framework="acme") == text
    for framework, reason in (("auto", text), ("acme", 'framework = "acme" is set')):
        settings = attrs.evolve(app, framework=framework, entry="x:y")
        resolved = resolve(settings, ServerSettings(), registry)
        assert (resolved.spec.framework, resolved.spec.entry) == ("acme", "x:y")
        assert resolved.explanation.framework_reasons == (reason,)


def test_a_detection_that_crashes(app, registry):
    """The plugin is at fault, not the app."""
    open(os.path.join(app.root, "crash.py"), "w").close()
    with pytest.raises(PluginError) as caught:
        resolve(app, ServerSettings(), registry)
    assert str(caught.value) == (
        "plugin 'acme' (from acme-dist 1.0): framework 'acme': detect raised "
        "ZeroDivisionError: over for app shop"
    )


def test_a_control_character_in_a_path_is_not_echoed(tmp_path, registry):
    """It could forge lines of the log."""
    app = AppSettings(name="shop", root=f"{tmp_path}/a\nb")
    with pytest.raises(DetectionError) as caught:
        resolve(app, ServerSettings(), registry)
    assert str(caught.value) == (
        f'app shop in "{tmp_path}/a\\nb": root does not exist; make the folder or '
        "correct root"
    )


@pytest.mark.parametrize(
    ("entry", "understood"),
    [
        ("shop.wsgi:application", True),
        ("shop:create_app()", True),
        ("shop:factory.make()", True),
        ("folder/my file.py:app", True),
        ("./a.py:app", True),
        ("a.py", False),
        ("shop:", False),
        (":app", False),
        ("shop:app(1)", False),
        ("shop:app()()", False),
        ("shop app:x", False),
        ("a.py:app\nb", False),
        ("1shop:app", False),
    ],
)
def test_entries(app, registry, entry, understood):
    """A module or a file, an attribute, and () for a factory."""
    settings = attrs.evolve(app, entry=entry)
    if understood:
        assert resolve(settings, ServerSettings(), registry).spec.entry == entry
    else:
        with pytest.raises(DetectionError, match="is not understood"):
            resolve(settings, ServerSettings(), registry)


def test_a_command_as_interpreter(app, registry):
    """It is looked for on the PATH."""
    settings = attrs.evolve(app, python="sh")
    python = resolve(settings, ServerSettings(), registry).spec.python
    assert os.path.isabs(python)
    assert os.path.basename(python) == "sh"


def test_our_own_packages_are_found():
    """Where our interpreter imports them from."""
    version, folder = framework_place(sys.executable, "ATTRS")
    assert (version, folder) == (
        importlib.metadata.version("attrs"),
        os.path.dirname(os.path.dirname(attrs.__file__)),
    )
    assert framework_place(sys.executable, "no-such-distribution") is None


@pytest.mark.interpreter
def test_the_packages_of_another_interpreter_are_found(interpreters):
    """Our guess by names is what the interpreter itself says."""
    found = {}
    for version, python in sorted(interpreters.items()):
        if python != sys.executable:
            ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
            said = subprocess.run(
                [python, "-I", "-c", ask],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            ).stdout.strip()
            found[version] = said in library_folders(python)
    assert found
    assert all(found.values())


def test_variables_that_an_interpreter_reads_as_it_starts():
    """The first of them by name."""
    assert changes_start({"PYTHONPATH": "", "MALLOC_ARENA_MAX": "1"}) == (
        "MALLOC_ARENA_MAX"
    )
    assert changes_start({"PYTHONUNBUFFERED": "1", "DJANGO": "1"}) == ""
