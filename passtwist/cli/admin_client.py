"""The admin API of a running server, as the commands use it.

Runs in: the command.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from passtwist.api.paths import admin_socket, default_runtime_dir
from passtwist.api.settings import load_file
from passtwist.cli.options import config_option, failure
from passtwist.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., object]")

TIMEOUT = 10.0  # seconds, for connecting and for each piece of the answer
MAX_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True)
class WhichServer:
    """Which of the machine's servers is meant.

    :ivar runtime_dir: the flag, None when it was not given.
    :ivar config: likewise; the file of settings that names the folder.
    """

    runtime_dir: str | None = None
    config: str | None = None

    def folder(self) -> str:
        """The server's runtime directory.

        :raises click.ClickException: the file of settings is wrong.
        """
        if self.runtime_dir:
            return os.path.abspath(self.runtime_dir)
        if self.config:
            try:
                return load_file(self.config).server.runtime_dir
            except SettingsError as error:
                raise failure(error) from None
        exported = os.environ.get("PASSTWIST_RUNTIME_DIR")
        if exported:
            return os.path.abspath(exported)
        return default_runtime_dir(os.environ, os.geteuid())


def server_options(command: F) -> F:
    """Decorate a command with ``--runtime-dir`` and ``-c``.

    It gets them as the parameters *runtime_dir* and *config*, which are those of
    `WhichServer`.
    """
    decorate: Callable[[F], F] = click.option(
        "--runtime-dir", metavar="FOLDER", help="the server's runtime directory"
    )
    return decorate(config_option(command))


class AdminError(click.ClickException):
    """There is no answer; says why.  Uncaught, it ends the command with status 1.

    :ivar status: HTTP status of the refusal; 0 when the server was not reached, or
        answered what makes no sense.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


# Any: JSON, whose shape the caller knows.
def ask(
    page: str, options: WhichServer, timeout: float | None = TIMEOUT
) -> dict[str, Any]:
    """The page of that name.

    :param timeout: seconds, for each piece of the answer; None: for ever.
    :raises AdminError: there is no answer, or a refusal.
    :raises click.ClickException: the file of settings is wrong.
    """
    return get_json(admin_socket(options.folder()), f"/v1/{page}", timeout)


def order(
    command: str,
    arguments: Mapping[str, object],
    options: WhichServer,
    timeout: float | None = TIMEOUT,
) -> dict[str, Any]:
    """Have the server do *command*; what it answers.

    :param timeout: as for `ask`; None for what takes as long as it takes.
    :raises AdminError: there is no answer, or a refusal.
    :raises click.ClickException: the file of settings is wrong.
    """
    path = admin_socket(options.folder())
    body = json.dumps(dict(arguments)).encode()
    return _exchange(path, "POST", f"/v1/{command}", body, timeout)


def get_json(path: str, target: str, timeout: float | None = TIMEOUT) -> dict[str, Any]:
    """The JSON object at *target* of the admin socket *path*.

    :raises AdminError: nobody listens, or the answer is none.
    """
    return _exchange(path, "GET", target, None, timeout)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _exchange(
    path: str, method: str, target: str, body: bytes | None, timeout: float | None
) -> dict[str, Any]:
    folder = os.path.dirname(path)
    connection = _Connection(path, timeout)
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise AdminError(
            f"no server is running with the runtime directory {folder}; "
            "if it has another, say --runtime-dir or -c"
        ) from None
    except PermissionError:
        raise AdminError(
            f"the server in {folder} belongs to another user; run this as that "
            "user or as root"
        ) from None
    except TimeoutError:
        raise AdminError(
            f"the server in {folder} has not answered for {timeout or 0:.0f} seconds"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise AdminError(f"no answer from the server in {folder}: {error}") from None
    finally:
        connection.close()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if response.status != 200:
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise AdminError(
            str(reason or f"the server in {folder} answered {response.status}"),
            response.status,
        )
    if not isinstance(answer, dict):
        raise AdminError(f"the server in {folder} answered what is no JSON object")
    return answer
