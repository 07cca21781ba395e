"""New volumes on space that others have used: nothing of theirs is shown or taken for one's own."""
import os
import subprocess

import grpc
import pytest

from faults import observe
from faults.administrator import MIB, run, volume_of
from faults.life import Life, spotless

pytestmark = pytest.mark.lvm

# What each leaves where libblkid looks, and the size that it wants.
SIGNATURES = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-L", "foreign"], 24),
    "xfs": (["mkfs.xfs", "-q", "-f", "-L", "foreign"], 304),
    "swap": (["mkswap", "--quiet", "-L", "foreign"], 24),
    "LVM2_member": (["pvcreate", "-qq", "-y"], 24),
}


def image(root, kind: str) -> bytes:
    """The first bytes of a device that holds something of this kind."""
    command, size = SIGNATURES[kind]
    file = root / f"{kind}.image"
    with open(file, "wb") as empty:
        empty.truncate(size * MIB)
    if kind == "LVM2_member":
        loop = run("losetup", "--find", "--show", str(file)).strip()
        try:
            run(*command, loop)
        finally:
            run("losetup", "--detach", loop)
    else:
        run(*command, str(file))
    with open(file, "rb") as full:
        content = full.read(24 * MIB)
    file.unlink()
    return content


def seen_at(group, extent: int) -> str:
    """What libblkid finds where an extent of the disk begins."""
    answer = subprocess.run(
        ["blkid", "-p", "-O", str(group.start + extent * MIB), "-o", "value", "-s", "TYPE", group.disk],
        capture_output=True, text=True, check=False)
    return answer.stdout.strip()


@pytest.mark.parametrize(("wipe", "kinds"), [("none", list(SIGNATURES)), ("delete", ["ext4"])], ids=["none", "delete"])
def test_remains_of_a_file_system_are_neither_mounted_nor_in_the_way(group, server, wipe, kinds):
    """New thick volumes lie where somebody's file systems were."""
    server.backend.classes = [{"name": "thick", "volumeGroup": group.name, "layout": "linear", "wipe": wipe}]
    with spotless(server):
        server.start()
        life = Life(server, "old")
        for number, kind in enumerate(kinds):
            group.write(number * 24, image(server.root, kind))
            assert seen_at(group, number * 24) == kind, "the disk does not show what the test wrote"
        for number, kind in enumerate(kinds):
            volume = life.create(kind, 24 * MIB)
            assert group.extents(volume_of(volume)) == [(number * 24, number * 24 + 23)], "it lies elsewhere"
            target = life.bring(volume)
            device = observe.source_of(target)
            found = run("blkid", "-p", "-o", "export", device)
            assert "TYPE=ext4" in found and "foreign" not in found, f"over {kind}: {found}"
            assert os.listdir(target) == ["lost+found"]
            content = observe.write(target / "file", os.urandom(100_000))
            life.take_away(volume)
            assert observe.checksum(life.bring(volume) / "file") == content
            life.take_away(volume)
        for entry in server.call("Controller", "ListVolumes").entries:
            life.delete(entry.volume.volume_id)


