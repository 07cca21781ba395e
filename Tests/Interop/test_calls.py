"""What becomes of a call: deadlines, cancellation, dead clients, sizes and unknown names."""

import os
import signal
import subprocess
import sys

import grpc
import pytest

from server import wait_until
from volumes import MIB, clone_request, copying, delete, refused, slow_source

Code = grpc.StatusCode


def finish(client, request):
    """Repeats the call, as a CO does, until it is no longer said to be under way."""

    def attempt():
        try:
            return client.controller.CreateVolume(request, timeout=30).volume
        except grpc.RpcError as error:
            assert error.code() in (Code.ABORTED, Code.UNAVAILABLE), error
            return None

    return wait_until("the volume is made", attempt)


def names_in(client, pb):
    return len(client.controller.ListVolumes(pb.ListVolumesRequest()).entries)


def test_a_deadline_ends_the_call_and_a_repeat_completes_the_work(server, client, pb):
    source = slow_source(server, client)
    with pytest.raises(grpc.RpcError) as failure:
        client.controller.CreateVolume(clone_request(pb, source), timeout=0.05)
    assert failure.value.code() == Code.DEADLINE_EXCEEDED
    copy = finish(client, clone_request(pb, source))
    assert names_in(client, pb) == 2
    delete(client, pb, copy, source)


def test_a_cancelled_call_ends_at_once_and_leaves_a_state_that_a_repeat_heals(server, client, pb):
    source = slow_source(server, client)
    begun = copying(server)
    call = client.controller.CreateVolume.future(clone_request(pb, source))
    wait_until("the copy has begun", begun)
    call.cancel()
    assert call.cancelled()
    copy = finish(client, clone_request(pb, source))
    assert names_in(client, pb) == 2
    delete(client, pb, copy, source)


CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
import grpc, csi_pb2, csi_pb2_grpc
request = csi_pb2.CreateVolumeRequest.FromString(bytes.fromhex(sys.argv[3]))
with grpc.insecure_channel("unix://" + sys.argv[2]) as channel:
    call = csi_pb2_grpc.ControllerStub(channel).CreateVolume.future(request)
    print("sent", flush=True)
    call.result()
"""


def test_a_client_that_is_killed_leaves_the_server_and_its_work_whole(server, client, pb):
    source = slow_source(server, client)
    request = clone_request(pb, source)
    begun = copying(server)
    victim = subprocess.Popen(
        [sys.executable, "-c", CLIENT, server.stubs.folder, server.socket, request.SerializeToString().hex()],
        stdout=subprocess.PIPE)
    assert victim.stdout.readline() == b"sent\n"
    wait_until("the copy has begun", begun)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    copy = finish(client, request)
    assert names_in(client, pb) == 2
    delete(client, pb, copy, source)


def test_a_request_of_five_mebibytes_is_refused_and_the_connection_lives_on(client, pb):
    request = pb.CreateVolumeRequest(name="big", parameters={"k": "v" * (5 * MIB)})
    with refused(Code.RESOURCE_EXHAUSTED):
        client.controller.CreateVolume(request)
    assert client.identity.Probe(pb.ProbeRequest()).ready.value


@pytest.mark.parametrize("path", [
    "/csi.v1.Identity/NoSuchCall", "/csi.v1.NoSuchService/Probe", "/csi.v0.Identity/Probe",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/", "//", "/csi.v1.Identity/", "/csi.v1.identity/probe",
])
def test_a_method_that_does_not_exist_is_unimplemented(client, pb, path):
    call = client.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as failure:
        call(b"", timeout=5)
    assert failure.value.code() == Code.UNIMPLEMENTED
    assert client.identity.Probe(pb.ProbeRequest()).ready.value


@pytest.mark.parametrize("body", [
    b"\xff", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x05abc", b"\x0a\x02\xff\xfe", b"\x0f", b"\x08" + b"\xff" * 11,
    os.urandom(64),
], ids=["end group", "length beyond the end", "cut string", "invalid UTF-8", "bad wire type", "endless varint", "noise"])
def test_bytes_that_are_no_message_are_refused(client, pb, body):
    call = client.channel.unary_unary("/csi.v1.Controller/CreateVolume")
    with pytest.raises(grpc.RpcError) as failure:
        call(body, timeout=5)
    assert failure.value.code() in (Code.INVALID_ARGUMENT, Code.INTERNAL)
    assert client.identity.Probe(pb.ProbeRequest()).ready.value


def test_unknown_fields_are_passed_over(client, pb):
    call = client.channel.unary_unary(
        "/csi.v1.Identity/Probe", response_deserializer=pb.ProbeResponse.FromString)
    assert call(b"\xba\x3e\x03new\xf8\xff\xff\xff\x0f\x01").ready.value


def test_compressed_requests_are_understood(client, pb):
    answer = client.identity.Probe(pb.ProbeRequest(), compression=grpc.Compression.Gzip)
    assert answer.ready.value
    with refused(Code.INVALID_ARGUMENT):
        client.controller.CreateVolume(pb.CreateVolumeRequest(parameters={"k": "v" * 4096}),
                                       compression=grpc.Compression.Gzip)


def test_many_calls_share_one_connection(client, pb):
    calls = [client.identity.Probe.future(pb.ProbeRequest(), timeout=30) for _ in range(500)]
    assert all(call.result().ready.value for call in calls)


def test_a_stream_that_its_reader_leaves_does_not_hold_the_snapshot(server, client, pb):
    source = slow_source(server, client, mib=64)
    snapshot = client.controller.CreateSnapshot(pb.CreateSnapshotRequest(
        name="left", source_volume_id=source.volume_id)).snapshot
    for _ in range(10):
        stream = client.metadata.GetMetadataAllocated(pb.GetMetadataAllocatedRequest(
            snapshot_id=snapshot.snapshot_id, max_results=1))
        next(stream)
        stream.cancel()

    def gone():
        try:
            client.controller.DeleteSnapshot(pb.DeleteSnapshotRequest(snapshot_id=snapshot.snapshot_id))
        except grpc.RpcError as error:
            assert error.code() == Code.ABORTED, error
            return False
        return True

    wait_until("the snapshot is deleted", gone)
    delete(client, pb, source)
