"""What load balancers say before the client's first byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address

from passtwist.service.listening.proxy_header import (
    BadProxyHeader,
    ProxyHeader,
    read_header,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = IPv4Address("TCP", "203.0.113.9", 1234)
SERVER = IPv4Address("TCP", "192.0.2.1", 443)


def binary(command, family, body):
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


def over_tcp4(extensions=b"", command=0x21):
    addresses = bytes([203, 0, 113, 9, 192, 0, 2, 1]) + struct.pack("!HH", 1234, 443)
    return binary(command, 0x11, addresses + extensions)


def extension(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


V6 = bytes.fromhex("20010db8000000000000000000000001")
MAPPED = bytes.fromhex("00000000000000000000ffff01020304")
GOOD = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\n", CLIENT, SERVER, False),
    (
        b"PROXY TCP6 2001:DB8::1 ::1 65535 0\r\n",
        IPv6Address("TCP", "2001:db8::1", 65535),
        IPv6Address("TCP", "::1", 0),
        False,
    ),
    (b"PROXY UNKNOWN\r\n", None, None, False),
    (b"PROXY UNKNOWN ffff::1 nobody knows\r\n", None, None, False),
    (over_tcp4(), CLIENT, SERVER, False),
    (over_tcp4(command=0x20), None, None, False),
    (over_tcp4(extension(4, b"padding")), CLIENT, SERVER, False),
    (over_tcp4(extension(0x20, b"\x01\0\0\0\0")), CLIENT, SERVER, True),
    (over_tcp4(extension(0x20, b"\x00\0\0\0\0")), CLIENT, SERVER, False),
    (over_tcp4(extension(0x20, b"")), CLIENT, SERVER, False),
    (
        binary(0x21, 0x21, V6 + MAPPED + struct.pack("!HH", 5, 6)),
        IPv6Address("TCP", "2001:db8::1", 5),
        IPv4Address("TCP", "1.2.3.4", 6),
        False,
    ),
    (binary(0x21, 0x00, b"whatever"), None, None, False),
    (binary(0x21, 0x31, bytes(216)), None, None, False),
    (binary(0x21, 0x12, bytes(12)), None, None, False),
]


@pytest.mark.parametrize(("data", "source", "destination", "secure"), GOOD)
def test_a_header_says_who_the_client_is(data, source, destination, secure):
    """In whatever pieces it comes, and whatever follows."""
    expected = ProxyHeader(len(data), source, destination, secure)
    for end in range(1, len(data)):
        assert read_header(data[:end]) is None
    assert read_header(data) == expected
    assert read_header(data + b"GET / HTTP/1.1\r\n") == expected
    assert read_header(data + data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXY\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        b"PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 ::1 1.2.3.4 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
        b"PROXY TCP4 caf\xe9 1.2.3.4 1 2\r\n",
        b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY UNKNOWN " + b"x" * 100,
        b"\x16\x03\x01",
        SIGNATURE[:11] + b"\r",
        binary(0x11, 0x11, bytes(12)),
        binary(0x22, 0x11, bytes(12)),
        binary(0x21, 0x11, bytes(11)),
        binary(0x21, 0x21, bytes(35)),
        binary(0x21, 0x11, bytes(5000)),
        over_tcp4(b"\x20\0"),
        over_tcp4(b"\x20\0\x09\x01"),
    ],
)
def test_what_is_no_header_is_refused(data):
    """Nothing is guessed: whoever does not speak the protocol is no balancer."""
    with pytest.raises(BadProxyHeader):
        read_header(data)


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"PROXY TCP4 ", b"PROXY TCP6 ", SIGNATURE + b"\x21\x11"]),
)
def test_no_bytes_raise_anything_else(data, beginning):
    """It is asked before anything is known about the peer."""
    try:
        found = read_header(beginning + data)
    except BadProxyHeader:
        return
    assert found is None or found.size <= len(beginning + data)
