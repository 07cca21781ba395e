"""The server as a process: its socket, its lock, its end."""

import os
import socket
import stat
import subprocess
import threading

import grpc
import pytest

from server import PATIENCE, wait_until
from volumes import block, clone_request, copying, delete, size, slow_source


def test_the_socket_is_for_its_owner_and_group_and_stands_alone(server):
    mode = os.stat(server.socket).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    assert os.listdir(server.sockets) == ["csi.sock"]


def test_the_mode_of_the_socket_can_be_chosen(start):
    server = start(environment={"STOWAGE_SOCKET_MODE": "0600"})
    assert stat.S_IMODE(os.stat(server.socket).st_mode) == 0o600


@pytest.mark.parametrize("form", ["unix://{}", "unix:{}", "{}"])
def test_the_endpoint_is_taken_from_the_environment_in_every_form(start, stubs, form):
    server = start()
    other = os.path.join(server.sockets, "env.sock")
    data = os.path.join(server.directory, "env")
    os.mkdir(data)
    process = subprocess.Popen(
        [server.command()[0], "serve", "--data-directory", data, "--node-id", "node-2"],
        env={**os.environ, "CSI_ENDPOINT": form.format(other)}, stderr=subprocess.DEVNULL)
    try:
        wait_until("the socket appears", lambda: os.path.exists(other))
        with grpc.insecure_channel("unix://" + other) as channel:
            info = stubs.grpc.NodeStub(channel).NodeGetInfo(
                stubs.pb.NodeGetInfoRequest(), timeout=10, wait_for_ready=True)
        assert info.node_id == "node-2"
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert not os.path.exists(other)


def test_a_second_server_on_the_same_socket_is_refused(server):
    other = os.path.join(server.directory, "other")
    os.mkdir(other)
    second = server.command()
    second[second.index("--data-directory") + 1] = other
    ended = subprocess.run(second, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode != 0
    assert ended.stderr.strip()
    assert server.probe()
    assert os.listdir(server.sockets) == ["csi.sock"]


def test_a_second_server_on_the_same_directory_waits_for_the_end_of_the_first(server, stubs, pb):
    other = os.path.join(server.directory, "other.sock")
    second = subprocess.Popen(server.command("unix://" + other), stderr=subprocess.DEVNULL)
    try:
        wait_until("the second server listens", lambda: os.path.exists(other))
        with grpc.insecure_channel("unix://" + other) as channel:
            identity = stubs.grpc.IdentityStub(channel)
            request = pb.CreateVolumeRequest(name="v", capacity_range=size(pb, 16), volume_capabilities=[block(pb)])

            def is_ready():
                try:
                    return identity.Probe(pb.ProbeRequest(), timeout=5, wait_for_ready=True).ready.value
                except grpc.RpcError as error:
                    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
                    return False

            assert not is_ready()
            with pytest.raises(grpc.RpcError) as failure:
                stubs.grpc.ControllerStub(channel).CreateVolume(request, timeout=5)
            assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
            assert server.terminate() == 0
            wait_until("the second server takes over", is_ready)
            volume = stubs.grpc.ControllerStub(channel).CreateVolume(request).volume
            stubs.grpc.ControllerStub(channel).DeleteVolume(pb.DeleteVolumeRequest(volume_id=volume.volume_id))
    finally:
        second.terminate()
        assert second.wait(PATIENCE) == 0


def test_a_stale_socket_of_a_killed_server_is_replaced(server):
    server.kill()
    assert os.path.exists(server.socket)
    server.start()
    assert server.probe()


def test_a_file_that_is_no_socket_is_left_alone(server):
    path = os.path.join(server.directory, "precious")
    with open(path, "w") as file:
        file.write("kept")
    other = os.path.join(server.directory, "other")
    os.mkdir(other)
    command = server.command("unix://" + path)
    command[command.index("--data-directory") + 1] = other
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode != 0
    with open(path) as file:
        assert file.read() == "kept"


@pytest.mark.parametrize("endpoint, word", [
    ("unix:///" + "x" * 120, "107"), ("tcp://127.0.0.1:1", "Unix socket"), ("unix://", ""),
])
def test_an_endpoint_that_cannot_be_served_is_refused_with_a_reason(server, endpoint, word):
    ended = subprocess.run(
        server.command(endpoint), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode != 0
    assert word in ended.stderr
    assert ended.stderr.strip()


def test_termination_lets_calls_in_flight_complete_and_takes_no_new_ones(server, client, pb):
    source = slow_source(server, client)
    answers = []
    request = clone_request(pb, source)

    def call():
        try:
            answers.append(client.controller.CreateVolume(request, timeout=PATIENCE).volume)
        except grpc.RpcError as error:
            answers.append(error)

    begun = copying(server)
    caller = threading.Thread(target=call)
    caller.start()
    wait_until("the copy has begun", begun)
    assert server.terminate() == 0
    caller.join()
    assert isinstance(answers[0], pb.Volume), answers[0]
    assert not os.path.exists(server.socket)
    with pytest.raises(OSError):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as late:
            late.connect(server.socket)

    server.start()
    fresh = server.client()
    assert fresh.controller.CreateVolume(request).volume == answers[0]
    delete(fresh, pb, answers[0], source)


def test_what_was_made_is_there_after_a_kill_and_a_restart(server, client, pb):
    request = pb.CreateVolumeRequest(name="kept", capacity_range=size(pb, 16), volume_capabilities=[block(pb)])
    volume = client.controller.CreateVolume(request).volume
    server.kill()
    server.start()
    fresh = server.client()
    assert fresh.controller.CreateVolume(request).volume == volume
    delete(fresh, pb, volume)
