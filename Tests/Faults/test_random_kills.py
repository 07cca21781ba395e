"""The server dies again and again at random while several volumes live their lives at once."""
import pytest

from faults.killer import Killer, under_fire
from faults.life import Life, spotless


@pytest.mark.parametrize("root", ["sharing_disk", "copying_disk"], indirect=True)
@pytest.mark.parametrize("seed", range(4))
def test_lives_side_by_side_survive_kills_at_random(root, server, seed):
    with spotless(server):
        server.start()
        stories = [Life(server, "one", seed=seed).mounted, Life(server, "two", seed=seed + 100).mounted,
                   Life(server, "three", seed=seed + 200).raw]
        under_fire(server, stories, Killer(server, seed, kills=20, longest=0.15))


@pytest.mark.parametrize("filesystem", ["xfs", "btrfs"])
def test_a_life_on_another_file_system_survives_kills_at_random(server, filesystem):
    with spotless(server):
        server.start()
        under_fire(server, [Life(server, filesystem, filesystem).mounted], Killer(server, 7, kills=8, longest=0.3))