# Whole chunks of it are found wherever they lie.
SECRET = b"somebody else's secret, 32 bytes"
CHUNK = SECRET * (MIB // len(SECRET))


def fill(path, size: int) -> None:
    with open(path, "r+b", buffering=0) as device:
        for _ in range(size // MIB):
            device.write(CHUNK)
        os.fsync(device.fileno())


def what_is_in(path, size: int) -> set[bytes]:
    """All the different bytes of a device, which must have this size."""
    found, length = set(), 0
    with open(path, "rb", buffering=0) as device:
        while piece := device.read(MIB):
            length += len(piece)
            found |= {bytes([value]) for value in set(piece)} if piece.strip(b"\0") else {b"\0"}
    assert length == size
    return found


def test_a_thin_volume_shows_nothing_of_those_whose_space_it_got(group, server):
    """A quarter of each chunk is written, so that the pool gives it space: the rest of the chunk is the former
    owner's unless it was zeroed."""
    group.create("pool", "--type", "thin-pool", "-L", "160m", "-c", "64k", "-Zy", group.name)
    server.backend.classes = [{"name": "thin", "volumeGroup": group.name, "pool": "pool"}]
    size = 96 * MIB
    with spotless(server):
        server.start()
        life = Life(server, "tenant")
        first = life.create("first", size, block=True)
        fill(life.bring(first, block=True), size)
        assert used(group) >= size
        life.take_away(first)
        life.delete(first)
        assert used(group) == 0
        second = life.create("second", size, block=True)
        path = life.bring(second, block=True)
        assert what_is_in(path, size) == {b"\0"}
        with open(path, "r+b", buffering=0) as device:
            for offset in range(0, size, 64 << 10):
                os.pwrite(device.fileno(), b"2" * (16 << 10), offset)
            os.fsync(device.fileno())
        # With both, the pool would have been full: space was used again.
        assert used(group) >= size
        assert what_is_in(path, size) == {b"\0", b"2"}
        life.take_away(second)
        life.delete(second)


def used(group) -> int:
    """Bytes that a pool with chunks of 64 KiB has given to volumes."""
    return int(group.pool_status("pool")[2].partition("/")[0]) * (64 << 10)


THICK = 48 * MIB


class Tenants:
    """Volumes of a thick class, each on the space that the one before had."""

    def __init__(self, group, server, wipe: str):
        self.group, self.server = group, server
        server.backend.classes = [{"name": "thick", "volumeGroup": group.name, "layout": "linear", "wipe": wipe}]

    def begin(self) -> Life:
        self.server.start()
        self.life = Life(self.server, "tenant")
        return self.life

    def volume(self, name: str) -> str:
        made = self.life.create(name, THICK, block=True)
        assert self.group.extents(volume_of(made)) == [(0, 47)], "it lies elsewhere"
        return made


def test_a_thick_volume_is_wiped_when_it_goes(group, server):
    tenants = Tenants(group, server, "delete")
    with spotless(server):
        life = tenants.begin()
        first = tenants.volume("first")
        fill(life.bring(first, block=True), THICK)
        life.take_away(first)
        life.delete(first)
        second = tenants.volume("second")
        assert what_is_in(life.bring(second, block=True), THICK) == {b"\0"}
        life.take_away(second)
        life.delete(second)


def test_a_thick_volume_is_wiped_when_it_comes_and_when_it_grows(group, server):
    """Whoever had the space."""
    tenants = Tenants(group, server, "create")
    with spotless(server):
        life = tenants.begin()
        group.write(0, CHUNK * 96)
        third = tenants.volume("third")
        path = life.bring(third, block=True)
        assert what_is_in(path, THICK) == {b"\0"}
        with pytest.raises(grpc.RpcError) as refusal:
            grow(server, third, 2 * THICK)
        assert refusal.value.code() == grpc.StatusCode.FAILED_PRECONDITION, "growth was shown before it was wiped"
        assert what_is_in(path, THICK) == {b"\0"}
        fill(path, THICK)
        life.take_away(third)
        assert grow(server, third, 2 * THICK) == 2 * THICK
        assert group.extents(volume_of(third)) == [(0, 95)]
        path = life.bring(third, block=True)
        with open(path, "rb") as device:
            assert device.read(THICK) == CHUNK * (THICK // MIB), "growing changed what was there"
            assert device.read() == bytes(THICK), "the growth shows somebody else's bytes"
        fill(path, 2 * THICK)
        life.take_away(third)
        life.delete(third)
        fourth = tenants.volume("fourth")
        assert what_is_in(life.bring(fourth, block=True), THICK) == {b"\0"}
        life.take_away(fourth)
        life.delete(fourth)


def grow(server, volume: str, size: int) -> int:
    return server.call("Controller", "ControllerExpandVolume", volume_id=volume,
                       capacity_range=server.csi.pb.CapacityRange(required_bytes=size)).capacity_bytes
