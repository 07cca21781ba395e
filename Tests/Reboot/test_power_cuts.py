"""The machine dies in mid-operation, again and again; the next life finds all that was answered and nothing else.

The machine is a guest, killed from outside: what its kernel had not written is lost, as with the power.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from journal import Journal

REPOSITORY = Path(__file__).resolve().parents[2]
# Lives on the disk, each cut short; the last seed is new every time.
SEEDS = [1, 2, 3, int(time.time())]
# A life makes some ten changes in the longest time, of which every second is under way at any moment.
SHORTEST, LONGEST = 3.0, 14.0


class Guest:
    """A boot of the machine that runs machine.py on the disk."""

    def __init__(self, disk: Path, journal: Journal, seed: int, then: str):
        self.output = journal.path.with_suffix(f".{seed}.{then}.log")
        self.ready = journal.path.with_suffix(".ready")
        self.ready.unlink(missing_ok=True)
        binary = os.environ["STOWAGE_BINARY"]
        command = [
            REPOSITORY / "hack/guest", "--disk", disk, "--share", disk.parent, "--share", Path(binary).parent,
            "--time", "300", "--env", f"STOWAGE_BINARY={binary}", "--",
            sys.executable, REPOSITORY / "Tests/Reboot/machine.py", journal.path, str(seed), then]
        with open(self.output, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY)

    def await_ready(self, limit: float = 240) -> None:
        deadline = time.monotonic() + limit
        while not self.ready.exists():
            assert self.process.poll() is None, f"the machine ended with {self.process.returncode}:\n{self.log()}"
            assert time.monotonic() < deadline, f"the machine does not get ready:\n{self.log()}"
            time.sleep(0.05)

    def cut(self) -> None:
        """Its kernel is killed with all that it holds."""
        assert self.process.poll() is None, f"the machine ended with {self.process.returncode}:\n{self.log()}"
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def end(self) -> None:
        assert self.process.wait(300) == 0, f"the machine ended with {self.process.returncode}:\n{self.log()}"

    def log(self) -> str:
        return self.output.read_text(errors="replace")[-6000:]


@pytest.fixture
def place(tmp_path):
    """For the disk and the journal, on a file system of this machine's."""
    place = tmp_path / "machine"
    place.mkdir()
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.skipif(shutil.which("linux.uml") is None, reason="a machine that loses its power: no linux.uml here")
def test_a_machine_that_loses_its_power_keeps_all_that_was_answered(place):
    assert os.access(os.environ.get("STOWAGE_BINARY", ""), os.X_OK), "STOWAGE_BINARY must name the built stowage"
    disk, journal = place / "disk", Journal(place / "journal")
    with open(disk, "wb") as file:
        file.truncate(4 << 30)
    unanswered = changes = 0
    guest = None
    try:
        for seed in SEEDS:
            guest = Guest(disk, journal, seed, "live")
            guest.await_ready()
            begun = len(journal.events())
            time.sleep(random.Random(seed).uniform(SHORTEST, LONGEST))
            guest.cut()
            changes += len(journal.events()) - begun
            unanswered += sum(not one.identity or one.deletion_begun for one in journal.known().values())
            print(f"seed {seed}: {len(journal.known())} kept, {unanswered} unanswered by now, {changes} changes\n"
                  f"{guest.log()}")
        guest = Guest(disk, journal, 0, "end")
        guest.end()
    finally:
        if guest and guest.process.poll() is None:
            guest.process.terminate()
            guest.process.wait(60)
    assert changes >= 2 * len(SEEDS), f"only {changes} changes in all lives"
    assert unanswered > 0, "no cut came in the middle of a change"
