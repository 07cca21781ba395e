"""The server and the process that runs LVM's commands die, and the repeated calls heal what that leaves.

An LVM command takes a tenth of a second and more: lives are not led once for each step, but die at all of them.
"""
import random

import pytest

from faults.backend import is_reachable
from faults.killer import Killer, under_fire
from faults.life import Life, spotless
from faults.server import Armory, named_steps

STEPS = [step for step in named_steps() if is_reachable(step)]


@pytest.mark.parametrize(("filesystem", "certain", "seed"), [
    ("ext4", True, 0), ("btrfs", True, 1), ("xfs", False, 2), ("ext4", False, 3)])
def test_a_life_survives_deaths_at_all_steps_that_it_comes_to(server, filesystem, certain, seed):
    """At the first time that it comes to each, or (not certain) twice at some later one."""
    with spotless(server):
        server.armory = Armory(server.root, dict.fromkeys(STEPS, 1 if certain else 2), random.Random(seed), certain)
        server.start()
        life = Life(server, f"life-{seed}", filesystem, seed)
        if filesystem == "ext4":
            life.everything()
        else:
            life.mounted()
        server.disarm()


@pytest.mark.parametrize("seed", range(2))
def test_lives_side_by_side_survive_kills_of_server_and_worker_at_random(server, seed):
    with spotless(server):
        server.start()
        stories = [Life(server, "one", seed=seed).mounted, Life(server, "two", seed=seed + 100).mounted,
                   Life(server, "three", seed=seed + 200).raw]
        under_fire(server, stories, Killer(server, seed, kills=50, longest=2, workers=0.5))
