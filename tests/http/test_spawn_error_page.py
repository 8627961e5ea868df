"""The page that a developer sees instead of an app that can't be started."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import SpawnError
from passtwist.http.pages.spawn_error import spawn_error_page
from passtwist.http.pages.traceback_text import Frame, parts
from passtwist.model import APP_ERROR, UNSAFE_FORK, Finding, Scene, Step

TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/wsgi.py", line 3, in <module>
    import views
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s)
          ^^^^^^^^^^^^^^^
json.decoder.JSONDecodeError: Expecting value

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/shop/views.py", line 7
    def view(:
             ^
SyntaxError: invalid syntax
"""
SCENE = Scene(
    python="/srv/shop/.venv/bin/python",
    version="3.12.1",
    prefix="/srv/shop/.venv",
    user="uid 1000",
    folder="/srv/shop",
    path=("/srv/shop", "/usr/lib/python3.12"),
    environ=("PATH=/usr/bin", "SECRET_KEY=********"),
    place="/srv/shop/views.py:7",
    excerpt="  6  \n> 7  def view(:\n  8      pass",
    own_files=("/srv/shop/views.py", "/srv/shop/wsgi.py"),
)
STEPS = (
    Step("spawn manager", 10, "find_app_spawner", "done", 5.0, 0.5),
    Step("app", 11, "start_interpreter", "done", 5.5, 1.0),
    Step("app", 11, "load_app", "failed", 6.5, 0.5),
    Step("worker", 0, "fork_worker", "begun", 7.0, None),
)


class Reader(HTMLParser):
    """Elements and texts of a page; every element has to be closed."""

    VOID = ("meta", "br")

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def make_error(**fields):
    """A failure of which everything is known, but for *fields*."""
    known = {
        "category": APP_ERROR,
        "summary": "app shop: step load_app (app spawner 11) raised SyntaxError",
        "advice": "Line 7.",
        "detail": TRACEBACK,
        "journey": STEPS,
        "output": "\x1b[32mhello\x1b[0m\n",
        "scene": SCENE,
    }
    return SpawnError(**{**known, **fields})


def read(error):
    return Reader(spawn_error_page("500 Internal Server Error", "id-1", error))


def titles(page):
    return [text for text in page.texts if text in TITLES]


TITLES = (
    "What to do",
    "Your code",
    "What was found",
    "Details",
    "Journey: 2.000 s",
    "Last output",
    "Interpreter",
    "sys.path (2)",
    "Environment (2)",
)


def test_the_page_says_first_what_to_do_and_then_what_is_known():
    """Advice, the app's own code, traceback, journey, output, surroundings."""
    page = read(make_error())
    assert titles(page) == [title for title in TITLES if title != "What was found"]
    assert page.texts[:4] == [
        "500 Internal Server Error: The application could not be started",
        "500 Internal Server Error",
        "The application could not be started",
        "app shop: step load_app (app spawner 11) raised SyntaxError",
    ]
    for text in ("/srv/shop/views.py:7", "> 7  def view(:", "hello\n", "uid 1000"):
        assert text in page.texts
    assert "3.12.1  /srv/shop/.venv/bin/python" in page.texts
    assert "PATH=/usr/bin\nSECRET_KEY=********" in page.texts


def test_what_is_not_known_has_no_place_on_the_page():
    """An app that is killed says nothing itself."""
    error = SpawnError("layer-died", "app shop: it died")
    assert titles(read(error)) == []


def test_the_journey_has_each_step_with_its_process_time_and_place_in_time():
    """Bars begin where the step did, and are as wide as it took."""
    html = spawn_error_page("500 x", "", make_error()).decode()
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', html)
    cells = [[kind, *re.findall("<td>(.*?)</td>", row)] for kind, row in rows]
    assert cells == [
        ["done", "spawn manager", "10", "find_app_spawner", "done", "0.500 s"],
        ["done", "app spawner", "11", "start_interpreter", "done", "1.000 s"],
        ["failed", "app spawner", "11", "load_app", "failed", "0.500 s"],
        ["begun", "worker", "", "fork_worker", "begun", ""],
    ]
    assert re.findall(r"margin-left:([0-9.]+)%;width:([0-9.]+)%", html) == [
        ("0.00", "25.00"),
        ("25.00", "50.00"),
        ("75.00", "25.00"),
        ("98.00", "0.00"),
    ]


def test_the_apps_own_frames_stand_out():
    """Those of the standard library do not."""
    html = spawn_error_page("500 x", "", make_error()).decode()
    own = re.findall(r'<span class="frame own">File "(.*?)", line (\d+)', html)
    others = re.findall(r'<span class="frame">File "(.*?)", line (\d+)', html)
    assert own == [("/srv/shop/wsgi.py", "3"), ("/srv/shop/views.py", "7")]
    assert others == [("/usr/lib/python3.11/json/decoder.py", "355")]


def test_a_traceback_is_taken_apart_and_nothing_is_lost():
    """Headings and errors are text."""
    found = parts(TRACEBACK)
    assert [part.function for part in found if isinstance(part, Frame)] == [
        "<module>",
        "raw_decode",
        "",
    ]
    assert found[0] == "Traceback (most recent call last):"
    assert found[-1] == "SyntaxError: invalid syntax"
    assert parts("no\ntraceback") == ["no\ntraceback"]


def test_findings_of_the_audit_are_listed_with_their_hints():
    """Instead of the details, which say the same without hints."""
    finding = Finding("thread:x", "thread x", place="/srv/a.py:3", hint="Stop it.")
    error = make_error(category=UNSAFE_FORK, findings=(finding,))
    page = read(error)
    assert "The application can’t be forked safely" in page.texts
    assert finding.sentence() in page.texts
    assert "Stop it." in page.texts
    assert "Details" not in page.texts


def test_nothing_is_loaded_from_elsewhere():
    """No link, no script, no picture: the page works without a network."""
    page = read(make_error())
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "a"}
    )
    known = {"class", "style", "charset", "name", "content", "lang", "role"}
    assert {name for _, attrs in page.elements for name in attrs} <= known


ANY = st.text(max_size=40) | st.sampled_from(
    ["</pre><script>x</script>", "<b>", '"><i onclick="x">', "&amp;", "]]>", "\udcff"]
)


@given(texts=st.lists(ANY, min_size=8, max_size=8))
def test_no_text_of_an_app_becomes_an_element(texts):
    """Whatever it says, the page has the same elements."""
    a, b, c, d, e, f, g, h = (text.replace("\n", " ") for text in texts)
    plain = replace(SCENE, environ=("A=1",), path=("x",), excerpt="x")
    strange = replace(plain, environ=(a,), path=(b,), excerpt=c + ".", folder=d + "/")
    steps = [replace(step, name=e, who=f) for step in STEPS]
    expected = read(make_error(scene=plain, detail="x", advice="x"))
    page = read(
        make_error(
            scene=strange,
            detail=g + ".",
            advice=h + ".",
            output=a + ".",
            journey=tuple(steps),
            summary=b,
        )
    )
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in expected.elements]
