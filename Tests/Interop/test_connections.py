"""What arrives on the socket that is not a well-behaved client."""

import os
import socket
import struct
import time

import grpc
import pytest

import http2
import server as servers
from http2 import Connection, frame, request_headers

PROBE_BODY = b"\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("authority", [
    "localhost", "/csi/csi.sock", "%2Fcsi%2Fcsi.sock", "a b", "unix:///csi/csi.sock", "example.org:50051", "[::1]:1",
])
def test_any_authority_is_accepted(server, pb, authority):
    client = server.client(("grpc.default_authority", authority))
    assert client.identity.Probe(pb.ProbeRequest(), timeout=5).ready.value


def test_pings_of_an_idle_connection_are_answered_and_never_too_many(server):
    with Connection(server.socket) as connection:
        for number in range(50):
            connection.send(frame(http2.PING, payload=struct.pack(">Q", number)))
        answers = []
        for kind, flags, _, payload in connection.frames():
            assert kind != http2.GOAWAY, payload
            if kind == http2.PING and flags & http2.ACK:
                answers.append(struct.unpack(">Q", payload)[0])
                if len(answers) == 50:
                    break
        assert answers == list(range(50))


def test_keepalive_of_a_real_client_is_permitted_without_calls(server, pb):
    client = server.client(
        ("grpc.keepalive_time_ms", 100), ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0), ("grpc.keepalive_timeout_ms", 5000))
    states = []
    client.channel.subscribe(states.append)
    assert client.identity.Probe(pb.ProbeRequest()).ready.value
    time.sleep(1.5)  # idle for some fifteen pings; what is shown is that nothing happens
    assert client.identity.Probe(pb.ProbeRequest()).ready.value
    assert grpc.ChannelConnectivity.TRANSIENT_FAILURE not in states


def hpack_index(number):
    """An indexed header field that refers to a table entry (RFC 7541, 6.1)."""
    return bytes([0x80 | number]) if number < 127 else b"\xff" + bytes([number - 127 & 0x7F])


