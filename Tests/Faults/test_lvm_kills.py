"""The server and the process that runs LVM's commands die, and the repeated calls heal what that leaves.

An LVM command takes a tenth of a second and more: lives are not led once for each step, but die at all of them.
"""
import random

import pytest

from faults import observe
from faults.backend import is_reachable
from faults.killer import Killer, under_fire
from faults.life import Life, spotless
from faults.server import Armory, ServerDied, named_steps

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


@pytest.mark.parametrize("step", ["lvm.cut-suspended", "lvm.cut-half-sent"])
def test_what_a_server_killed_in_the_middle_of_a_cut_left_suspended_goes_on_with_the_next(server, step):
    """The next start resumes the volumes and takes the half-made group away; nobody has to repeat the call for it."""
    with spotless(server):
        server.start(crash_at=step)
        life = Life(server, step.replace(".", "-"))
        volumes = [life.create(name, life.least) for name in ("one", "two")]
        contents = [observe.write(life.bring(volume) / "file", life.random.randbytes(200_000)) for volume in volumes]
        with pytest.raises(ServerDied):
            server.call("GroupController", "CreateVolumeGroupSnapshot", revive=False, name=f"{life.prefix}-group",
                        source_volume_ids=volumes)
        assert any("(suspended)" in device for device in server.backend.devices())
        server.start()
        assert not any("(suspended)" in device for device in server.backend.devices())
        assert not any(name.startswith("css_") for name in server.backend.kept())
        for volume in volumes:
            assert observe.accepts_writes(life.target(volume), 10), "a file system stayed frozen"
        group, members = life.group_snapshot("group", volumes)
        for volume, content in zip(volumes, contents):
            life.take_away(volume)
            assert observe.checksum(life.bring(volume) / "file") == content
            life.take_away(volume)
        server.call("GroupController", "DeleteVolumeGroupSnapshot", group_snapshot_id=group, snapshot_ids=members)
        for volume in volumes:
            life.delete(volume)


@pytest.mark.parametrize("seed", range(2))
def test_lives_side_by_side_survive_kills_of_server_and_worker_at_random(server, seed):
    with spotless(server):
        server.start()
        stories = [Life(server, "one", seed=seed).mounted, Life(server, "two", seed=seed + 100).mounted,
                   Life(server, "three", seed=seed + 200).raw]
        under_fire(server, stories, Killer(server, seed, kills=50, longest=2, workers=0.5))



def test_a_server_that_is_told_to_end_lets_the_lvm_command_end_first(server):
    """It may be the first process of its container, and with it the kernel kills all others."""
    with spotless(server):
        server.start()
        life = Life(server, "ending")
        lock = f"/V_{server.backend.group}"
        request = server.csi.pb.CreateVolumeRequest(
            name="ending-volume", capacity_range=server.csi.pb.CapacityRange(required_bytes=life.least),
            volume_capabilities=[life.capability()])
        call = server.csi.grpc.ControllerStub(server.channel).CreateVolume.future(request)
        worker = observe.worker(server.process.pid)
        while not observe.has_open(worker, lock) and not call.done():
            pass
        server.process.terminate()
        code = server.process.wait(20 * observe.PATIENCE)
        worked_on = observe.has_open(worker, lock)
        server.process = None
        assert (code, worked_on) == (0, False), "the server was gone before LVM's command"
        server.start()
        life.delete(life.create("volume", life.least))
