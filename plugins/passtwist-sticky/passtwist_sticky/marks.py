"""What the cookie holds: which worker, in a way that tells nobody else.

Runs in: the controller.

Nothing is kept for each worker: the number is in the mark, encrypted and signed
with a key that lives as long as the server.  Equal workers give equal marks;
who has seen some can neither make another nor learn how many workers there were.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

_TAG = 16  # bytes
_NUMBER = 8  # bytes
_LENGTH = 2 * (_TAG + _NUMBER)  # hexadecimal digits


class Marks:
    """Marks for the workers of all apps.

    :param key: 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._signs = blake2b(b"sign", key=key, digest_size=32).digest()
        self._hides = blake2b(b"hide", key=key, digest_size=32).digest()

    def make(self, app: str, worker: int) -> bytes:
        """The mark of one worker: 48 hexadecimal digits."""
        number = worker.to_bytes(_NUMBER, "big")
        tag = self._tag(app, number)
        return (tag + self._hidden(tag, number)).hex().encode("ascii")

    def read(self, app: str, mark: bytes) -> int:
        """The worker whose mark it is, 0 when it is none of *app*'s."""
        if len(mark) != _LENGTH:
            return 0
        try:
            whole = bytes.fromhex(mark.decode("ascii"))
        except ValueError:
            return 0
        if len(whole) != _TAG + _NUMBER:
            return 0  # there were blanks between the digits
        tag = whole[:_TAG]
        number = self._hidden(tag, whole[_TAG:])
        if not compare_digest(tag, self._tag(app, number)):
            return 0
        return int.from_bytes(number, "big")

    def _tag(self, app: str, number: bytes) -> bytes:
        # The number has a fixed length, so no two pairs are written alike.
        data = number + app.encode()
        return blake2b(data, key=self._signs, digest_size=_TAG).digest()

    def _hidden(self, tag: bytes, number: bytes) -> bytes:
        """Hide a number, or show a hidden one."""
        pad = blake2b(tag, key=self._hides, digest_size=_NUMBER).digest()
        return bytes(one ^ other for one, other in zip(pad, number, strict=True))
