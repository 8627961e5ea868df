"""What the processes below the controller run: a copy, with what is compiled of it."""

from __future__ import annotations

import importlib.machinery
import py_compile
import stat
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from passtwist.errors import StartupError
from passtwist.spawning import code_folder

SOURCE = "COMPILED_FROM = __file__\n"


@pytest.fixture
def child(tmp_path):
    """A child half of a framework plugin."""
    path = tmp_path / "plugin" / "child.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


def filled(tmp_path, child):
    """The copy of the child half, in a folder that was filled with it."""
    code_folder.fill(tmp_path / "code", {"shop.py": str(child)})
    return tmp_path / "code" / "frameworks" / "shop.py"


def compiled(path):
    """What there is in compiled form for our own interpreter."""
    return Path(cache_from_source(str(path)))


def test_what_is_compiled_is_valid_for_the_copy_and_knows_where_it_is(tmp_path, child):
    """A process that may write nothing loads it without compiling."""
    py_compile.compile(str(child), doraise=True)
    copy = filled(tmp_path, child)
    before = compiled(copy).read_bytes()
    assert before == compiled(child).read_bytes()
    loads = f"""
import sys, importlib.util, importlib.machinery as machinery
class Loader(machinery.SourceFileLoader):
    def source_to_code(self, *arguments, **more):
        raise SystemExit("compiles")
loader = Loader("shop", {str(copy)!r})
spec = importlib.util.spec_from_loader("shop", loader)
module = importlib.util.module_from_spec(spec)
loader.exec_module(module)
print(module.COMPILED_FROM, loader.get_code("shop").co_filename)
"""
    shown = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", loads],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert shown.split() == [str(copy)] * 2
    assert stat.S_IMODE(compiled(copy).stat().st_mode) == 0o644


def test_what_is_not_compiled_is_copied_alone(tmp_path, child):
    copy = filled(tmp_path, child)
    assert copy.read_text() == SOURCE
    assert not compiled(copy).exists()


def test_what_was_compiled_of_an_older_source_is_not_valid_for_the_copy(
    tmp_path, child
):
    """The copy has the time of its source, by which Python sees it."""
    py_compile.compile(str(child), doraise=True)
    child.write_text("CHANGED = True\n")
    copy = filled(tmp_path, child)
    loader = importlib.machinery.SourceFileLoader("shop", str(copy))
    assert loader.get_code("shop").co_names == ("CHANGED",)


def test_a_child_half_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StartupError, match=r"^child half /nowhere/child\.py of a "):
        filled(tmp_path, Path("/nowhere/child.py"))
