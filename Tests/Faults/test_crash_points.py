"""The server dies at every step that it names, and the repeated calls heal what that leaves."""
import pytest

from faults.backend import is_reachable
from faults.life import Life, spotless
from faults.server import named_steps

# Steps that only volumes of one file system come to; all others are tried with ext4.
FILESYSTEMS = {"stage.identity-renewed": "btrfs"}
STEPS = [step for step in named_steps() if is_reachable(step)]
# Steps between which data is copied: tried on a disk without shared blocks too.
COPYING = [step for step in STEPS if step.startswith(("clone.", "snapshot.", "group."))]

CASES = [(step, "sharing_disk") for step in STEPS] + [(step, "copying_disk") for step in COPYING]


@pytest.mark.parametrize(("step", "root"), CASES, indirect=["root"])
def test_a_life_survives_deaths_at(step, root, server):
    """The server dies the first time it comes to the step, and in another life the third time, if that comes."""
    filesystem = FILESYSTEMS.get(step, "ext4")
    with spotless(server):
        server.start(crash_at=f"{step}:1")
        Life(server, "first", filesystem).everything()
        assert server.crashed_at == [step], "no call came to this step"
        server.stop()
        server.start(crash_at=f"{step}:3")
        Life(server, "second", filesystem).everything()
