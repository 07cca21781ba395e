"""The main flows of a CO, by a client that shares no code with the server."""

import os

import grpc
import pytest

import host
from volumes import MIB, Node, block, delete, from_snapshot, from_volume, mount, refused, size


def test_the_plugin_introduces_itself(client, pb):
    info = client.identity.GetPluginInfo(pb.GetPluginInfoRequest())
    assert info.name == "interop.stowage.dev"
    assert info.vendor_version
    services = {c.service.type for c in client.identity.GetPluginCapabilities(
        pb.GetPluginCapabilitiesRequest()).capabilities if c.HasField("service")}
    assert pb.PluginCapability.Service.CONTROLLER_SERVICE in services
    assert client.identity.Probe(pb.ProbeRequest()).ready.value
    assert client.node.NodeGetInfo(pb.NodeGetInfoRequest()).node_id == "node-1"


@pytest.mark.parametrize("fs_type, mib", [("ext4", 64), ("xfs", 320), ("btrfs", 256)])
def test_a_volume_lives_its_whole_life_on(server, client, pb, fs_type, mib):
    request = pb.CreateVolumeRequest(
        name="life", capacity_range=size(pb, mib), volume_capabilities=[mount(pb, fs_type)])
    volume = client.controller.CreateVolume(request).volume
    assert volume.capacity_bytes == mib * MIB
    assert client.controller.CreateVolume(request).volume == volume

    with Node(server, client, volume, mount(pb, fs_type)) as node:
        assert node.target in host.mounts(server.work)
        with open(os.path.join(node.target, "file"), "w") as file:
            file.write("kept")
        usage = {u.unit: u for u in client.node.NodeGetVolumeStats(pb.NodeGetVolumeStatsRequest(
            volume_id=volume.volume_id, volume_path=node.target)).usage}
        assert 0 < usage[pb.VolumeUsage.BYTES].total <= volume.capacity_bytes
        assert pb.VolumeUsage.INODES in usage
        with refused(grpc.StatusCode.FAILED_PRECONDITION):
            delete(client, pb, volume)
    assert not os.path.exists(node.target)
    assert host.mounts(server.work) == []

    with Node(server, client, volume, mount(pb, fs_type)) as node:
        with open(os.path.join(node.target, "file")) as file:
            assert file.read() == "kept"

    delete(client, pb, volume, volume)
    assert not client.controller.ListVolumes(pb.ListVolumesRequest()).entries


def test_a_snapshot_keeps_what_the_volume_held_and_a_clone_what_it_holds(server, client, pb):
    capability = mount(pb)
    origin = client.controller.CreateVolume(pb.CreateVolumeRequest(
        name="origin", capacity_range=size(pb, 64), volume_capabilities=[capability])).volume
    with Node(server, client, origin, capability) as node:
        with open(os.path.join(node.target, "file"), "w") as file:
            file.write("old")
        snapshot = client.controller.CreateSnapshot(pb.CreateSnapshotRequest(
            name="point", source_volume_id=origin.volume_id)).snapshot
        assert snapshot.source_volume_id == origin.volume_id
        assert snapshot.creation_time.seconds > 0
        with open(os.path.join(node.target, "file"), "w") as file:
            file.write("new")

    restored = client.controller.CreateVolume(pb.CreateVolumeRequest(
        name="restored", capacity_range=size(pb, 96), volume_capabilities=[capability],
        volume_content_source=from_snapshot(pb, snapshot.snapshot_id))).volume
    cloned = client.controller.CreateVolume(pb.CreateVolumeRequest(
        name="cloned", capacity_range=size(pb, 64), volume_capabilities=[capability],
        volume_content_source=from_volume(pb, origin.volume_id))).volume
    assert restored.content_source.snapshot.snapshot_id == snapshot.snapshot_id
    assert cloned.content_source.volume.volume_id == origin.volume_id

    for volume, text in ((restored, "old"), (cloned, "new")):
        with Node(server, client, volume, capability) as node:
            with open(os.path.join(node.target, "file")) as file:
                assert file.read() == text
            if volume is restored:
                assert os.statvfs(node.target).f_blocks * os.statvfs(node.target).f_frsize > 70 * MIB

    client.controller.DeleteSnapshot(pb.DeleteSnapshotRequest(snapshot_id=snapshot.snapshot_id))
    delete(client, pb, origin, restored, cloned)


