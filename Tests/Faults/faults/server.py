"""A server that may be killed at any instant, and a client that does what a container orchestrator does then: repeat."""
import os
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import grpc

from faults import backend, observe
from faults.observe import PATIENCE

NOT_FINAL = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED,
             grpc.StatusCode.CANCELLED}


def named_steps() -> list[str]:
    """The crash points that the binary names, in its order; none without a binary."""
    binary = os.environ.get("STOWAGE_BINARY")
    if not binary:
        return []
    return subprocess.run([binary, "crash-points"], check=True, capture_output=True, text=True).stdout.split()


class ControlGroups:
    """A directory that looks like cgroup version 2, with plain files: what is written to them can be read."""

    def __init__(self, root: Path):
        self.root = root
        self.add("")

    def add(self, path: str) -> Path:
        """Makes a group and returns its `io.max`."""
        group = self.root / path
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        (group / "io.max").write_text("")
        return group / "io.max"


class Kills:
    """Counts the deaths by SIGKILL in a whole test session, by what aimed them."""

    def __init__(self):
        self.by_aim: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self.by_aim.values())

    @property
    def at_random(self) -> int:
        return sum(n for aim, n in self.by_aim.items() if aim.startswith("random"))

    def count(self, aim: str) -> None:
        self.by_aim[aim] = self.by_aim.get(aim, 0) + 1


class Server:
    """One data directory and socket, served by one process after another."""

    def __init__(self, binary: str, root: Path, csi, kills: Kills):
        self.binary, self.root, self.csi, self.kills = binary, root, csi, kills
        self.backend = backend.BACKENDS[backend.NAME](root)
        self.socket = root / "csi.sock"
        self.groups = ControlGroups(root / "cgroup")
        self.process: subprocess.Popen | None = None
        self.channel: grpc.Channel | None = None
        self.aim = "random"
        self.armory: Armory | None = None
        self.crashed_at: list[str] = []
        self.lock = threading.RLock()

    # Processes

    def start(self, crash_at: str | None = None) -> None:
        """Starts a process and waits until it answers Probe or dies at its crash point."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("STOWAGE_", "CSI_"))}
        environment["STOWAGE_CGROUP_ROOT"] = str(self.groups.root)
        self.aim = "random"
        if crash_at:
            environment["STOWAGE_CRASH_AT"] = crash_at
            self.aim = crash_at.partition(":")[0]
        elif self.armory:
            environment |= self.armory.environment()
        with open(self.root / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--endpoint", f"unix://{self.socket}", *self.backend.arguments(),
                 "--node-id", "node-1", "--log-format", "json"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.await_ready()

    def await_ready(self) -> None:
        deadline = time.monotonic() + 20 * PATIENCE
        while self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.socket))
                    break
                except OSError:
                    pass
            assert time.monotonic() < deadline, f"the server does not listen; see {self.root}/server.log"
            time.sleep(0.005 * PATIENCE)
        if self.channel:
            self.channel.close()
        self.channel = grpc.insecure_channel(
            f"unix://{self.socket}", options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
        identity = self.csi.grpc.IdentityStub(self.channel)
        while self.process.poll() is None:
            try:
                if identity.Probe(self.csi.pb.ProbeRequest(), timeout=5 * PATIENCE).ready.value:
                    break
            except grpc.RpcError:
                pass  # dead, as the next poll shows, or unwell, as the limit shows
            assert time.monotonic() < deadline, f"the server does not get ready; see {self.root}/server.log"
            time.sleep(0.005 * PATIENCE)

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
            aims = self.armory.fired() if self.armory else []
            # What kills a worker leaves its server alive.
            if all(is_of_worker(aim) for aim in aims):
                aims.append(self.aim)
            for aim in aims:
                self.kills.count(aim)
            self.crashed_at += aims
            self.process = None
            return True

    def kill(self) -> bool:
        """Kills the process if one runs."""
        with self.lock:
            if self.process is None or self.has_died():
                return False
            self.process.kill()
            return self.has_died(wait=20 * PATIENCE)

    def kill_worker(self) -> bool:
        """Kills the process that runs LVM's commands, if one runs."""
        with self.lock:
            worker = observe.worker(self.process.pid) if self.process else None
            if worker is None:
                return False
            observe.signal_all([worker], signal.SIGKILL)
            self.kills.count("random worker")
            return True

    def revive(self) -> None:
        """Starts a process without a crash point if none runs."""
        with self.lock:
            while self.has_died():
                self.start()

    def disarm(self) -> None:
        """Stops the process; later ones die of nothing by themselves."""
        self.stop()
        self.armory = None

    def stop(self) -> None:
        """An orderly stop, which must take the socket away."""
        with self.lock:
            if self.channel:
                self.channel.close()
                self.channel = None
            if self.process is None or self.has_died():
                return
            self.process.terminate()
            code = self.process.wait(20 * PATIENCE)
            self.process = None
            for aim in self.armory.fired() if self.armory else []:
                self.kills.count(aim)
        assert code == 0, f"the server ended with {code} on SIGTERM"
        assert not self.socket.exists(), "the socket was left behind"

    # Calls

    def call(self, service: str, method: str, revive: bool = True, **fields):
        """Repeats a call until it answers OK, starting a new process whenever one died. A final error is raised.

        - revive: False raises ServerDied instead of starting a new process.
        """
        request = getattr(self.csi.pb, f"{method}Request")(**fields)
        deadline = time.monotonic() + 60 * PATIENCE
        while True:
            if revive:
                self.revive()
            channel = self.channel
            try:
                answer = getattr(getattr(self.csi.grpc, f"{service}Stub")(channel), method)(
                    request, timeout=30 * PATIENCE)
                return list(answer) if isinstance(answer, grpc.Call) else answer
            except grpc.RpcError as error:
                # A channel closed by another thread's revival shows as CANCELLED.
                died = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED) and self.has_died(0.05)
                if died and not revive:
                    raise ServerDied from error
                if error.code() not in NOT_FINAL or time.monotonic() > deadline and not died:
                    raise
                if died:
                    # Deaths are bounded, and each costs a start: only a server that lives has to answer in time.
                    deadline = time.monotonic() + 60 * PATIENCE
                else:
                    time.sleep(0.005)
            except ValueError:
                # "Cannot invoke RPC on closed channel": another thread has revived the server.
                if channel is self.channel:
                    raise


