"""What the kernel and the data directory show, read without asking the server."""
import ctypes
import hashlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
# Multiplies time limits, for machines slower than usual.
PATIENCE = float(os.environ.get("STOWAGE_TEST_PATIENCE", "1"))


def adopt_orphans() -> None:
    """Makes this process the parent of what a killed server leaves running, so that it can be seen and waited for."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            pass
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def orphans(limit: float = 5.0) -> list[str]:
    """The adopted processes that still run after at most `limit` seconds. Those that ended are reaped.

    To be asked when no process runs that this one started itself.
    """
    deadline = time.monotonic() + limit * PATIENCE
    while True:
        running = []
        for pid in children(os.getpid()):
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if done == 0:
                running.append(f"{pid} {command_line(pid)}")
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.01)


def unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), field)


def mounts(below: Path) -> list[str]:
    """Mount points at and below a directory, innermost last."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = unescape(line.split()[4])
        if point == str(below) or point.startswith(f"{below}/"):
            found.append(point)
    return found


def loop_devices(below: Path) -> dict[str, str]:
    """Loop devices over files below a directory: device -> backing file as the kernel names it."""
    found = {}
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            file = backing.read_text().strip()
        except OSError:
            continue
        if file.startswith(f"{below}/"):
            found[f"/dev/{backing.parts[3]}"] = file
    return found


def loop_devices_over(files: set[str]) -> list[str]:
    """Loop devices over any of these files or devices."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if backing.read_text().strip() in files:
                found.append(f"/dev/{backing.parts[3]}")
        except OSError:
            continue
    return found


def tree(directory: Path) -> list[str]:
    """Every path in a directory, relative to it."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def source_of(mount_point: Path) -> str:
    """The device mounted on top at a mount point."""
    device = None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if unescape(fields[4]) == str(mount_point):
            device = fields[fields.index("-") + 2]
    assert device is not None, f"nothing is mounted at {mount_point}"
    return device


def filesystem_uuid(mount_point: Path) -> str:
    """The UUID in the superblock on the device, not what a cache remembers of it."""
    answer = subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "UUID", source_of(mount_point)], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def write(path: Path, content: bytes) -> str:
    """Writes a file durably and returns its checksum."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return hashlib.sha256(content).hexdigest()


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accepts_writes(directory: Path, limit: float) -> bool:
    """Whether a write in the directory ends within `limit` seconds. A frozen file system holds it in the kernel."""
    writer = subprocess.Popen(
        ["dd", "if=/dev/zero", f"of={directory / 'thawed?'}", "bs=1", "count=1", "conv=fsync", "status=none"])
    try:
        return writer.wait(limit * PATIENCE) == 0
    except subprocess.TimeoutExpired:
        writer.kill()  # takes effect when the file system thaws
        return False


def clear(directory: Path) -> None:
    """Takes away whatever a failed test left below a directory, so that the next one starts clean."""
    for point in reversed(mounts(directory)):
        subprocess.run(["fsfreeze", "--unfreeze", point], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["umount", point], stderr=subprocess.DEVNULL, check=False)
    for point in reversed(mounts(directory)):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL, check=False)
    for device in loop_devices(directory):
        subprocess.run(["losetup", "--detach", device], stderr=subprocess.DEVNULL, check=False)


def worker(pid: int) -> int | None:
    """The child of a server that runs LVM's commands."""
    return next((child for child in children(pid) if "lvm-worker" in command_line(child)), None)


def has_open(pid: int, ending: str) -> bool:
    """Whether a process has a file open whose path ends so; False for one that is gone."""
    try:
        return any(os.readlink(entry).endswith(ending) for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
