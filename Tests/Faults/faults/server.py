"""A server that may be killed at any instant, and a client that does what a container orchestrator does then: repeat."""
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import grpc

NOT_FINAL = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED,
             grpc.StatusCode.CANCELLED}


def named_steps() -> list[str]:
    """The crash points that the binary names, in its order; none without a binary."""
    binary = os.environ.get("STOWAGE_BINARY")
    if not binary:
        return []
    return subprocess.run([binary, "crash-points"], check=True, capture_output=True, text=True).stdout.split()


class Kills:
    """Counts the deaths by SIGKILL in a whole test session, by what aimed them."""

    def __init__(self):
        self.by_aim: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self.by_aim.values())

    def count(self, aim: str) -> None:
        self.by_aim[aim] = self.by_aim.get(aim, 0) + 1


class Server:
    """One data directory and socket, served by one process after another."""

    def __init__(self, binary: str, root: Path, csi, kills: Kills):
        self.binary, self.root, self.csi, self.kills = binary, root, csi, kills
        self.data, self.socket = root / "data", root / "csi.sock"
        self.data.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen | None = None
        self.channel: grpc.Channel | None = None
        self.aim = "random"
        self.crashed_at: list[str] = []
        self.lock = threading.RLock()

    # Processes

    def start(self, crash_at: str | None = None) -> None:
        """Starts a process and waits until it answers Probe or dies at its crash point."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("STOWAGE_", "CSI_"))}
        self.aim = "random"
        if crash_at:
            environment["STOWAGE_CRASH_AT"] = crash_at
            self.aim = crash_at.partition(":")[0]
        with open(self.root / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--endpoint", f"unix://{self.socket}", "--data-directory", str(self.data),
                 "--node-id", "node-1", "--log-format", "json"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.await_ready()

    def await_ready(self) -> None:
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.socket))
                    break
                except OSError:
                    pass
            assert time.monotonic() < deadline, f"the server does not listen; see {self.root}/server.log"
            time.sleep(0.001)
        if self.channel:
            self.channel.close()
        self.channel = grpc.insecure_channel(
            f"unix://{self.socket}", options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
        identity = self.csi.grpc.IdentityStub(self.channel)
        while self.process.poll() is None:
            try:
                if identity.Probe(self.csi.pb.ProbeRequest(), timeout=5).ready.value:
                    break
            except grpc.RpcError:
                pass  # dead, as the next poll shows, or unwell, as the limit shows
            assert time.monotonic() < deadline, f"the server does not get ready; see {self.root}/server.log"
            time.sleep(0.001)

    def has_died(self, wait: float = 0) -> bool:
        """Whether the process is gone; if so, notes the kill. Any death but by SIGKILL fails the test."""
        with self.lock:
            if self.process is None:
                return True
            try:
                code = self.process.wait(wait) if wait else self.process.poll()
            except subprocess.TimeoutExpired:
                return False
            if code is None:
                return False
            assert code == -signal.SIGKILL, f"the server ended by itself with {code}; see {self.root}/server.log"
            self.kills.count(self.aim)
            self.crashed_at.append(self.aim)
            self.process = None
            return True

    def kill(self) -> bool:
        """Kills the process if one runs."""
        with self.lock:
            if self.process is None or self.has_died():
                return False
            self.process.kill()
            return self.has_died(wait=20)

    def revive(self) -> None:
        """Starts a process without a crash point if none runs."""
        with self.lock:
            while self.has_died():
                self.start()

    def stop(self) -> None:
        """An orderly stop, which must take the socket away."""
        with self.lock:
            if self.channel:
                self.channel.close()
                self.channel = None
            if self.process is None or self.has_died():
                return
            self.process.terminate()
            code = self.process.wait(20)
            self.process = None
        assert code == 0, f"the server ended with {code} on SIGTERM"
        assert not self.socket.exists(), "the socket was left behind"

    # Calls

    def call(self, service: str, method: str, revive: bool = True, **fields):
        """Repeats a call until it answers OK, starting a new process whenever one died. A final error is raised.

        - revive: False raises ServerDied instead of starting a new process.
        """
        request = getattr(self.csi.pb, f"{method}Request")(**fields)
        deadline = time.monotonic() + 60
        while True:
            if revive:
                self.revive()
            channel = self.channel
            try:
                return getattr(getattr(self.csi.grpc, f"{service}Stub")(channel), method)(request, timeout=30)
            except grpc.RpcError as error:
                # A channel closed by another thread's revival shows as CANCELLED.
                died = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED) and self.has_died(0.05)
                if died and not revive:
                    raise ServerDied from error
                if error.code() not in NOT_FINAL or time.monotonic() > deadline:
                    raise
                if not died:
                    time.sleep(0.005)
            except ValueError:
                # "Cannot invoke RPC on closed channel": another thread has revived the server.
                if channel is self.channel:
                    raise


class ServerDied(Exception):
    """The server died under a call that was not to be repeated."""