def is_of_worker(step: str) -> bool:
    """Whether it is the worker that dies at this step, and not the server."""
    return step.startswith("lvm.worker-")


class Armory:
    """Arms many steps at once, at every start: the first that is come to is the one died at, each once a start.

    - steps: how often each is still to be died at; changed here.
    - certain: arms all that are left, each for the first time that it is come to; else half of them at random, some
      for the second time.
    """

    def __init__(self, directory: Path, steps: dict[str, int], choice: random.Random, certain: bool):
        self.directory, self.steps, self.random, self.certain = directory, steps, choice, certain
        self.journal: Path | None = None
        self.starts = 0

    def environment(self) -> dict[str, str]:
        """The variables that arm a process."""
        self.starts += 1
        self.journal = self.directory / f"deaths-{self.starts}"
        armed = [step for step, left in self.steps.items() if left > 0 and (self.certain or self.random.random() < 0.5)]
        if not armed:
            return {}
        counts = (1,) if self.certain else (1, 1, 1, 2)
        return {"STOWAGE_CRASH_AT": ",".join(f"{step}:{self.random.choice(counts)}" for step in armed),
                "STOWAGE_CRASH_JOURNAL": str(self.journal)}

    def fired(self) -> list[str]:
        """The steps died at since the last start; told once."""
        journal, self.journal = self.journal, None
        if journal is None or not journal.exists():
            return []
        fired = journal.read_text().split()
        for step in fired:
            self.steps[step] -= 1
        return fired


class ServerDied(Exception):
    """The server died under a call that was not to be repeated."""
