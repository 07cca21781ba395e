"""Kills at random while lives are led."""
import random
import threading
from concurrent.futures import ThreadPoolExecutor


class Killer(threading.Thread):
    """Kills the server after random times, until told to stop or the wanted number is reached.

    - workers: the share of the kills that hit not the server but the process that runs LVM's commands.
    """

    def __init__(self, server, seed: int, kills: int, longest: float, workers: float = 0):
        super().__init__(daemon=True)
        self.server, self.kills, self.longest, self.workers = server, kills, longest, workers
        self.random = random.Random(seed)
        self.enough = threading.Event()

    def run(self) -> None:
        while self.kills > 0 and not self.enough.wait(self.random.uniform(0.001, self.longest)):
            if self.random.random() < self.workers:
                self.kills -= self.server.kill_worker()
            else:
                self.kills -= self.server.kill()


def under_fire(server, lives: list, killer: Killer) -> None:
    """Runs the stories side by side while a killer works; raises the first failure."""
    killer.start()
    try:
        with ThreadPoolExecutor(len(lives)) as pool:
            for outcome in [pool.submit(story) for story in lives]:
                outcome.result()
    finally:
        killer.enough.set()
        killer.join()
