"""Sans-I/O codecs of the internal protocols.

Runs in: every process.  Standard library only, Python 3.9 and newer.  Bytes
in, values out; nothing here touches a socket.
"""
