"""What the buffers of all connections together may take.

Runs in: the controller.

Each connection has limits of its own; ten thousand of them would still fill the
machine.  What would exceed the memory goes to disk at once; what would exceed the
disk is refused (a request) or stays with its worker (a response).
"""

from __future__ import annotations


class BufferSpace:
    """Counts what is held; the holders say what they take and give back.

    :ivar memory: bytes that wait in memory.
    :ivar spooled: bytes in unlinked files.
    :ivar max_memory: 0 for no limit.
    :ivar max_spool: 0 for no limit.
    """

    __slots__ = ("max_memory", "max_spool", "memory", "spooled")

    def __init__(self, max_memory: int = 0, max_spool: int = 0) -> None:
        self.memory = 0
        self.spooled = 0
        self.max_memory = max_memory
        self.max_spool = max_spool

    def claim_memory(self, size: int) -> bool:
        """Count *size* bytes more in memory, if there is room for them."""
        if self.max_memory and self.memory + size > self.max_memory:
            return False
        self.memory += size
        return True

    def claim_spool(self, size: int) -> int:
        """Count as many of *size* bytes more on disk as there is room for."""
        if self.max_spool:
            size = max(0, min(size, self.max_spool - self.spooled))
        self.spooled += size
        return size