def test_a_file_system_grows_while_it_is_in_use(server, client, pb):
    capability = mount(pb, "xfs")
    volume = client.controller.CreateVolume(pb.CreateVolumeRequest(
        name="growing", capacity_range=size(pb, 320), volume_capabilities=[capability])).volume
    with Node(server, client, volume, capability) as node:
        before = os.statvfs(node.target).f_blocks
        grown = client.controller.ControllerExpandVolume(pb.ControllerExpandVolumeRequest(
            volume_id=volume.volume_id, capacity_range=size(pb, 512), volume_capability=capability))
        assert grown.capacity_bytes == 512 * MIB
        assert grown.node_expansion_required
        client.node.NodeExpandVolume(pb.NodeExpandVolumeRequest(
            volume_id=volume.volume_id, volume_path=node.target, capacity_range=size(pb, 512)))
        assert os.statvfs(node.target).f_blocks > before * 5 // 4
    delete(client, pb, volume)


def test_a_raw_block_volume_is_a_device_of_the_exact_size(server, client, pb):
    volume = client.controller.CreateVolume(pb.CreateVolumeRequest(
        name="raw", capacity_range=size(pb, 16), volume_capabilities=[block(pb)])).volume
    with Node(server, client, volume, block(pb)) as node:
        with open(node.target, "r+b") as device:
            assert device.seek(0, os.SEEK_END) == 16 * MIB
            device.seek(MIB)
            device.write(b"raw")
            os.fsync(device.fileno())
    with Node(server, client, volume, block(pb)) as node:
        with open(node.target, "rb") as device:
            device.seek(MIB)
            assert device.read(3) == b"raw"
    delete(client, pb, volume)


def test_a_group_is_snapshotted_as_one_and_changed_blocks_are_told(server, client, pb):
    volumes = [client.controller.CreateVolume(pb.CreateVolumeRequest(
        name=name, capacity_range=size(pb, 16), volume_capabilities=[block(pb)])).volume for name in ("a", "b")]
    group = client.group.CreateVolumeGroupSnapshot(pb.CreateVolumeGroupSnapshotRequest(
        name="both", source_volume_ids=[v.volume_id for v in volumes])).group_snapshot
    assert {s.source_volume_id for s in group.snapshots} == {v.volume_id for v in volumes}
    assert all(s.group_snapshot_id == group.group_snapshot_id for s in group.snapshots)

    first = client.controller.CreateSnapshot(pb.CreateSnapshotRequest(
        name="first", source_volume_id=volumes[0].volume_id)).snapshot
    with Node(server, client, volumes[0], block(pb)) as node:
        with open(node.target, "r+b") as device:
            device.seek(4 * MIB)
            device.write(b"x" * MIB)
            os.fsync(device.fileno())
    second = client.controller.CreateSnapshot(pb.CreateSnapshotRequest(
        name="second", source_volume_id=volumes[0].volume_id)).snapshot
    blocks = [b for answer in client.metadata.GetMetadataDelta(pb.GetMetadataDeltaRequest(
        base_snapshot_id=first.snapshot_id, target_snapshot_id=second.snapshot_id)) for b in answer.block_metadata]
    assert any(b.byte_offset <= 4 * MIB and 5 * MIB <= b.byte_offset + b.size_bytes for b in blocks)
    assert sum(b.size_bytes for b in blocks) < 8 * MIB

    for snapshot in (first, second):
        client.controller.DeleteSnapshot(pb.DeleteSnapshotRequest(snapshot_id=snapshot.snapshot_id))
    client.group.DeleteVolumeGroupSnapshot(pb.DeleteVolumeGroupSnapshotRequest(
        group_snapshot_id=group.group_snapshot_id, snapshot_ids=[s.snapshot_id for s in group.snapshots]))
    assert not client.controller.ListSnapshots(pb.ListSnapshotsRequest()).entries
    delete(client, pb, *volumes)
