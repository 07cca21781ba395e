"""Frames by hand, to say what no library would (RFC 9113)."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """A frame; `length` tells a lie about the payload's."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field without indexing, without Huffman coding; both below 127 bytes."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(path=b"/csi.v1.Identity/Probe", authority=b"localhost", content_type=b"application/grpc"):
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", authority),
              (b"te", b"trailers"), (b"content-type", content_type)]
    return b"".join(literal(name, value) for name, value in fields)


class Connection:
    """A raw connection that has said hello."""

    def __init__(self, path, greet=True, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        if greet:
            self.send(PREFACE + frame(SETTINGS))

    def send(self, data):
        """Sends; a peer that has hung up in the middle is no error here."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def frames(self):
        """Frames as (kind, flags, stream, payload) until the peer hangs up."""
        buffer = b""
        while True:
            while len(buffer) >= 9:
                length = int.from_bytes(buffer[:3], "big")
                if len(buffer) < 9 + length:
                    break
                stream = int.from_bytes(buffer[5:9], "big") & 0x7FFFFFFF
                yield buffer[3], buffer[4], stream, buffer[9:9 + length]
                buffer = buffer[9 + length:]
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return
            if not more:
                return
            buffer += more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
