"""An administrator works in the volume group beside the driver: neither loses or touches anything of the other's."""
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults import observe
from faults.administrator import MIB, run, volume_of
from faults.life import Life, spotless

pytestmark = pytest.mark.lvm

CREATES = 30
ROUNDS = 5
AT_ONCE = 3


class Administrator(threading.Thread):
    """Makes, renames and removes volumes, thin and thick, by LVM's programs until told to stop. Every command must
    succeed and change what it says.

    - mine: the volumes that it believes to have.
    """

    def __init__(self, group: str, pool: str):
        super().__init__(daemon=True)
        self.group, self.pool, self.mine = group, pool, set()
        self.rounds = 0
        self.enough = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                self.round()
        except BaseException as failure:
            self.failure = failure

    def round(self) -> None:
        thin = ["--type", "thin", "-V", "8m", "--thinpool", f"{self.group}/{self.pool}"]
        kind = thin if self.rounds % 2 else ["-L", "8m", "-an", "-Zn", "-Wn", self.group]
        made, renamed = f"made{self.rounds}", f"renamed{self.rounds}"
        run("lvcreate", "-qq", "-y", "-n", made, *kind)
        self.mine.add(made)
        run("lvrename", "-qq", self.group, made, renamed)
        self.mine ^= {made, renamed}
        # Some stay to the end.
        if self.rounds % 3:
            run("lvremove", "-qq", "-y", f"{self.group}/{renamed}")
            self.mine.remove(renamed)
        self.rounds += 1

    def stop(self) -> None:
        self.enough.set()
        self.join()
        if self.failure:
            raise self.failure


@pytest.fixture
def administrator(root):
    """With a volume in the test's group, in use before the driver comes. All that it made goes after the test."""
    administrator = Administrator(os.environ["STOWAGE_TEST_VOLUME_GROUP"], os.environ["STOWAGE_TEST_POOL"])
    yield administrator
    administrator.enough.set()
    if administrator.is_alive():
        administrator.join()
    for volume in names(administrator.group):
        if volume.startswith(("made", "renamed", "treasure")):
            run("lvremove", "-qq", "-y", "-f", f"{administrator.group}/{volume}", check=False)


def names(group: str) -> set[str]:
    return set(run("lvs", "--noheadings", "-o", "lv_name", group).split())


def digest(device) -> str:
    run("blockdev", "--flushbufs", str(device))
    with open(device, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def state(group) -> str:
    """All that LVM knows of a group, its sequence number included."""
    return run("vgs", "--noheadings", "-o", "vg_uuid,vg_seqno,vg_tags,lv_count", group.name) + run(
        "lvs", "--noheadings", "-o", "lv_uuid,lv_name,lv_size,lv_tags,lv_active", group.name)


def test_an_administrator_beside_the_driver(group, administrator, server):
    """Three calls at once while LVM's programs change the same group; a group on another disk is nobody's business."""
    other = group.create("treasure", "-L", "16m", group.name)
    other.write_bytes(os.urandom(16 * MIB))
    before = digest(other), state(group)
    run("lvcreate", "-qq", "-y", "-n", "treasure", "-L", "16m", administrator.group)
    treasure = f"/dev/{administrator.group}/treasure"
    with open(treasure, "r+b") as device:
        device.write(os.urandom(16 * MIB))
    content = digest(treasure)

    with spotless(server), ThreadPoolExecutor(AT_ONCE) as calls:
        server.start()
        life = Life(server, "beside")
        keeper = life.create("keeper", 16 * MIB)
        file = observe.write(life.bring(keeper) / "file", os.urandom(MIB))
        administrator.start()
        # Who gets the lock more often is chance: until the administrator has been in the way enough.
        for _ in range(10):
            made = list(calls.map(lambda number: life.create(f"volume-{number}", 4 * MIB), range(CREATES)))
            assert len(set(made)) == CREATES
            there = {volume_of(volume) for volume in made}
            assert there <= names(administrator.group), "told as made"
            listed = {entry.volume.volume_id for entry in server.call("Controller", "ListVolumes").entries}
            assert listed == {*made, keeper}, "the driver lists something else"
            list(calls.map(life.delete, made))
            assert not there & names(administrator.group), "told as deleted"
            if administrator.rounds >= ROUNDS or administrator.failure:
                break
        administrator.stop()
        assert administrator.rounds >= ROUNDS, "the administrator did too little to be in the way"
        assert names(administrator.group) == {
            *administrator.mine, "treasure", administrator.pool, volume_of(keeper)}, "somebody's volumes are lost"
        assert digest(treasure) == content, "the administrator's bytes changed"
        assert (digest(other), state(group)) == before, "the other group was touched"
        life.take_away(keeper)
        assert observe.checksum(life.bring(keeper) / "file") == file
        life.take_away(keeper)
        life.delete(keeper)
