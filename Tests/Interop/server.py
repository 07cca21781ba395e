"""The built server as a process, on a socket and a data directory of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import grpc

import host

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("STOWAGE_BINARY") or os.path.join(REPOSITORY, ".build", "debug", "stowage")
DRIVER = "interop.stowage.dev"
PATIENCE = 30  # seconds that a test waits for what must happen


def wait_until(what, condition, seconds=PATIENCE):
    """Asks `condition` again and again; its first true answer, or a failure that names `what`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"gave up after {seconds} s: {what}")


class Server:
    """`stowage serve` with clients for each service; `stop` proves that it leaves nothing behind."""

    def __init__(self, stubs, arguments=(), environment=None):
        self.stubs = stubs
        self.directory = os.path.realpath(tempfile.mkdtemp(prefix="stow-", dir="/tmp"))
        self.sockets = os.path.join(self.directory, "s")
        self.data = os.path.join(self.directory, "data")
        self.work = os.path.join(self.directory, "work")
        for path in (self.sockets, self.data, self.work):
            os.mkdir(path)
        self.socket = os.path.join(self.sockets, "csi.sock")
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.process = None
        self.channels = []
        self.log_path = os.path.join(self.directory, "log")

    def command(self, endpoint=None):
        return [
            BINARY, "serve", "--endpoint", endpoint or "unix://" + self.socket, "--data-directory", self.data,
            "--node-id", "node-1", "--driver-name", DRIVER, "--log-format", "json", *self.arguments,
        ]

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CSI_", "STOWAGE_"))}
        environment.update(self.environment)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        wait_until("the server is ready", self.is_ready)
        return self

    def is_ready(self):
        assert self.process.poll() is None, "the server ended: " + self.log()
        return os.path.exists(self.socket) and self.probe()

    def probe(self):
        """Whether a client that has just connected is told that the server is ready."""
        with grpc.insecure_channel("unix://" + self.socket) as channel:
            try:
                answer = self.stubs.grpc.IdentityStub(channel).Probe(self.stubs.pb.ProbeRequest(), timeout=5)
            except grpc.RpcError:
                return False
            return answer.ready.value

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def channel(self, *options):
        channel = grpc.insecure_channel(
            "unix://" + self.socket, options=[("grpc.use_local_subchannel_pool", 1), *options])
        self.channels.append(channel)
        return channel

    def client(self, *options):
        """Stubs of all services on one new channel."""
        return Client(self.stubs.grpc, self.channel(*options))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def terminate(self):
        """Asks the server to end and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def stop(self):
        for channel in self.channels:
            channel.close()
        try:
            if self.process and self.process.poll() is None:
                assert self.terminate() == 0, self.log()
            assert host.mounts(self.directory) == []
            assert host.loop_devices(self.directory) == {}
        finally:
            self.clean()

    def clean(self):
        """Takes away whatever a failed test left."""
        if self.process and self.process.poll() is None:
            self.kill()
        for point in reversed(host.mounts(self.directory)):
            subprocess.run(["umount", "-l", point], check=False, capture_output=True)
        for device in host.loop_devices(self.directory):
            subprocess.run(["losetup", "-d", device], check=False, capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)


class Client:
    def __init__(self, services, channel):
        self.channel = channel
        self.identity = services.IdentityStub(channel)
        self.controller = services.ControllerStub(channel)
        self.group = services.GroupControllerStub(channel)
        self.metadata = services.SnapshotMetadataStub(channel)
        self.node = services.NodeStub(channel)
