"""What a developer sees instead of an app that can't be started.

Runs in: the controller.  Pure.  Everything is escaped, and secrets are masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.template import Tag, flattenString, tags

from passtwist.http.pages.journey_table import journey_table, seconds_of
from passtwist.http.pages.shown import shown
from passtwist.http.pages.style import FRIENDLY
from passtwist.http.pages.traceback_text import Frame, parts
from passtwist.model import (
    HEALTH_CHECK,
    LAYER_DIED,
    SYSTEM,
    TIMEOUT,
    UNSAFE_FORK,
    Finding,
    Scene,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passtwist.errors import SpawnError

_HEADINGS = {
    TIMEOUT: "The application did not start in time",
    UNSAFE_FORK: "The application can’t be forked safely",
    HEALTH_CHECK: "The application did not pass its health check",
    LAYER_DIED: "A process of the server ended while the application was started",
    SYSTEM: "The system did not let the application start",
}
_HEADING = "The application could not be started"
# The end of what was printed says most.
_MAX_OUTPUT = 16 * 1024


def spawn_error_page(title: str, request_id: str, error: SpawnError) -> bytes:
    """The page, as UTF-8.

    :param title: status and reason phrase.
    """
    heading = _HEADINGS.get(error.category, _HEADING)
    body = tags.div(
        tags.div(title, class_="status"),
        tags.h1(heading),
        tags.p(shown(error.summary), class_="summary"),
        *_sections(error),
        _footer(request_id, error),
        role="main",
    )
    page = tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            tags.meta(name="viewport", content="width=device-width"),
            tags.title(f"{title}: {heading}"),
            tags.style(FRIENDLY),
        ),
        tags.body(body),
        lang="en",
    )
    return b"<!DOCTYPE html>\n" + _flat(page) + b"\n"


def _flat(page: Tag) -> bytes:
    """Nothing in it is waited for, so it is there at once."""
    made: list[bytes] = []
    failed: list[BaseException] = []
    flattenString(None, page).addCallbacks(
        made.append, lambda failure: failed.append(failure.value)
    )
    if failed:
        raise failed[0]
    return made[0]


def _sections(error: SpawnError) -> Iterator[Tag]:
    """What to do, then what is wrong, then what led to it, then where."""
    if error.advice:
        yield _section("What to do", tags.p(shown(error.advice)), class_="advice")
    scene = error.scene if isinstance(error.scene, Scene) else Scene()
    if scene.excerpt:
        place = tags.p(shown(scene.place), class_="place")
        yield _section("Your code", place, _excerpt(scene.excerpt))
    findings = [each for each in error.findings if isinstance(each, Finding)]
    if findings:
        yield _section("What was found", *(_finding(each) for each in findings))
    elif error.detail:
        yield _section("Details", _details(error.detail, scene))
    steps = [step for step in error.journey if isinstance(step, Step)]
    if steps:
        took = f"Journey: {seconds_of(steps):.3f} s"
        yield _section(took, journey_table(steps))
    if error.output:
        output = shown(error.output[-_MAX_OUTPUT:])
        yield _section("Last output", tags.pre(output, class_="output"))
    if scene != Scene():
        yield _section("Interpreter", _facts(scene), *_lists(scene))


def _section(title: str, *content: Tag, class_: str = "part") -> Tag:
    return tags.section(tags.h2(title), *content, class_=class_)


def _excerpt(text: str) -> Tag:
    lines = shown(text).split("\n")
    return tags.pre(
        *(
            tags.span(line, class_="at" if line.startswith(">") else "near")
            for line in lines
        ),
        class_="excerpt",
    )


def _finding(finding: Finding) -> Tag:
    return tags.p(
        tags.strong(shown(finding.sentence())),
        tags.br(),
        shown(finding.hint),
        class_="finding",
    )


def _details(detail: str, scene: Scene) -> Tag:
    """The app's own frames stand out; those of libraries step back."""
    own = set(scene.own_files)
    shown_parts = []
    for part in parts(shown(detail)):
        if isinstance(part, Frame):
            where = f'File "{part.file}", line {part.line}'
            if part.function:
                where += f", in {part.function}"
            kind = "frame own" if part.file in own else "frame"
            code = tags.span(part.code, class_="code")
            shown_parts.append(tags.span(where, code, class_=kind))
        else:
            shown_parts.append(tags.span(part, class_="message"))
    return tags.pre(*shown_parts)


def _facts(scene: Scene) -> Tag:
    facts = {
        "Python": f"{scene.version}  {scene.python}".strip(),
        "Virtualenv": scene.prefix or ("none" if scene.version else ""),
        "Folder": scene.folder,
        "User": scene.user,
    }
    rows = [
        tags.tr(tags.th(name), tags.td(shown(value), class_="path"))
        for name, value in facts.items()
        if value
    ]
    return tags.table(*rows, class_="facts")


def _lists(scene: Scene) -> Iterator[Tag]:
    for title, lines in (("sys.path", scene.path), ("Environment", scene.environ)):
        if lines:
            listed = shown("\n".join(lines))
            yield tags.details(
                tags.summary(f"{title} ({len(lines)})"), tags.pre(listed)
            )


def _footer(request_id: str, error: SpawnError) -> Tag:
    return tags.footer(
        "Error id ",
        tags.code(error.id),
        *((" · request id ", tags.code(shown(request_id))) if request_id else ()),
        " · Both are in the log.  Visitors in production see only them.",
    )
