"""Runs last: the suite is as hard as it claims to be."""
from faults.backend import is_reachable
from faults.server import named_steps


def test_the_suite_killed_at_least_200_times(kills):
    assert kills.total >= 200, f"only {kills.total} kills: {kills.by_aim}"


def test_the_suite_killed_at_every_step_that_the_backend_comes_to(kills):
    missed = [step for step in named_steps() if is_reachable(step) and step not in kills.by_aim]
    assert not missed, f"nobody died at {missed}"
