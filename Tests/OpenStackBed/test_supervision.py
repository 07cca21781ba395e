"""What hack/openstack starts it knows, mends and takes away."""
import os
import signal
import subprocess
import time

from conftest import BASE_PORT, DIRECTORY, PORTS, Machine, Volumes, eventually

from bed import Bed

# Ten ports, and epmd's second one on the other loopback address.
LISTENERS = len(PORTS) + 1


def records() -> dict[str, str]:
    return {path.name: path.read_text() for path in (DIRECTORY / "run").glob("*.pid")}


def states(output: str) -> dict[str, str]:
    rows = [line.split() for line in output.splitlines()[1:]]
    return {row[0]: row[-1] for row in rows}


def test_all_is_well_and_a_second_up_changes_nothing(machine: Machine, bed: Bed) -> None:
    found = states(machine("status"))
    assert len(found) == 16 and set(found.values()) == {"well"}
    before = records()
    machine("up")
    assert records() == before


def test_whatever_listens_listens_on_loopback(machine: Machine, bed: Bed) -> None:
    addresses = machine.listeners()
    assert len(addresses) == LISTENERS
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1", "[::1]"}


def test_a_stopped_worker_is_told_of_and_works_again_after_its_start(machine: Machine, volumes: Volumes) -> None:
    machine("stop", "cinder-volume")
    assert states(machine("status", status=1))["cinder-volume"] == "ill"
    # Its row still says up: the scheduler sends the request, and nobody is there.
    volume = volumes.create("creating")
    time.sleep(2)
    assert volumes.status(volume) == "creating"
    machine("start", "cinder-volume")
    machine("status")
    eventually(lambda: volumes.status(volume) in ("available", "error"), True)
    volumes.delete(volume)


def test_a_killed_rabbitmq_comes_back_under_the_services(machine: Machine, volumes: Volumes) -> None:
    machine("kill", "rabbitmq")
    assert states(machine("status", status=1))["rabbitmq"] == "ill"
    machine("up")
    # A worker whose report was lost on the way waits for its answer (60 s) before it reports again; meanwhile its row
    # may run out.
    eventually(lambda: subprocess.run(machine.command("status"), capture_output=True).returncode, 0, 150)
    volumes.delete(volumes.create())


def test_other_settings_than_what_is_up_are_refused(machine: Machine, bed: Bed) -> None:
    machine("up", "--services", "keystone", status=1)


def test_down_leaves_nothing(machine: Machine, bed: Bed) -> None:
    assert len(machine.processes()) >= 16
    begun = time.monotonic()
    machine("down")
    assert time.monotonic() - begun < 45
    assert machine.processes() == [] and machine.listeners() == []
    assert not (DIRECTORY / "data").exists() and not (DIRECTORY / "clouds.yaml").exists()
    machine("status", status=3)
    machine("down")


def run(machine: Machine, script: str) -> list[str]:
    services = ("--services", "keystone", "--base-port", str(BASE_PORT))
    return machine.command(*services, "run", "--", "bash", "-c", script)


def test_run_gives_a_bed_to_a_command_and_passes_its_status_on(machine: Machine) -> None:
    script = '[ -s "$OS_CLIENT_CONFIG_FILE" ] && [ "$OS_CLOUD" = member ] && [ $STOWAGE_TEST_OPENSTACK = 1 ] && exit 7'
    assert subprocess.run(run(machine, script), timeout=600).returncode == 7
    assert machine.processes() == [] and machine.listeners() == []


def test_a_killed_run_takes_the_bed_with_it(machine: Machine) -> None:
    process = subprocess.Popen(run(machine, "sleep 1000 & echo ready; wait"), stdout=subprocess.PIPE, process_group=0)
    assert process.stdout.readline() == b"ready\n"
    assert machine.listeners() != []
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    eventually(lambda: (machine.processes(), machine.listeners()), ([], []), 60)


def test_a_run_that_is_killed_while_it_starts_leaves_nothing(machine: Machine) -> None:
    process = subprocess.Popen(run(machine, "true"), process_group=0)
    eventually(lambda: len(machine.processes()) > 2, True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    eventually(lambda: (machine.processes(), machine.listeners()), ([], []), 60)


def test_a_run_that_is_asked_to_end_passes_that_on_and_takes_the_bed_down(machine: Machine) -> None:
    script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    process = subprocess.Popen(run(machine, script), stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(120) == 9
    assert machine.processes() == [] and machine.listeners() == []
