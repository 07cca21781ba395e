"""The server dies again and again at random while several volumes live their lives at once."""
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults.life import Life, spotless


class Killer(threading.Thread):
    """Kills the server after random times, until told to stop or the wanted number is reached."""

    def __init__(self, server, seed: int, kills: int, longest: float):
        super().__init__(daemon=True)
        self.server, self.kills, self.longest = server, kills, longest
        self.random = random.Random(seed)
        self.enough = threading.Event()

    def run(self) -> None:
        while self.kills > 0 and not self.enough.wait(self.random.uniform(0.001, self.longest)):
            self.kills -= self.server.kill()


def under_fire(server, lives: list, seed: int, kills: int, longest: float) -> None:
    """Runs the stories side by side while a killer works; raises the first failure."""
    killer = Killer(server, seed, kills, longest)
    killer.start()
    try:
        with ThreadPoolExecutor(len(lives)) as pool:
            for outcome in [pool.submit(story) for story in lives]:
                outcome.result()
    finally:
        killer.enough.set()
        killer.join()


@pytest.mark.parametrize("root", ["sharing_disk", "copying_disk"], indirect=True)
@pytest.mark.parametrize("seed", range(4))
def test_lives_side_by_side_survive_kills_at_random(root, server, seed):
    with spotless(server):
        server.start()
        stories = [Life(server, "one", seed=seed).mounted, Life(server, "two", seed=seed + 100).mounted,
                   Life(server, "three", seed=seed + 200).raw]
        under_fire(server, stories, seed, kills=20, longest=0.15)


@pytest.mark.parametrize("filesystem", ["xfs", "btrfs"])
def test_a_life_on_another_file_system_survives_kills_at_random(server, filesystem):
    with spotless(server):
        server.start()
        under_fire(server, [Life(server, filesystem, filesystem).mounted], seed=7, kills=8, longest=0.3)
