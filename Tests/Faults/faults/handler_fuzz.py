"""A structured fuzzer for whole handlers: valid calls, mutated, against a real server with real volumes."""
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import grpc

from faults import observe, stubs
from faults.hostile import MIB, Mutator

# What no input may ever cause: these codes mean that the server did not understand its own failure.
NEVER = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS,
         grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
RSS_LIMIT = 512 * MIB
CALL_LIMIT = 30.0
GARDEN_EVERY = 250
MOST_FINDINGS = 10

CONFIGURATION = """\
allowedPaths:
  - {allowed}
"""


class Fuzzer:
    """Runs one server and sends it mutated calls. `findings` are the broken promises, in words."""

    def __init__(self, binary: str, directory: Path, seed: int):
        self.binary, self.directory = binary, directory
        self.allowed, self.outside = directory / "allowed", directory / "outside"
        self.data, self.runtime, self.socket = directory / "data", directory / "runtime", directory / "csi.sock"
        for folder in (self.allowed, self.outside, self.data, self.runtime):
            folder.mkdir()
        (self.outside / "canary").write_text("untouched")
        os.symlink(self.outside, self.allowed / "link")
        os.symlink("/", self.allowed / "root")
        (self.allowed / "file").write_text("a file")
        self.random = random.Random(seed)
        self.csi = stubs.load()
        self.pb = self.csi.pb
        self.executions = self.accepted = 0
        self.findings: list[str] = []
        self.volumes: list[str] = []
        self.snapshots: list[str] = []
        self.groups: list[tuple[str, list[str]]] = []
        self.identifiers: list[str] = []
        self.mutator = Mutator(self.random, self.hostile_paths(), self.identifiers)
        self.methods = [(f"/{service.full_name}/{method.name}", method)
                        for service in self.pb.DESCRIPTOR.services_by_name.values() for method in service.methods]

    # The server

    def start(self) -> None:
        configuration = self.directory / "stowage.yaml"
        configuration.write_text(CONFIGURATION.format(allowed=self.allowed))
        log = open(self.directory / "server.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--config", str(configuration), "--endpoint", f"unix://{self.socket}",
             "--data-directory", str(self.data), "--node-id", "node-1", "--log-format", "json"],
            stdout=log, stderr=log, env={**os.environ, "XDG_RUNTIME_DIR": str(self.runtime),
                                           "ASAN_OPTIONS": "quarantine_size_mb=16:detect_leaks=0"})
        self.channel = grpc.insecure_channel(f"unix://{self.socket}", options=[("grpc.enable_retries", 0)])
        identity = self.csi.grpc.IdentityStub(self.channel)
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                if identity.Probe(self.pb.ProbeRequest(), timeout=5, wait_for_ready=True).ready.value:
                    return
            except grpc.RpcError:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"the server does not get ready:\n{self.log_tail()}")

    def stop(self) -> None:
        self.channel.close()
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code != 0:
            self.findings.append(f"the server ended with {code} on SIGTERM")

    def log_tail(self) -> str:
        return (self.directory / "server.log").read_bytes()[-3000:].decode(errors="replace")

    # The run

    def run(self, seconds: float) -> None:
        self.start()
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline and len(self.findings) < MOST_FINDINGS and self.process.poll() is None:
                self.execute()
                if self.executions % GARDEN_EVERY == 0:
                    self.garden(keep=6)
            if self.process.poll() is not None:
                self.findings.append(f"the server died with {self.process.returncode}:\n{self.log_tail()}")
            else:
                self.garden(keep=0)
        finally:
            self.stop()
        self.check_traces()

    def execute(self) -> None:
        path, method = self.random.choice(self.methods)
        request = self.valid(method)
        if self.random.random() < 0.9:
            self.mutator.mutate(request)
        try:
            data = request.SerializeToString()
        except ValueError:
            return
        if self.random.random() < 0.1:
            data = self.mutator.damage(data)
        self.executions += 1
        self.send(path, method, data)

    def send(self, path: str, method, data: bytes):
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        response_type = getattr(self.pb, method.output_type.name)
        call = make(path, request_serializer=lambda b: b, response_deserializer=response_type.FromString)
        try:
            answer = call(data, timeout=CALL_LIMIT)
            if method.server_streaming:
                for _ in answer:
                    pass
                answer = None
        except grpc.RpcError as error:
            self.judge(path, data, error)
            return None
        self.accepted += 1
        self.remember(method.name, answer)
        return answer

    def judge(self, path: str, data: bytes, error: grpc.RpcError) -> None:
        details = error.details() or ""
        told = f"{path} answered {error.code().name}: {details[:300]}\n  request {data[:400].hex()}"
        if error.code() in NEVER:
            self.findings.append(told)
        elif "Read-only file system" in details or "EROFS" in details:
            self.findings.append(f"a path outside was reached: {told}")
        elif not details or len(details.encode()) > 1024:
            self.findings.append(f"a message must be there and short: {told}")

    # The world

    def hostile_paths(self) -> list[str]:
        here = str(self.allowed)
        return [f"{here}/t{n}" for n in range(4)] + [
            here, f"{here}/", f"{here}/file", f"{here}/link", f"{here}/link/x", f"{here}/root/x", f"{here}/../outside/x",
            f"{here}/./t1", f"{here}//t1", f"{here}/t1/../../outside/x", f"{here}/missing/t", f"{here}/file/t",
            f"{here}/{'d' * 255}", f"{here}/{'d' * 256}", here + "/d" * 2100, f"{here}/\U0001f4a5", f"{here}/a b\nc",
            f"{here}x/t", str(self.outside), f"{self.outside}/x", str(self.directory), str(self.data), str(self.socket),
            "/proc/self/root/x", "/dev/null", "/", "/etc", "/nowhere/x", "relative/path", "../x"]

    def remember(self, name: str, answer) -> None:
        if name == "CreateVolume":
            self.volumes.append(answer.volume.volume_id)
            self.identifiers.append(answer.volume.volume_id)
        elif name == "CreateSnapshot":
            self.snapshots.append(answer.snapshot.snapshot_id)
            self.identifiers.append(answer.snapshot.snapshot_id)
        elif name == "CreateVolumeGroupSnapshot":
            group = answer.group_snapshot
            self.groups.append((group.group_snapshot_id, [member.snapshot_id for member in group.snapshots]))
            self.identifiers.append(group.group_snapshot_id)

    def capability(self):
        mode = self.pb.VolumeCapability.AccessMode(mode=self.random.choice((1, 1, 1, 2, 6, 7)))
        if self.random.random() < 0.3:
            return self.pb.VolumeCapability(block=self.pb.VolumeCapability.BlockVolume(), access_mode=mode)
        mount = self.pb.VolumeCapability.MountVolume(fs_type=self.random.choice(("", "ext4")))
        return self.pb.VolumeCapability(mount=mount, access_mode=mode)

    def pick(self, known: list):
        return self.random.choice(known) if known else "nobody"

    def valid(self, method):
        """A request that would be right, or nearly, in the present world."""
        request = getattr(self.pb, method.input_type.name)()
        group, members = self.random.choice(self.groups) if self.groups else ("nobody", [])
        volume = self.pick(self.volumes)
        slot = self.volumes.index(volume) % 4 if volume in self.volumes else 0
        staging, target = self.allowed / f"s{slot}", self.allowed / f"t{slot}"
        staging.mkdir(exist_ok=True)
        fill = {
            "name": f"name-{self.random.randrange(8)}", "volume_id": volume, "source_volume_id": volume,
            "snapshot_id": self.pick(self.snapshots), "base_snapshot_id": self.pick(self.snapshots),
            "target_snapshot_id": self.pick(self.snapshots), "group_snapshot_id": group, "node_id": "node-1",
            "staging_target_path": str(staging), "target_path": str(target), "volume_path": str(target),
            "volume_publish_path": str(target),
        }
        for field in method.input_type.fields:
            if field.name in fill:
                setattr(request, field.name, fill[field.name])
            elif field.name == "volume_capability":
                request.volume_capability.CopyFrom(self.capability())
            elif field.name == "volume_capabilities":
                request.volume_capabilities.append(self.capability())
            elif field.name == "capacity_range":
                request.capacity_range.required_bytes = self.random.choice((8, 16, 24)) * MIB
            elif field.name == "source_volume_ids":
                request.source_volume_ids.extend({self.pick(self.volumes), self.pick(self.volumes)})
            elif field.name == "snapshot_ids":
                request.snapshot_ids.extend(members)
            elif field.name == "volume_content_source" and self.random.random() < 0.3:
                if self.random.random() < 0.5:
                    request.volume_content_source.snapshot.snapshot_id = self.pick(self.snapshots)
                else:
                    request.volume_content_source.volume.volume_id = volume
        return request

    def must(self, service: str, method: str, tolerated: grpc.StatusCode | None = None, **fields):
        """A valid call that has to succeed, whatever the hostile ones left."""
        request = getattr(self.pb, f"{method}Request")(**fields)
        try:
            return getattr(getattr(self.csi.grpc, f"{service}Stub")(self.channel), method)(request, timeout=CALL_LIMIT)
        except grpc.RpcError as error:
            if error.code() != tolerated:
                self.findings.append(f"clearing up, {method}({fields}) answered {error.code().name}: {error.details()}")
            return None

    def garden(self, keep: int) -> None:
        """Takes everything down but a few volumes by valid calls, and looks at the server's memory."""
        listed = self.must("Controller", "ListVolumes")
        volumes = [entry.volume.volume_id for entry in listed.entries] if listed else []
        self.unpublish(volumes)
        self.unstage(volumes)
        listed = self.must("Controller", "ListSnapshots")
        groups: dict[str, list[str]] = {}
        for entry in listed.entries if listed else []:
            groups.setdefault(entry.snapshot.group_snapshot_id, []).append(entry.snapshot.snapshot_id)
        for snapshot in groups.pop("", []):
            self.must("Controller", "DeleteSnapshot", snapshot_id=snapshot)
        for group, members in groups.items():
            self.must("GroupController", "DeleteVolumeGroupSnapshot", group_snapshot_id=group, snapshot_ids=members)
        for volume in volumes[keep:]:
            self.must("Controller", "DeleteVolume", volume_id=volume)
        self.volumes, self.snapshots, self.groups = volumes[:keep], [], []
        self.identifiers[:] = self.volumes
        self.check_memory()

    def mounted(self) -> list[str]:
        return [point for point in reversed(observe.mounts(self.directory)) if point != str(self.directory)]

    def unpublish(self, volumes: list[str]) -> None:
        """Whichever volume is published wherever: a call for a target of another volume is refused."""
        for volume in volumes:
            for point in self.mounted():
                if Path(point).parent == self.allowed and not Path(point).name.startswith("s"):
                    self.must("Node", "NodeUnpublishVolume", tolerated=grpc.StatusCode.FAILED_PRECONDITION,
                              volume_id=volume, target_path=point)

    def unstage(self, volumes: list[str]) -> None:
        """Whichever volume is staged wherever: a call for another path of the same volume is refused until then."""
        for _ in range(4):
            for volume in volumes:
                for staging in sorted({str(Path(point).parent if Path(point).name == "device" else point)
                                       for point in self.mounted()}):
                    self.must("Node", "NodeUnstageVolume", tolerated=grpc.StatusCode.FAILED_PRECONDITION,
                              volume_id=volume, staging_target_path=staging)
            if not self.mounted():
                break
        else:
            self.findings.append(f"cannot be unstaged: {self.mounted()}")
        for volume in volumes:
            self.must("Node", "NodeUnstageVolume", volume_id=volume, staging_target_path=str(self.allowed / "s0"))
            self.must("Controller", "ControllerUnpublishVolume", volume_id=volume)

    def check_memory(self) -> None:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:") and int(line.split()[1]) * 1024 > RSS_LIMIT:
                self.findings.append(f"memory: {line}")

    def check_traces(self) -> None:
        """Nothing outside the data directory and the allowed folder was touched, and nothing stays mounted."""
        if (self.outside / "canary").read_text() != "untouched" or len(list(self.outside.iterdir())) != 1:
            self.findings.append("the folder outside was touched")
        if self.mounted():
            self.findings.append(f"still mounted: {self.mounted()}")
        if observe.loop_devices(self.directory):
            self.findings.append(f"still attached: {observe.loop_devices(self.directory)}")
        known = {"allowed", "outside", "data", "runtime", "stowage.yaml", "server.log"}
        strangers = {path.name for path in self.directory.iterdir()} - known
        if strangers - {"csi.sock"}:
            self.findings.append(f"strange files: {strangers}")
