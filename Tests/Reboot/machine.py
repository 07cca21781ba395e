"""Runs in the guest: checks and clears what the last life of this machine left, then lives on until the power goes.

    machine.py JOURNAL SEED live|end
"""
import hashlib
import os
import random
import sys
import tempfile
import threading
import traceback
from pathlib import Path

GROUP, POOL = "stowage-reboot", "thin"
os.environ |= {"STOWAGE_TEST_BACKEND": "lvm", "STOWAGE_TEST_VOLUME_GROUP": GROUP, "STOWAGE_TEST_POOL": POOL,
               "STOWAGE_TEST_PATIENCE": "10"}
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Faults")]

from faults import observe, stubs  # noqa: E402
from faults.administrator import MIB, run  # noqa: E402
from faults.life import Life, read_device, write_device  # noqa: E402
from faults.server import Kills, Server  # noqa: E402

from journal import Journal, Known  # noqa: E402


class Machine:
    def __init__(self, journal: Journal, seed: int):
        self.journal, self.random, self.seed = journal, random.Random(seed), seed
        root = Path(tempfile.mkdtemp(prefix="reboot-"))
        self.server = Server(os.environ["STOWAGE_BINARY"], root, stubs.load(), Kills())
        self.life = Life(self.server, f"life-{seed}")
        self.pb = self.server.csi.pb
        self.count = 0
        self.lock = threading.Lock()

    # After a power cut

    def check(self) -> None:
        """Everything that was answered is there, with what was in it."""
        listed = {entry.volume.volume_id for entry in self.server.call("Controller", "ListVolumes").entries}
        cut = {entry.snapshot.snapshot_id for entry in self.server.call("Controller", "ListSnapshots").entries}
        known = self.journal.known()
        begun = {name for name, one in known.items() if not one.identity}
        answered = {one.identity for one in known.values() if one.identity}
        lost = {one.identity for one in known.values() if one.identity and not one.deletion_begun} - listed - cut
        assert not lost, f"lost: {lost}"
        assert len((listed | cut) - answered) <= len(begun), f"nobody asked for these: {listed | cut} of {known}"
        print(f"after the cut: {len(listed)} volumes, {len(cut)} snapshots; unanswered: {sorted(begun)}", flush=True)
        for name, one in known.items():
            if one.deletion_begun:
                self.delete(name, one)
        for name, one in self.journal.known().items():
            if one.kind == "volume":
                self.check_volume(name, one)
            else:
                self.check_snapshot(name, one)

    def clear(self) -> None:
        for name, one in reversed(list(self.journal.known().items())):
            self.delete(name, one)
        assert self.server.backend.kept() == [], "logical volumes are left"
        assert self.server.backend.devices() == [], "devices are left"
        left = run("lvs", "--noheadings", "-o", "lv_name", GROUP).split()
        assert left == [POOL], f"left in the group: {left}"

    def check_volume(self, name: str, one: Known) -> None:
        """Repeats a creation that was not answered; looks at what was."""
        if not one.identity:
            self.create(name, again=True, **one.facts)
            return
        size = self.server.call("Controller", "ControllerGetVolume", volume_id=one.identity).volume.capacity_bytes
        assert size >= one.size, f"{name} is smaller than was told"
        self.check_content(name, one.identity, one.facts["block"], one.contents)

    def check_snapshot(self, name: str, one: Known) -> None:
        if not one.identity:
            self.snapshot(name, again=True, **one.facts)
            return
        restored = self.life.create(f"look-{name}", one.size, self.life.from_snapshot(one.identity),
                                    block=one.facts["block"])
        self.check_content(name, restored, one.facts["block"], one.contents)
        self.life.delete(restored)

    def check_content(self, name: str, identity: str, block: bool, contents: dict) -> None:
        if not contents:
            return
        target = self.life.bring(identity, block)
        for file, checksum in contents.items():
            found = observe.checksum(target / file) if not block else hashlib.sha256(
                read_device(target, MIB)).hexdigest()
            assert found == checksum, f"{name}: {file} is not what was written"
        self.life.take_away(identity)

    # Until the next one

    def live(self) -> None:
        """Until the machine dies, two at once. A failure ends the guest."""
        def alone() -> None:
            try:
                while True:
                    self.something()
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)

        others = threading.Thread(target=alone, daemon=True)
        others.start()
        alone()

    def something(self) -> None:
        """A volume made, written to, copied, grown, deleted, as chance will have it."""
        with self.lock:
            self.count += 1
            name = f"volume-{self.seed}-{self.count}"
            block, copied, grown, gone = (self.random.random() < odds for odds in (0.5, 0.5, 0.4, 0.4))
            content = self.random.randbytes(MIB)
        volume = self.create(name, block=block, size=16 * MIB, source="")
        contents = self.fill(name, volume, block, content)
        if copied:
            snapshot = self.snapshot(f"{name}-snapshot", source=volume, block=block, contents=contents)
            self.create(f"{name}-clone", block=block, size=16 * MIB, source=snapshot, contents=contents)
        if grown:
            size = self.server.call(
                "Controller", "ControllerExpandVolume", volume_id=volume,
                capacity_range=self.pb.CapacityRange(required_bytes=32 * MIB)).capacity_bytes
            self.journal.write("expanded", name, size=size)
        self.life.take_away(volume)
        if gone:
            self.delete(name, Known("volume", {}, volume))

    def fill(self, name: str, volume: str, block: bool, content: bytes) -> dict:
        target = self.life.bring(volume, block)
        if block:
            write_device(target, content)
        else:
            observe.write(target / "file", content)
        contents = {"file": hashlib.sha256(content).hexdigest()}
        self.note(name, contents)
        return contents

    def note(self, name: str, contents: dict) -> None:
        for file, checksum in contents.items():
            self.journal.write("content", name, file=file, checksum=checksum)

    def create(self, name: str, block: bool, size: int, source: str, contents: dict | None = None,
               again: bool = False) -> str:
        """- contents: what the source holds."""
        if not again:
            self.journal.write("creating", name, kind="volume", block=block, size=size, source=source,
                               contents=contents)
        capability = self.life.block_capability() if block else self.life.capability()
        volume = self.server.call(
            "Controller", "CreateVolume", name=name, capacity_range=self.pb.CapacityRange(required_bytes=size),
            volume_capabilities=[capability],
            volume_content_source=self.life.from_snapshot(source) if source else None).volume
        self.journal.write("created", name, identity=volume.volume_id, size=volume.capacity_bytes)
        self.note(name, contents or {})
        if again:
            self.check_content(name, volume.volume_id, block, contents or {})
        return volume.volume_id

    def snapshot(self, name: str, source: str, block: bool, contents: dict, again: bool = False) -> str:
        if not again:
            self.journal.write("creating", name, kind="snapshot", source=source, block=block, contents=contents)
        snapshot = self.server.call(
            "Controller", "CreateSnapshot", name=name, source_volume_id=source).snapshot
        self.journal.write("created", name, identity=snapshot.snapshot_id, size=snapshot.size_bytes)
        self.note(name, contents)
        return snapshot.snapshot_id

    def delete(self, name: str, one: Known) -> None:
        self.journal.write("deleting", name)
        if one.kind == "volume":
            # Attached when the power went, perhaps.
            self.server.call("Controller", "ControllerUnpublishVolume", volume_id=one.identity, node_id="node-1")
            self.server.call("Controller", "DeleteVolume", volume_id=one.identity)
        else:
            self.server.call("Controller", "DeleteSnapshot", snapshot_id=one.identity)
        self.journal.write("deleted", name)


def make_group(disk: str) -> None:
    run("vgcreate", "-qq", "-y", GROUP, disk)
    run("lvcreate", "-qq", "-y", "--type", "thin-pool", "-l", "80%VG", "--poolmetadatasize", "16m", "-n", POOL, GROUP)


def main(path: str, seed: str, then: str) -> None:
    journal = Journal(Path(path))
    if not journal.path.exists():
        make_group(os.environ["STOWAGE_TEST_DISKS"].split()[0])
        journal.path.touch()
    machine = Machine(journal, int(seed))
    machine.server.start()
    machine.check()
    machine.clear()
    # The host cuts the power some time after this.
    journal.path.with_suffix(".ready").touch()
    if then == "live":
        machine.live()
    machine.server.stop()
    run("vgchange", "-qq", "-an", GROUP)
    check_pool()


def check_pool() -> None:
    """The pool's metadata are sound, by thin_check's word."""
    run("lvchange", "-qq", "-ay", "-y", f"{GROUP}/{POOL}_tmeta")
    run("thin_check", f"/dev/{GROUP}/{POOL}_tmeta")
    run("lvchange", "-qq", "-an", f"{GROUP}/{POOL}_tmeta")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        os._exit(1)
