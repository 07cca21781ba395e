"""The calls that most tests begin with."""

import contextlib
import os

import grpc
import pytest

import host

MIB = 1 << 20


@contextlib.contextmanager
def refused(*codes):
    """The body must fail with one of `codes` and say why in a message without details."""
    with pytest.raises(grpc.RpcError) as failure:
        yield failure
    assert failure.value.code() in codes, failure.value
    assert failure.value.details()
    assert "grpc-status-details-bin" not in dict(failure.value.trailing_metadata() or ())


def mount(pb, fs_type="ext4", mode="SINGLE_NODE_WRITER", flags=(), group=""):
    return pb.VolumeCapability(
        mount=pb.VolumeCapability.MountVolume(fs_type=fs_type, mount_flags=flags, volume_mount_group=group),
        access_mode=pb.VolumeCapability.AccessMode(mode=mode))


def block(pb, mode="SINGLE_NODE_WRITER"):
    return pb.VolumeCapability(
        block=pb.VolumeCapability.BlockVolume(), access_mode=pb.VolumeCapability.AccessMode(mode=mode))


def size(pb, mib):
    return pb.CapacityRange(required_bytes=mib * MIB)


def from_snapshot(pb, snapshot_id):
    return pb.VolumeContentSource(snapshot=pb.VolumeContentSource.SnapshotSource(snapshot_id=snapshot_id))


def from_volume(pb, volume_id):
    return pb.VolumeContentSource(volume=pb.VolumeContentSource.VolumeSource(volume_id=volume_id))


class Node:
    """One volume on its way to a target path and back."""

    def __init__(self, server, client, volume, capability, name=None):
        self.pb, self.client, self.volume, self.capability = server.stubs.pb, client, volume, capability
        name = name or volume.volume_id
        self.staging = os.path.join(server.work, name + ".staging")
        self.target = os.path.join(server.work, name + ".target")

    def stage(self):
        os.makedirs(self.staging, exist_ok=True)
        self.client.node.NodeStageVolume(self.pb.NodeStageVolumeRequest(
            volume_id=self.volume.volume_id, staging_target_path=self.staging, volume_capability=self.capability,
            volume_context=self.volume.volume_context))

    def publish(self, readonly=False):
        self.client.node.NodePublishVolume(self.pb.NodePublishVolumeRequest(
            volume_id=self.volume.volume_id, staging_target_path=self.staging, target_path=self.target,
            volume_capability=self.capability, readonly=readonly, volume_context=self.volume.volume_context))

    def unpublish(self):
        self.client.node.NodeUnpublishVolume(self.pb.NodeUnpublishVolumeRequest(
            volume_id=self.volume.volume_id, target_path=self.target))

    def unstage(self):
        self.client.node.NodeUnstageVolume(self.pb.NodeUnstageVolumeRequest(
            volume_id=self.volume.volume_id, staging_target_path=self.staging))

    def __enter__(self):
        self.stage()
        self.publish()
        return self

    def __exit__(self, *_):
        self.unpublish()
        self.unstage()


def fill(path, count):
    """Writes `count` bytes that no compression or hole detection makes smaller, and lets them reach the disk."""
    chunk = os.urandom(MIB)
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        for _ in range(count // MIB):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def slow_source(server, client, mib=256):
    """A raw block volume full of data: on a file system without reflinks its clone takes a good while."""
    pb = server.stubs.pb
    volume = client.controller.CreateVolume(pb.CreateVolumeRequest(
        name="slow", capacity_range=size(pb, mib), volume_capabilities=[block(pb)])).volume
    with Node(server, client, volume, block(pb)) as node:
        fill(node.target, mib * MIB)
    return volume


def clone_request(pb, source, name="copy"):
    return pb.CreateVolumeRequest(
        name=name, capacity_range=pb.CapacityRange(required_bytes=source.capacity_bytes),
        volume_capabilities=[block(pb)], volume_content_source=from_volume(pb, source.volume_id))


def copying(server):
    """A condition that is true once the server has put another file into its data directory."""
    before = host.files(server.data)
    return lambda: host.files(server.data) != before


def delete(client, pb, *volumes):
    for volume in volumes:
        client.controller.DeleteVolume(pb.DeleteVolumeRequest(volume_id=volume.volume_id))