MALFORMED = {
    "a frame longer than allowed": frame(http2.DATA, stream=1, payload=b"", length=0xFFFFFF) + b"x" * 4096,
    "data on a stream that was never opened": frame(http2.DATA, http2.END_STREAM, 1, PROBE_BODY),
    "headers on stream zero": frame(http2.HEADERS, http2.END_HEADERS, 0, request_headers()),
    "headers on an even stream": frame(http2.HEADERS, http2.END_HEADERS, 2, request_headers()),
    "a header table index that does not exist": frame(http2.HEADERS, http2.END_HEADERS, 1, hpack_index(200)),
    "a header string longer than the frame": frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x00\x7f\xff\xff\x7f"),
    "bad Huffman code": frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x00\x84\xff\xff\xff\xff\x01x"),
    "padding longer than the frame": frame(http2.HEADERS, http2.END_HEADERS | http2.PADDED, 1, b"\xff\x00"),
    "settings of a broken length": frame(http2.SETTINGS, payload=b"\x00\x01\x00"),
    "settings of a value out of range": frame(http2.SETTINGS, payload=struct.pack(">HI", 4, 0xFFFFFFFF)),
    "a window update of zero": frame(http2.WINDOW_UPDATE, payload=struct.pack(">I", 0)),
    "a window that overflows": frame(http2.WINDOW_UPDATE, payload=struct.pack(">I", 0x7FFFFFFF)) * 2,
    "a ping of seven bytes": frame(http2.PING, payload=b"1234567"),
    "a goaway": frame(http2.GOAWAY, payload=struct.pack(">II", 0, 2) + b"bye"),
    "a push promise": frame(http2.PUSH_PROMISE, http2.END_HEADERS, 1, struct.pack(">I", 2) + request_headers()),
    "a continuation that follows nothing": frame(http2.CONTINUATION, http2.END_HEADERS, 1, request_headers()),
    "an unknown frame": frame(0x7F, 0xFF, 0, b"future"),
    "a reset of a stream that was never opened": frame(http2.RST_STREAM, 0, 99, struct.pack(">I", 8)),
    "headers that never end": frame(http2.HEADERS, 0, 1, request_headers())
    + frame(http2.CONTINUATION, 0, 1, http2.literal(b"x-filler", b"y" * 100)) * 2000,
    "ten thousand streams opened and reset": b"".join(
        frame(http2.HEADERS, http2.END_HEADERS, n, request_headers())
        + frame(http2.RST_STREAM, 0, n, struct.pack(">I", 8)) for n in range(1, 20001, 2)),
    "a flood of settings": frame(http2.SETTINGS) * 5000,
    "a flood of empty data": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers())
    + frame(http2.DATA, 0, 1) * 5000,
    "a message cut in its prefix": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers())
    + frame(http2.DATA, http2.END_STREAM, 1, b"\x00\x00"),
    "a message shorter than it says": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers())
    + frame(http2.DATA, http2.END_STREAM, 1, b"\x00\x00\x00\x00\x09abc"),
    "a message of four gibibytes": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers())
    + frame(http2.DATA, 0, 1, b"\x00\xff\xff\xff\xffabc"),
    "a compressed message without an encoding": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers())
    + frame(http2.DATA, http2.END_STREAM, 1, b"\x01\x00\x00\x00\x03abc"),
    "two messages in a unary call": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers())
    + frame(http2.DATA, http2.END_STREAM, 1, PROBE_BODY * 2),
    "a call without a message": frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, request_headers()),
    "a content type that is not gRPC": frame(
        http2.HEADERS, http2.END_HEADERS, 1, request_headers(content_type=b"text/html")),
    "a path without a slash": frame(http2.HEADERS, http2.END_HEADERS, 1, request_headers(path=b"Probe")),
    "a call without pseudo headers": frame(http2.HEADERS, http2.END_HEADERS, 1, http2.literal(b"te", b"trailers")),
    "headers of the wrong case": frame(
        http2.HEADERS, http2.END_HEADERS, 1, request_headers() + http2.literal(b"Upper", b"\x00\x01")),
}


@pytest.fixture(scope="module")
def battered(stubs):
    """One server for all that is thrown at it: it must outlive everything."""
    one = servers.Server(stubs)
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.clean()


@pytest.mark.parametrize("bytes_sent", list(MALFORMED.values()), ids=list(MALFORMED))
def test_the_server_outlives(battered, bytes_sent):
    with Connection(battered.socket) as connection:
        connection.send(bytes_sent)
        assert battered.probe()
    assert battered.probe()
    assert battered.process.poll() is None


@pytest.mark.parametrize("opening", [
    b"", b"\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n", http2.PREFACE, http2.PREFACE + b"\x00" * 64,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", os.urandom(65536),
], ids=["silence", "a zero", "HTTP/1.1", "half a preface", "a preface alone", "zeroes", "TLS", "SSH", "noise"])
def test_the_server_outlives_a_connection_that_opens_with(battered, opening):
    with Connection(battered.socket, greet=False) as connection:
        connection.send(opening)
        assert battered.probe()
    assert battered.probe()


def test_the_server_outlives_noise_in_place_of_frames(battered):
    for _ in range(200):
        with Connection(battered.socket) as connection:
            connection.send(os.urandom(512))
    assert battered.probe()
    assert battered.process.poll() is None


def test_two_hundred_idle_connections_keep_nobody_out(battered):
    idle = [Connection(battered.socket, greet=False) for _ in range(200)]
    try:
        assert battered.probe()
    finally:
        for connection in idle:
            connection.socket.close()
    assert battered.probe()


def test_file_descriptors_of_gone_connections_are_given_back(battered):
    def count():
        return len(os.listdir(f"/proc/{battered.process.pid}/fd"))

    before = count()
    for _ in range(300):
        assert battered.probe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as short:
            short.connect(battered.socket)
    servers.wait_until("the connections are closed", lambda: count() <= before + 5)
