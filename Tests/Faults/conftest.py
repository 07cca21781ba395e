"""Fault tests: the built server (STOWAGE_BINARY) is killed and must lose nothing. They need root."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from faults import administrator, backend, observe, stubs
from faults.server import Kills, Server

KILLS = Kills()
# Each backend is killed in its own way; what holds for both is in the files that neither leaves out.
collect_ignore = {
    "file": ["test_lvm_kills.py"],
    "lvm": ["test_crash_points.py", "test_random_kills.py"],
}[backend.NAME]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("lvm") and backend.NAME != "lvm":
            item.add_marker(pytest.mark.skip(reason=f"{item.name}: needs real LVM (STOWAGE_TEST_BACKEND=lvm)"))


def pytest_sessionstart(session):
    observe.adopt_orphans()


def pytest_terminal_summary(terminalreporter):
    named = {aim: n for aim, n in sorted(KILLS.by_aim.items()) if not aim.startswith("random")}
    terminalreporter.write_line(
        f"kills: {KILLS.total} ({sum(named.values())} at {len(named)} named steps, {KILLS.at_random} at random)")


@pytest.fixture(scope="session")
def binary() -> str:
    path = os.environ.get("STOWAGE_BINARY", "")
    if not os.access(path, os.X_OK):
        pytest.exit("STOWAGE_BINARY must name the built stowage", returncode=2)
    if os.geteuid() != 0:
        pytest.exit("the fault tests mount file systems: run them as root", returncode=2)
    return path


@pytest.fixture(scope="session")
def csi():
    return stubs.load()


@pytest.fixture(scope="session")
def kills() -> Kills:
    return KILLS


def make_disk(filesystem: str):
    """A file system in memory: kills lose nothing that was written, so the tests need not wait for a disk."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.NamedTemporaryFile(prefix="faults-", suffix=f".{filesystem}", dir=memory) as image:
        image.truncate(4 << 30)
        subprocess.run([f"mkfs.{filesystem}", "-q", image.name], check=True)
        point = Path(tempfile.mkdtemp(prefix=f"faults-{filesystem}-"))
        subprocess.run(["mount", "-o", "loop", image.name, str(point)], check=True)
        try:
            yield point
        finally:
            observe.clear(point)
            point.rmdir()


@pytest.fixture(scope="session")
def sharing_disk():
    """Volumes on it share blocks."""
    yield from make_disk("xfs")


@pytest.fixture(scope="session")
def copying_disk():
    """Volumes on it are sparse copies."""
    yield from make_disk("ext4")


@pytest.fixture
def root(request):
    """A directory of the test's own, cleared of mounts, devices and volumes whatever happens.

    Tests choose its disk by indirect parametrization; without it blocks are shared. Logical volumes lie elsewhere.
    """
    disk = None if backend.NAME == "lvm" else request.getfixturevalue(getattr(request, "param", "sharing_disk"))
    path = Path(tempfile.mkdtemp(prefix="test-", dir=disk))
    yield path
    backend.BACKENDS[backend.NAME](path).clear()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def second_disk() -> str:
    """A scratch disk beside the one that the test's volume group is on, blank."""
    disks = os.environ.get("STOWAGE_TEST_DISKS", "").split()
    assert len(disks) > 1, "the test wants a second disk (STOWAGE_TEST_DISKS)"
    administrator.blank(disks[1])
    return disks[1]


@pytest.fixture
def group(second_disk):
    """An empty volume group with extents of 1 MiB on the second disk, gone after the test. Asked for before `root`, so
    that it goes after what is cleared there."""
    group = administrator.Group(f"stowage-second-{os.getpid()}", second_disk)
    yield group
    group.destroy()


@pytest.fixture
def server(binary, root, csi, kills):
    server = Server(binary, root, csi, kills)
    yield server
    if server.process and server.process.poll() is None:
        server.process.kill()
        server.process.wait()



@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of the server's log with a failure: the directory is gone by then."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server and (server.root / "server.log").exists():
        report.sections.append(("server.log", (server.root / "server.log").read_text(errors="replace")[-8000:]))
    return report
