"""A group snapshot freezes file systems; whoever dies meanwhile, they thaw."""
import os
import signal
import threading
import time

import pytest

from faults import observe
from faults.life import MIB, Life, spotless
from faults.server import ServerDied, named_steps

THAW_LIMIT = 10.0


@pytest.fixture
def pair(server):
    """Two mounted volumes on a running server."""
    server.start()
    life = Life(server, "pair")
    volumes = [life.create(name, 16 * MIB) for name in ("one", "two")]
    for volume in volumes:
        life.bring(volume)
    return life, volumes


def test_the_server_killed_at_each_step_of_a_group_snapshot_leaves_no_file_system_frozen(server, pair):
    life, volumes = pair
    hit = []
    for number, point in enumerate(step for step in named_steps() if step.startswith("group.")):
        server.stop()
        server.start(crash_at=point)
        try:
            server.call("GroupController", "CreateVolumeGroupSnapshot", revive=False, name=f"group-{number}",
                        source_volume_ids=volumes)
        except ServerDied:
            hit.append(point)
            for volume in volumes:
                assert observe.accepts_writes(life.target(volume), THAW_LIMIT), f"still frozen after {point}"
        group = server.call("GroupController", "CreateVolumeGroupSnapshot", name=f"group-{number}",
                            source_volume_ids=volumes).group_snapshot
        server.call("GroupController", "DeleteVolumeGroupSnapshot", group_snapshot_id=group.group_snapshot_id,
                    snapshot_ids=[member.snapshot_id for member in group.snapshots])
    assert len(hit) >= 3, f"a group snapshot passed only these named steps: {hit}"


def test_a_new_server_thaws_what_a_server_killed_together_with_its_guard_left_frozen(server, pair):
    life, volumes = pair
    for attempt in range(20):
        if catch_frozen(server, life, volumes, attempt):
            break
    else:
        pytest.fail("no attempt caught the file systems frozen")
    server.start()
    for volume in volumes:
        assert observe.accepts_writes(life.target(volume), THAW_LIMIT), "the new server did not thaw it"


def catch_frozen(server, life, volumes, attempt: int) -> bool:
    """Kills the server together with its guard while file systems are frozen.

    A server that is stopped while its guard starts cannot tell it to thaw: the guard freezes, and waits.
    """
    caller = threading.Thread(target=attempt_group_snapshot, args=(server, volumes, attempt))
    pid = server.process.pid
    caller.start()
    guards = await_guard(pid, caller)
    observe.signal_all([pid], signal.SIGSTOP)
    if not guards or not comes_to_be_frozen(life, volumes):
        observe.signal_all([pid], signal.SIGCONT)
        caller.join()
        return False
    observe.signal_all([*guards, pid], signal.SIGKILL)
    caller.join()
    server.has_died(wait=20 * observe.PATIENCE)
    still_frozen = is_frozen(life, volumes)
    if not still_frozen:
        server.start()
    return still_frozen


def is_frozen(life, volumes) -> bool:
    return not all(observe.accepts_writes(life.target(volume), 0.2) for volume in volumes)


def comes_to_be_frozen(life, volumes) -> bool:
    """Whether a guard that was just started freezes within some seconds."""
    deadline = time.monotonic() + 5 * observe.PATIENCE
    while time.monotonic() < deadline:
        if is_frozen(life, volumes):
            return True
        time.sleep(0.02)
    return False


def await_guard(pid: int, caller: threading.Thread) -> list[int]:
    while caller.is_alive():
        guards = [child for child in observe.children(pid) if "freeze-guard" in observe.command_line(child)]
        if guards:
            return guards
    return []


def attempt_group_snapshot(server, volumes, attempt: int) -> None:
    try:
        server.call("GroupController", "CreateVolumeGroupSnapshot", revive=False, name=f"caught-{attempt}",
                    source_volume_ids=volumes)
    except ServerDied:
        pass
