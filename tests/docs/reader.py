"""A reader who does what a tutorial says, block by block.

A block of code whose first line is a comment with a path is written to that
file.  In a block ``console``, a line with ``$`` is a command and the lines
below it are what it prints; where there are none, it prints what it likes.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passtwist.testing.server import RunningServer
from tests.conformance.environments import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.environments import Environment
    from tests.docs.pages import Block, Page

COMMENTED_PATH = re.compile(r"# ([\w./-]+)\n")
PASSTWIST = "from passtwist.cli.main import main; main()"


@dataclass
class Reader:
    """Works in *folder*; its commands are those of *environment*.

    :ivar files: what was written, in order.
    :ivar commands: what was typed, in order.
    :ivar compared: how many answers were compared with those of the page.
    """

    folder: Path
    environment: Environment
    files: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    compared: int = 0
    server: RunningServer | None = None

    def follow(self, page: Page) -> None:
        """Do it all, from the top; afterwards nothing runs any more.

        :raises AssertionError: something is not as the page says.
        """
        try:
            for block in page.blocks:
                if block.language == "console":
                    self.type(block.text)
                else:
                    self.write(block)
        finally:
            self.stop()

    def write(self, block: Block) -> None:
        """Write a file."""
        named = COMMENTED_PATH.match(block.text)
        assert named, f"a block does not say which file it is:\n{block.text}"
        path = self.folder / named[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text)
        self.files.append(named[1])

    def type(self, console: str) -> None:
        """Type commands, and compare what they print."""
        _, *parts = re.split(r"^\$ ", console, flags=re.MULTILINE)
        for part in parts:
            command, _, expected = part.partition("\n")
            self.commands.append(command)
            printed = self.do(command)
            if expected:
                assert printed == expected, f"$ {command}\n{printed}"
                self.compared += 1

    def do(self, command: str) -> str:
        """Do one command; answers what it prints."""
        program, *words = shlex.split(command)
        if program in ("mkdir", "echo"):
            return run("sh", "-c", command, cwd=self.folder)
        if program == "twistd":
            return self.serve(*words)
        if program == "curl":
            return self.ask(*words)
        if program == "passtwist":
            return self.environment.run("-c", PASSTWIST, *words, cwd=self.folder)
        if program == "python":
            return self.environment.run(*words, cwd=self.folder)
        assert words == ["install", "."], f"nobody taught the reader: {command}"
        self.environment.install(self.folder)
        return ""

    def serve(self, *words: str) -> str:
        """Start a server, in place of the one before."""
        self.stop()
        assert words[:2] == ("-n", "passtwist")
        python = self.environment.python
        self.server = RunningServer(*words[2:], cwd=str(self.folder), python=python)
        self.server.start()
        return ""

    def ask(self, url: str) -> str:
        """Ask the server."""
        assert self.server is not None, "no server runs"
        host, path = re.fullmatch(r"http://([\d.:]+)(/.*)", url).groups()
        assert host == "127.0.0.1:8080", "the port that is the default"
        return self.server.get(path).text

    def stop(self) -> None:
        """Stop the server, if one runs."""
        if self.server is not None:
            server, self.server = self.server, None
            server.__exit__(None, None, None)
