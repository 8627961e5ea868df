"""The friendly page, as a browser shows it."""

from __future__ import annotations

import re
import struct
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.integration.sites import Site, serve

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
# No request of the browser's own, nothing that needs a screen.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WIDTH, HEIGHT = 1200, 1600
BROKEN = """
import json

SECRET_KEY = "do-not-tell"

print("\\x1b[32mreading settings\\x1b[0m")
settings = json.loads('{"name": "<b>shop</b>", debug}')
"""


class Text(HTMLParser):
    """The text of a page, without styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tag = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tag = tag

    def handle_data(self, data):
        if self.tag != "style":
            self.text += data + "\n"


def browse(folder, url, *options):
    """Run the browser on *url*; answers what it prints."""
    shown = subprocess.run(
        [
            "chromium",
            *OPTIONS,
            f"--user-data-dir={folder}",
            f"--window-size={WIDTH},{HEIGHT}",
            *options,
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    return shown.stdout


def size_of(png: bytes) -> tuple[int, ...]:
    """Width and height."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


@pytest.mark.debian("chromium")
def test_a_browser_shows_the_friendly_page(tmp_path):
    """All of it is in the browser's document; pictures, dark and light, are kept."""
    site = Site(tmp_path, "shop", environment="development")
    site.write("passenger_wsgi.py", BROKEN)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    pictures = {0: SCREENSHOTS / "error-dark.png", 1: SCREENSHOTS / "error-light.png"}
    with serve(tmp_path, site) as server:
        url = f"http://127.0.0.1:{server.port}/"
        page = browse(tmp_path / "text", url, "--dump-dom")
        for scheme, picture in pictures.items():
            picture.unlink(missing_ok=True)
            browse(
                tmp_path / f"picture{scheme}",
                url,
                f"--screenshot={picture}",
                f"--blink-settings=preferredColorScheme={scheme}",
            )
    text = Text(page).text
    for shown in (
        "The application could not be started",
        "raised JSONDecodeError",
        f"{site.root}/passenger_wsgi.py:7",
        '> 7  settings = json.loads(\'{"name": "<b>shop</b>", debug}\')',
        "reading settings",
        "load_app",
        "sys.path (",
        "Environment (",
    ):
        assert shown in text
    assert "do-not-tell" not in page
    assert re.findall(r'<tr class="(\w+)">', page)[-1] == "failed"
    assert [size_of(path.read_bytes()) for path in pictures.values()] == [
        (WIDTH, HEIGHT)
    ] * 2
    dark, light = (path.read_bytes() for path in pictures.values())
    assert dark != light
