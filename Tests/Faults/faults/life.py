"""The life of a volume, told as a container orchestrator and a pod would live it. Every call is repeated until OK."""
import os
import random
from contextlib import contextmanager
from pathlib import Path

import grpc

from faults import observe
from faults.server import Server

MIB = 1 << 20
# The least that the tools of each file system accept.
LEAST = {"ext4": 16 * MIB, "xfs": 300 * MIB, "btrfs": 256 * MIB}


class Life:
    """Volumes, snapshots and mounts of one name prefix on one server, with what must hold of them."""

    def __init__(self, server: Server, prefix: str, filesystem: str = "ext4", seed: int = 0):
        self.server, self.prefix, self.filesystem = server, prefix, filesystem
        self.random = random.Random(seed)
        self.pb = server.csi.pb
        self.mode = self.pb.VolumeCapability.AccessMode(mode="SINGLE_NODE_WRITER")
        self.base = server.root / prefix
        self.base.mkdir()
        self.least = LEAST[filesystem]
        self.uuids: dict[str, str] = {}

    # Single calls

    def capability(self):
        mount = self.pb.VolumeCapability.MountVolume(fs_type=self.filesystem)
        return self.pb.VolumeCapability(mount=mount, access_mode=self.mode)

    def block_capability(self):
        return self.pb.VolumeCapability(block=self.pb.VolumeCapability.BlockVolume(), access_mode=self.mode)

    def create(self, name: str, size: int, source=None, block: bool = False, limits: dict | None = None,
               parameters: dict | None = None) -> str:
        volume = self.server.call(
            "Controller", "CreateVolume", name=f"{self.prefix}-{name}",
            capacity_range=self.pb.CapacityRange(required_bytes=size),
            volume_capabilities=[self.block_capability() if block else self.capability()],
            volume_content_source=source, mutable_parameters=limits, parameters=parameters).volume
        assert volume.capacity_bytes >= size
        return volume.volume_id

    def from_snapshot(self, snapshot: str):
        return self.pb.VolumeContentSource(
            snapshot=self.pb.VolumeContentSource.SnapshotSource(snapshot_id=snapshot))

    def from_volume(self, volume: str):
        return self.pb.VolumeContentSource(volume=self.pb.VolumeContentSource.VolumeSource(volume_id=volume))

    def staging(self, volume: str) -> Path:
        return self.base / f"{volume}.staging"

    def target(self, volume: str) -> Path:
        return self.base / f"{volume}.target"

    def bring(self, volume: str, block: bool = False) -> Path:
        """Stages and publishes a volume and returns its target."""
        self.stage(volume, block)
        self.publish(volume, self.target(volume), block)
        return self.target(volume)

    def stage(self, volume: str, block: bool = False) -> None:
        staging = self.staging(volume)
        staging.mkdir(exist_ok=True)
        capability = self.block_capability() if block else self.capability()
        context = self.server.call("Controller", "ControllerPublishVolume", volume_id=volume, node_id="node-1",
                                   volume_capability=capability).publish_context
        self.server.call("Node", "NodeStageVolume", volume_id=volume, staging_target_path=str(staging),
                         volume_capability=capability, publish_context=context)
        if not block:
            self.check_identity(volume)

    def publish(self, volume: str, target: Path, block: bool, readonly: bool = False) -> None:
        capability = self.block_capability() if block else self.capability()
        self.server.call("Node", "NodePublishVolume", volume_id=volume, staging_target_path=str(self.staging(volume)),
                         target_path=str(target), volume_capability=capability, readonly=readonly)

    def check_identity(self, volume: str) -> None:
        """The file system that was there at the first stage is there at every later one."""
        uuid = observe.filesystem_uuid(self.staging(volume))
        assert self.uuids.setdefault(volume, uuid) == uuid, f"{volume} was formatted a second time"

    def take_away(self, volume: str) -> None:
        """Unpublishes, unstages and detaches a volume."""
        self.unpublish(volume, self.target(volume))
        self.server.call("Node", "NodeUnstageVolume", volume_id=volume, staging_target_path=str(self.staging(volume)))
        assert observe.mounts(self.staging(volume)) == []
        assert os.listdir(self.staging(volume)) == [], "the staging directory is not empty"
        self.server.call("Controller", "ControllerUnpublishVolume", volume_id=volume, node_id="node-1")

    def unpublish(self, volume: str, target: Path) -> None:
        self.server.call("Node", "NodeUnpublishVolume", volume_id=volume, target_path=str(target))
        assert not os.path.lexists(target), "the target was left behind"

    def snapshot(self, name: str, volume: str) -> str:
        snapshot = self.server.call(
            "Controller", "CreateSnapshot", name=f"{self.prefix}-{name}", source_volume_id=volume).snapshot
        while not snapshot.ready_to_use:
            snapshot = self.server.call(
                "Controller", "CreateSnapshot", name=f"{self.prefix}-{name}", source_volume_id=volume).snapshot
        return snapshot.snapshot_id

    def expand(self, volume: str, size: int) -> None:
        def total() -> int:
            usage = os.statvfs(self.target(volume))
            return usage.f_blocks * usage.f_frsize

        before = total()
        answer = self.server.call("Controller", "ControllerExpandVolume", volume_id=volume,
                                  capacity_range=self.pb.CapacityRange(required_bytes=size))
        assert answer.capacity_bytes == size
        try:
            self.server.call("Node", "NodeExpandVolume", volume_id=volume, volume_path=str(self.target(volume)),
                             capacity_range=self.pb.CapacityRange(required_bytes=size))
        except grpc.RpcError as error:
            # Where this machine lacks CAP_SYS_RESOURCE, ext4 grows at its next stage.
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
            self.take_away(volume)
            self.bring(volume)
        assert total() > before, "the file system did not grow"

    def delete(self, volume: str) -> None:
        self.server.call("Controller", "DeleteVolume", volume_id=volume)
        try:
            self.server.call("Controller", "ControllerGetVolume", volume_id=volume)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
        else:
            raise AssertionError(f"{volume} is still there after its deletion")

    # Stories

    def everything(self) -> None:
        self.mounted()
        self.raw()
        self.limited()
        self.ephemeral()

    def mounted(self) -> None:
        """Create, write, snapshot, restore, clone, expand, group snapshot, restage, delete."""
        origin = self.create("origin", self.least)
        target = self.bring(origin)
        old = observe.write(target / "file", self.random.randbytes(200_000))
        snapshot = self.snapshot("snapshot", origin)
        new = observe.write(target / "file", self.random.randbytes(300_000))

        restored = self.create("restored", self.least + 8 * MIB, self.from_snapshot(snapshot))
        assert observe.checksum(self.bring(restored) / "file") == old
        cloned = self.create("cloned", self.least, self.from_volume(origin))
        assert observe.checksum(self.bring(cloned) / "file") == new

        self.expand(origin, self.least + 16 * MIB)
        assert observe.checksum(target / "file") == new
        group, members = self.group_snapshot("group", [origin, cloned])
        for volume in (origin, cloned):
            assert observe.accepts_writes(self.target(volume), 10), "a file system stayed frozen"

        for volume in (origin, restored, cloned):
            self.take_away(volume)
        for volume, content in ((origin, new), (restored, old), (cloned, new)):
            assert observe.checksum(self.bring(volume) / "file") == content
            self.take_away(volume)

        # In use by nobody any more: not every machine can hold a pod back.
        self.server.call("Controller", "ControllerModifyVolume", volume_id=cloned,
                         mutable_parameters={"iops-read": "100"})
        self.server.call("GroupController", "DeleteVolumeGroupSnapshot", group_snapshot_id=group, snapshot_ids=members)
        self.server.call("Controller", "DeleteSnapshot", snapshot_id=snapshot)
        for volume in (origin, restored, cloned):
            self.delete(volume)

    def group_snapshot(self, name: str, volumes: list[str]) -> tuple[str, list[str]]:
        group = self.server.call("GroupController", "CreateVolumeGroupSnapshot", name=f"{self.prefix}-{name}",
                                 source_volume_ids=volumes).group_snapshot
        assert {member.source_volume_id for member in group.snapshots} == set(volumes)
        return group.group_snapshot_id, [member.snapshot_id for member in group.snapshots]

    def raw(self) -> None:
        """A raw block volume: written, shown read-only, snapshotted, restored bigger, expanded, read again, deleted."""
        origin = self.create("raw", 4 * MIB, block=True)
        content = self.random.randbytes(MIB)
        write_device(self.bring(origin, block=True), content)
        reader = self.base / "reader"
        self.publish(origin, reader, block=True, readonly=True)
        assert read_device(reader, MIB) == content
        self.unpublish(origin, reader)
        snapshot = self.snapshot("raw-snapshot", origin)
        allocated = self.server.call("SnapshotMetadata", "GetMetadataAllocated", snapshot_id=snapshot)
        assert allocated[0].block_metadata[0].byte_offset == 0
        other = self.random.randbytes(MIB)
        write_device(self.target(origin), other)
        restored = self.create("raw-restored", 8 * MIB, self.from_snapshot(snapshot), block=True)
        assert read_device(self.bring(restored, block=True), MIB) == content
        self.server.call("Controller", "ControllerExpandVolume", volume_id=origin,
                         capacity_range=self.pb.CapacityRange(required_bytes=12 * MIB))
        self.server.call("Node", "NodeExpandVolume", volume_id=origin, volume_path=str(self.target(origin)))
        assert device_size(self.target(origin)) == 12 * MIB
        assert read_device(self.target(origin), MIB) == other
        for volume in (origin, restored):
            self.take_away(volume)
        self.server.call("Controller", "DeleteSnapshot", snapshot_id=snapshot)
        for volume in (origin, restored):
            self.delete(volume)

    def limited(self) -> None:
        """A volume with I/O limits, for a pod that has a control group."""
        pod = "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c01"
        limits = self.server.groups.add(f"kubepods/burstable/pod{pod}")
        volume = self.create("limited", self.least, limits={"iops-read": "100"})
        self.server.call("Controller", "ControllerModifyVolume", volume_id=volume,
                         mutable_parameters={"iops-read": "200", "bps-write": "1Mi"})
        self.stage(volume)
        target = self.base / "pods" / pod / "volumes" / "kubernetes.io~csi" / volume / "mount"
        target.parent.mkdir(parents=True)
        self.publish(volume, target, block=False)
        assert limits.read_text().strip().endswith("rbps=max wbps=1048576 riops=200 wiops=max")
        self.unpublish(volume, target)
        self.take_away(volume)
        self.delete(volume)

    def ephemeral(self) -> None:
        """An inline volume of one pod: made by its publication and gone with it."""
        volume = "csi-" + self.random.randbytes(32).hex()
        target = self.base / "inline"
        self.server.call("Node", "NodePublishVolume", volume_id=volume, target_path=str(target),
                         volume_capability=self.capability(),
                         volume_context={"csi.storage.k8s.io/ephemeral": "true", "size": str(self.least)})
        content = observe.write(target / "file", self.random.randbytes(100_000))
        assert observe.checksum(target / "file") == content
        self.unpublish(volume, target)


def write_device(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_device(path: Path, length: int) -> bytes:
    with open(path, "rb") as device:
        return device.read(length)


def device_size(path: Path) -> int:
    with open(path, "rb") as device:
        return device.seek(0, os.SEEK_END)


@contextmanager
def spotless(server: Server):
    """Runs a story that deletes all it made, then proves that a fresh start finds no trace of it."""
    server.start()
    server.stop()
    empty = server.backend.kept()
    yield
    server.stop()
    server.start()
    assert list(server.call("Controller", "ListVolumes").entries) == []
    assert list(server.call("Controller", "ListSnapshots").entries) == []
    server.stop()
    assert observe.mounts(server.root) == []
    assert server.backend.devices() == []
    assert server.backend.kept() == empty
    assert observe.orphans() == []
