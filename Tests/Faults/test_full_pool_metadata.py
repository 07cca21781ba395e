"""A thin pool whose metadata are used up: the driver says so, promises nothing that it cannot hold, and recovers."""
import mmap
import os
from pathlib import Path

import grpc
import pytest

from faults import observe
from faults.administrator import MIB, run, volume_of
from faults.life import Life, spotless

pytestmark = pytest.mark.lvm

REFUSALS = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.FAILED_PRECONDITION}
LARGE = 896 * MIB
# Each leaf of the pool's B-tree holds at most 252 chunks of 64 KiB: one write in each unshares them all.
LEAF = 6 * MIB
FILLERS = 6


@pytest.fixture
def pool(group):
    """With as little metadata as LVM makes: 2 MiB."""
    group.create("pool", "--type", "thin-pool", "-L", "1300m", "-c", "64k", "--poolmetadatasize", "2m", "-Zy",
                 group.name)
    return group


def percent_of_metadata(pool) -> float:
    used, whole = (int(word) for word in pool.pool_status("pool")[1].split("/"))
    return 100 * used / whole


def is_writable(pool) -> bool:
    return pool.pool_status("pool")[4] == "rw"


def fill_backwards(device: Path, size: int) -> None:
    """In the order that makes the pool's B-tree largest for these data."""
    with open(device, "r+b", buffering=0) as target:
        for offset in range(size - MIB, -1, -MIB):
            os.pwrite(target.fileno(), b"x" * MIB, offset)
        os.fsync(target.fileno())


class Filler:
    """Uses up metadata, and hardly any data, by writing here and there to snapshots of a volume."""

    def __init__(self, devices: list[Path]):
        self.writes = iter([(device, offset) for device in devices for offset in range(0, LARGE, LEAF)])
        # Direct I/O wants it aligned.
        self.block = mmap.mmap(-1, 4096)

    def until(self, pool, reached) -> None:
        """Stops as well where the pool takes no more."""
        end = "all is written"
        for count, (device, offset) in enumerate(self.writes):
            if count % 16 == 0 and reached():
                return
            descriptor = os.open(device, os.O_WRONLY | os.O_DIRECT)
            try:
                os.pwrite(descriptor, self.block, offset)
            except OSError as error:
                end = f"{device} at {offset}: {error}"
                break
            finally:
                os.close(descriptor)
        assert reached(), f"the pool's metadata are not used up: {end}; {pool.pool_status('pool')}"


def refused(server, service: str, method: str, **fields) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        server.call(service, method, **fields)
    assert refusal.value.code() in REFUSALS, f"{method}: {refusal.value.code()} {refusal.value.details()}"
    words = refusal.value.details()
    clear = ("metadata", "read-only", "takes no writes", "needs a check")
    assert any(word in words for word in clear), f"{method}: {words}"


def copies_are_refused(server, life, origin: str, number: int) -> None:
    """And leave nothing."""
    before = server.backend.kept()
    refused(server, "Controller", "CreateSnapshot", name=f"late-snapshot-{number}", source_volume_id=origin)
    refused(server, "Controller", "CreateVolume", name=f"late-clone-{number}",
            volume_capabilities=[life.block_capability()], volume_content_source=life.from_volume(origin))
    assert server.backend.kept() == before


def condition(server, volume: str):
    return server.call("Controller", "ControllerGetVolume", volume_id=volume).status.volume_condition


def test_a_pool_without_space_for_metadata_refuses_says_so_and_recovers(pool, server):
    server.backend.classes = [{"name": "thin", "volumeGroup": pool.name, "pool": "pool", "overprovision": 50}]
    with spotless(server):
        server.start()
        life = Life(server, "meta")
        origin = life.create("origin", LARGE, block=True)
        early, late = life.create("early", 4 * MIB, block=True), life.create("late", 4 * MIB, block=True)
        keeper = life.create("keeper", 16 * MIB)
        content = observe.write(life.bring(keeper) / "file", os.urandom(MIB))
        fill_backwards(life.bring(origin, block=True), LARGE)
        assert not condition(server, keeper).abnormal
        fillers = [pool.create(f"filler{number}", "-s", "-kn", "-ay", f"{pool.name}/{volume_of(origin)}")
                   for number in range(FILLERS)]
        assert percent_of_metadata(pool) < 70, "full before the test has begun"
        filler = Filler(fillers)

        filler.until(pool, lambda: percent_of_metadata(pool) >= 76)
        assert is_writable(pool) and percent_of_metadata(pool) < 98
        copies_are_refused(server, life, origin, 1)
        told = condition(server, keeper)
        assert told.abnormal and "metadata" in told.message, told
        life.delete(early)
        assert volume_of(early) not in pool.volumes()

        filler.until(pool, lambda: not is_writable(pool) or percent_of_metadata(pool) >= 99)
        copies_are_refused(server, life, origin, 2)
        told = condition(server, keeper)
        assert told.abnormal and ("metadata" in told.message or "read-only" in told.message), told
        try:
            server.call("Controller", "DeleteVolume", volume_id=late)
            assert volume_of(late) not in pool.volumes(), "told as deleted"
        except grpc.RpcError as error:
            assert error.code() in REFUSALS | {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE}, error
        Path("/proc/sys/vm/drop_caches").write_text("3")
        assert observe.checksum(life.target(keeper) / "file") == content

        for volume in (origin, keeper):
            life.take_away(volume)
        server.stop()
        repair(pool)
        server.start()
        assert not condition(server, keeper).abnormal, condition(server, keeper)
        assert observe.checksum(life.bring(keeper) / "file") == content
        observe.write(life.target(keeper) / "more", os.urandom(MIB))
        life.take_away(keeper)
        snapshot = life.snapshot("again", origin)
        server.call("Controller", "DeleteSnapshot", snapshot_id=snapshot)
        for number in range(FILLERS):
            run("lvremove", "-qq", "-y", f"{pool.name}/filler{number}")
        for volume in (origin, late, keeper):
            life.delete(volume)


def repair(pool) -> None:
    """With nothing in use the pool is checked as it comes up, and can grow."""
    run("vgchange", "-qq", "-an", pool.name)
    run("lvchange", "-qq", "-ay", f"{pool.name}/pool")
    run("lvextend", "-qq", "-y", "--poolmetadatasize", "+8m", f"{pool.name}/pool")
    assert is_writable(pool)
