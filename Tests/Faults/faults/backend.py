"""Which kind of storage is under test: STOWAGE_TEST_BACKEND, the file backend when unset. The LVM backend's volume group
and thin pool are named by STOWAGE_TEST_VOLUME_GROUP and STOWAGE_TEST_POOL."""
import json
import os
import subprocess
from pathlib import Path

from faults import observe

NAME = os.environ.get("STOWAGE_TEST_BACKEND", "file")
# The steps that only one backend comes to; all others are the driver's own.
STEPS = {
    "file": ("create.before-rename", "create.after-rename", "expand.recorded", "snapshot.before-rename",
             "snapshot.after-rename", "record."),
    "lvm": ("lvm.",),
}
# Steps of encryption, which needs device-mapper whatever the backend: Tests/DeviceMapperTests dies at them.
ELSEWHERE = ("luks.",)


def is_reachable(step: str) -> bool:
    """Whether a life on the backend under test has to come to this step."""
    return not step.startswith(ELSEWHERE) and not any(
        step.startswith(prefixes) for backend, prefixes in STEPS.items() if backend != NAME)


class FileBackend:
    """Volumes are files in a directory of the server's own, on loop devices."""

    def __init__(self, root: Path):
        self.root, self.data = root, root / "data"
        self.data.mkdir(parents=True, exist_ok=True)

    def arguments(self) -> list[str]:
        return ["--data-directory", str(self.data)]

    def kept(self) -> list[str]:
        """What volumes and snapshots are kept in."""
        return observe.tree(self.data)

    def devices(self) -> list[str]:
        """What the kernel has of them."""
        return sorted(observe.loop_devices(self.root))

    def clear(self) -> None:
        observe.clear(self.root)


class LVMBackend:
    """Volumes are thin logical volumes of a group made for the test, unless the test gives it other device classes.

    - classes: as in the configuration file.
    """

    def __init__(self, root: Path):
        self.root = root
        self.group, self.pool = os.environ["STOWAGE_TEST_VOLUME_GROUP"], os.environ["STOWAGE_TEST_POOL"]
        self.classes = [{"name": "thin", "volumeGroup": self.group, "pool": self.pool}]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the names of the groups' devices begin with in /dev/mapper."""
        return tuple(group.replace("-", "--") + "-" for group in self.groups)

    @property
    def groups(self) -> list[str]:
        return sorted({one["volumeGroup"] for one in self.classes})

    def arguments(self) -> list[str]:
        file = self.root / "stowage.yaml"
        backend = {"name": "lvm", "type": "lvm", "runtimeDirectory": str(self.root / "run"), "classes": self.classes}
        # JSON is YAML.
        file.write_text(json.dumps({"backends": [backend]}))
        return ["--config", str(file)]

    def kept(self) -> list[str]:
        return [name for group in self.groups for name in self.kept_in(group)]

    def kept_in(self, group: str) -> list[str]:
        answer = subprocess.run(
            ["lvs", "--noheadings", "-o", "lv_name", group], check=True, capture_output=True, text=True)
        return sorted(name for name in answer.stdout.split() if name.startswith(("csi_", "css_")))

    def mapped(self) -> dict[str, Path]:
        """Active devices of the groups: name in /dev/mapper -> place in /sys."""
        found = {}
        for file in Path("/sys/block").glob("dm-*/dm/name"):
            try:
                name = file.read_text().strip()
            except OSError:
                continue
            if name.startswith(self.prefixes):
                found[name] = file.parent
        return found

    def devices(self) -> list[str]:
        """Active devices of volumes, whatever is suspended, and loop devices over volumes."""
        mapped = self.mapped()
        ours = {name: place for name, place in mapped.items()
                if name.startswith(tuple(prefix + kind for prefix in self.prefixes for kind in ("csi_", "css_")))}
        files = {f"/dev/{place.parent.name}" for place in ours.values()} | {f"/dev/mapper/{name}" for name in ours}
        return sorted(
            [*ours, *(f"{name} (suspended)" for name, place in mapped.items() if is_suspended(place)),
             *observe.loop_devices_over(files), *observe.loop_devices(self.root)])

    def clear(self) -> None:
        for name, place in self.mapped().items():
            if is_suspended(place):
                subprocess.run(["dmsetup", "resume", name], check=False)
        observe.clear(self.root)
        for device in self.devices():
            if device.startswith("/dev/loop"):
                subprocess.run(["losetup", "--detach", device], check=False)
        for group in self.groups:
            for volume in self.kept_in(group):
                subprocess.run(["lvremove", "-y", "-f", f"{group}/{volume}"], check=False)


def is_suspended(place: Path) -> bool:
    try:
        return (place / "suspended").read_text().strip() == "1"
    except OSError:
        return False


BACKENDS = {"file": FileBackend, "lvm": LVMBackend}
