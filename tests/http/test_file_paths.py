"""Which paths may name a file, and in which folder it would be."""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.files.paths import Folder, names_below, names_of

# As they stand in a request line; decoded once, as the front end does it.
REFUSED = [
    *("/../x", "/a/../x", "/a/..", "/..", "/.", "/./x", "/a/./x", "/a/.", "x"),
    *("/%2e%2e/x", "/%2E%2E%2Fx", "/a/%2e%2e%2f%2e%2e/etc/passwd", "/..%2fx"),
    *("/%5c..%5cx", "/a%5cb", "/a\\b", "/%0ax", "/%7f", "/a%0d"),
    *("//x", "/a//x", "/a%2f%2fx", "//", "/a//"),
    *("/.git/config", "/.env", "/a/.htpasswd", "/.well-known", "/a/.well-known/x"),
]
PLAIN = {
    "/": [b""],
    "/a": [b"a"],
    "/a/": [b"a", b""],
    "/css/site.css": [b"css", b"site.css"],
    "/a%20b/%C3%A4.txt": [b"a b", b"\xc3\xa4.txt"],
    "/a%2fb": [b"a", b"b"],
    # Decoded twice it would climb; decoded once it is a strange name.
    "/%252e%252e/x": [b"%2e%2e", b"x"],
    # Overlong UTF-8 for "..": bytes like others, no dots.
    "/%c0%ae%c0%ae/x": [b"\xc0\xae\xc0\xae", b"x"],
    "/...": None,
    "/a..b": [b"a..b"],
    "/x.": [b"x."],
    "/.well-known/acme-challenge/t": [b".well-known", b"acme-challenge", b"t"],
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_could_lead_anywhere_but_down_names_no_file(path):
    """Dot segments, empty ones, backslashes, control characters, hidden names."""
    assert names_of(unquote_to_bytes(path)) is None


def test_other_paths_are_cut_at_slashes():
    """Without another decoding."""
    assert {path: names_of(unquote_to_bytes(path)) for path in PLAIN} == PLAIN


@given(st.binary(max_size=60).map(lambda rest: b"/" + rest.replace(b"\0", b"")))
def test_no_path_leads_out_of_its_folder(path):
    """Whatever it is made of: what is left of it stays below, and is not hidden."""
    names = names_of(path)
    if names is not None:
        whole = os.path.normpath(os.path.join(b"/srv/x", *names))
        assert whole == b"/srv/x" or whole.startswith(b"/srv/x/")
        assert not any(name.startswith(b".") for name in names[1:])


@given(st.text("./ab\\\n", max_size=12).map(str.encode))
def test_no_path_of_an_app_leads_out_of_its_folder(path):
    """An app may name hidden files, and no others."""
    names = names_below(path)
    if names is not None:
        assert b"/".join(names) == path
        assert os.path.normpath(b"/srv/x/" + path) == b"/srv/x/" + path


def test_a_folder_is_found_below_the_apps_root():
    """Relative, or absolute and inside: opened from the root, without links."""
    for text in ("media/", "./media", "/srv/shop/media", "media//"):
        folder = Folder("/srv/shop", text)
        assert (folder.base, folder.names) == ("/srv/shop", [b"media"])
        assert folder.prefix == b"/srv/shop/media/"


def test_a_folder_elsewhere_is_opened_from_the_top():
    """So that no link on the way counts."""
    for text in ("/var/media/shop", "/srv/shop2/media"):
        folder = Folder("/srv/shop", text)
        assert folder.base == "/"
        assert b"/" + b"/".join(folder.names) + b"/" == folder.prefix


def test_a_path_of_this_machine_is_found_in_its_folder(tmp_path):
    """By the name of the root, and by that of the folder that it is a link to."""
    release = tmp_path / "releases" / "5"
    release.mkdir(parents=True)
    (tmp_path / "current").symlink_to(release)
    folder = Folder(str(tmp_path / "current"), "media")

    def names(path):
        return folder.names_in(os.fsencode(tmp_path) + path)

    assert names(b"/current/media/a/b") == [b"a", b"b"]
    assert names(b"/releases/5/media/.a") == [b".a"]
    for outside in (
        *(b"/current/media", b"/current/media/", b"/current/media2/a", b"/media/a"),
        *(b"/current/media/../x", b"/current/media/a/", b"/current/media//a"),
    ):
        assert names(outside) is None
