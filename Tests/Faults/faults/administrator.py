"""What an administrator does with LVM's own programs."""
import re
import subprocess
from pathlib import Path

MIB = 1 << 20


def run(*command: str, check: bool = True) -> str:
    """What a program prints. With `check`, its failure fails the test with what it said."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or answer.returncode == 0, f"{' '.join(command)}: {answer.stdout}{answer.stderr}"
    return answer.stdout


def blank(disk: str) -> None:
    """Nothing of a disk's content is left, as far as anybody can tell who reads it."""
    run("wipefs", "--all", "--quiet", disk)
    with open(disk, "r+b", buffering=0) as device:
        device.write(bytes(MIB))


class Group:
    """A volume group on one disk, with extents of 1 MiB."""

    def __init__(self, name: str, disk: str):
        self.name, self.disk = name, disk
        self.mapped = name.replace("-", "--") + "-"
        run("vgcreate", "-qq", "-y", "-s", "1m", name, disk)
        # Where the first extent begins, in bytes.
        self.start = int(run("pvs", "--noheadings", "--units", "b", "--nosuffix", "-o", "pe_start", disk))

    def destroy(self) -> None:
        run("vgremove", "-qq", "-f", "-y", self.name, check=False)
        for file in Path("/sys/block").glob("dm-*/dm/name"):
            if file.read_text().startswith(self.mapped):
                run("dmsetup", "remove", "--force", file.read_text().strip(), check=False)
        run("pvremove", "-qq", "-ff", "-y", self.disk, check=False)

    def create(self, name: str, *arguments: str) -> Path:
        """Makes a logical volume and returns its device."""
        run("lvcreate", "-qq", "-y", "-n", name, *arguments)
        return Path(f"/dev/{self.name}/{name}")

    def volumes(self) -> list[str]:
        return sorted(run("lvs", "--noheadings", "-o", "lv_name", self.name).split())

    def extents(self, volume: str) -> list[tuple[int, int]]:
        """First and last extent of each piece of a linear volume on the disk."""
        pieces = run("lvs", "--noheadings", "-o", "seg_pe_ranges", f"{self.name}/{volume}").split()
        return [tuple(int(word) for word in piece.rpartition(":")[2].split("-")) for piece in pieces]

    def pool_status(self, pool: str) -> list[str]:
        """The kernel's words: transaction, used/all blocks of metadata, used/all blocks of data, ..."""
        return run("dmsetup", "status", f"{self.mapped}{pool}-tpool").split()[3:]

    def write(self, extent: int, content: bytes) -> None:
        """Writes to the disk where an extent lies, as the owner of a volume did that is gone."""
        with open(self.disk, "r+b") as device:
            device.seek(self.start + extent * MIB)
            device.write(content)
            device.flush()
            run("blockdev", "--flushbufs", self.disk)


def volume_of(identity: str) -> str:
    """The logical volume of a volume's or snapshot's id."""
    return re.search(r"cs[is]_[a-z2-7]{26}", identity)[0]
