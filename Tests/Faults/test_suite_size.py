"""Runs last: the suite is as hard as it claims to be."""


def test_the_suite_killed_the_server_at_least_200_times(kills):
    assert kills.total >= 200, f"only {kills.total} kills: {kills.by_aim}"
