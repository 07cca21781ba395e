"""A bed of the tests' own, beside any other: its own directory and ports; only the installed packages are shared."""
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "hack/lib/openstack"))
from bed import Bed, Client, Refused  # noqa: E402

SHARED = REPOSITORY / ".build/openstack"
DIRECTORY = REPOSITORY / ".build/openstack-test"
BASE_PORT = 21100
PORTS = ("mariadb", "rabbitmq", "distribution", "epmd", "keystone", "cinder", "nova", "placement", "manila", "stubs")


class Machine:
    """hack/openstack with the tests' directory."""

    def command(self, *words: str) -> list[str]:
        return [str(REPOSITORY / "hack/openstack"), "--directory", str(DIRECTORY), *words]

    def __call__(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=900)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def processes(self) -> list[int]:
        """What runs with this bed in its environment."""
        marker, found = f"STOWAGE_OPENSTACK_BED={DIRECTORY}".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and marker in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def listeners(self) -> list[str]:
        """Addresses on which something listens at the bed's ports."""
        lines = subprocess.run(["ss", "-Htln"], capture_output=True, text=True, check=True).stdout.splitlines()
        local = [line.split()[3] for line in lines]
        return [name for name in local if 0 <= int(name.rpartition(":")[2]) - BASE_PORT < len(PORTS)]


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    machine = Machine()
    subprocess.run([REPOSITORY / "hack/openstack", "prepare"], check=True, timeout=900)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    if not (DIRECTORY / "venv").exists():
        (DIRECTORY / "venv").symlink_to(SHARED / "venv")
    machine("down")
    yield machine
    machine("down")


@pytest.fixture(scope="session")
def bed(machine: Machine) -> Bed:
    machine("up", "--base-port", str(BASE_PORT))
    ports = {name: BASE_PORT + index for index, name in enumerate(PORTS)}
    return Bed(DIRECTORY, "127.0.0.1", ports, ["keystone", "cinder", "nova", "manila"], 60)


@pytest.fixture(scope="session")
def admin(bed: Bed) -> Client:
    return Client(bed, "admin", "admin")


@pytest.fixture(scope="session")
def member(bed: Bed) -> Client:
    return Client(bed, "member", "member")


def eventually(look: Callable[[], object], wanted: object, seconds: float = 60) -> None:
    """Waits until `look` gives what is wanted."""
    end = time.monotonic() + seconds
    while (seen := look()) != wanted:
        assert time.monotonic() < end, f"{seen}, not {wanted}, after {seconds} s"
        time.sleep(0.1)


class Volumes:
    """Volumes of one project."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        return self.client("cinder", method, path, body, "volume 3.70")

    def create(self, wanted: str = "available", **more: object) -> str:
        body = {"volume": {"size": 1, "volume_type": "standard", **more}}
        volume = self.call("POST", "/volumes", body)["volume"]["id"]
        eventually(lambda: self.status(volume), wanted)
        return volume

    def status(self, volume: str) -> str:
        try:
            return self.call("GET", f"/volumes/{volume}")["volume"]["status"]
        except Refused as error:
            assert error.status == 404
            return "gone"

    def delete(self, volume: str) -> None:
        self.call("DELETE", f"/volumes/{volume}")
        eventually(lambda: self.status(volume), "gone")


@pytest.fixture(scope="session")
def volumes(member: Client) -> Volumes:
    return Volumes(member)
