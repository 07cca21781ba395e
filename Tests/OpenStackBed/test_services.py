"""The services of the bed do what a test of a driver needs of them."""
import json
import urllib.request

import pytest
from conftest import Volumes, eventually

from bed import Bed, Client, Refused


def test_a_volume_lives_with_its_snapshot_copies_and_growth(volumes: Volumes) -> None:
    volume = volumes.create(metadata={"csi": "x"})
    body = {"snapshot": {"volume_id": volume, "name": "s"}}
    snapshot = volumes.call("POST", "/snapshots", body)["snapshot"]["id"]
    eventually(lambda: volumes.call("GET", f"/snapshots/{snapshot}")["snapshot"]["status"], "available")
    copies = [volumes.create(snapshot_id=snapshot), volumes.create(source_volid=volume)]
    volumes.call("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 3}})
    eventually(lambda: volumes.call("GET", f"/volumes/{volume}")["volume"]["size"], 3)
    volumes.call("DELETE", f"/snapshots/{snapshot}")
    listing = "/snapshots?volume_id=" + volume
    eventually(lambda: volumes.call("GET", listing)["snapshots"], [])
    for each in (*copies, volume):
        volumes.delete(each)


def test_a_direct_attachment_has_connection_facts_and_protects_the_volume(volumes: Volumes) -> None:
    volume = volumes.create()
    connector = {"host": "node", "ip": "127.0.0.1", "initiator": "iqn.2026-01.test:node", "multipath": False,
                 "os_type": "linux2", "platform": "x86_64"}
    body = {"attachment": {"volume_uuid": volume, "connector": connector, "mode": "rw"}}
    attachment = volumes.call("POST", "/attachments", body)["attachment"]
    assert attachment["connection_info"]["target_iqn"].endswith(volume)
    volumes.call("POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}})
    assert volumes.status(volume) == "in-use"
    with pytest.raises(Refused) as refused:
        volumes.call("DELETE", f"/volumes/{volume}")
    assert refused.value.status == 400
    volumes.call("DELETE", f"/attachments/{attachment['id']}")
    eventually(lambda: volumes.status(volume), "available")
    volumes.delete(volume)


def test_a_volume_can_be_asked_to_fail(volumes: Volumes) -> None:
    failed = volumes.create("error", metadata={"pretend": "fail-create"})
    volume = volumes.create(metadata={"pretend": "fail-extend"})
    volumes.call("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}})
    eventually(lambda: volumes.status(volume), "error_extending")
    messages = volumes.call("GET", f"/messages?resource_uuid={volume}")["messages"]
    assert [message["resource_type"] for message in messages] == ["VOLUME"]
    for each in (failed, volume):
        volumes.delete(each)


def test_a_group_is_snapshotted_whole(volumes: Volumes) -> None:
    def named(path: str, collection: str, name: str) -> str:
        return next(kind["id"] for kind in volumes.call("GET", path)[collection] if kind["name"] == name)

    kind = named("/types", "volume_types", "standard")
    grouped = named("/group_types", "group_types", "consistent")
    body = {"group": {"name": "g", "group_type": grouped, "volume_types": [kind]}}
    group = volumes.call("POST", "/groups", body)["group"]["id"]
    eventually(lambda: volumes.call("GET", f"/groups/{group}")["group"]["status"], "available")
    pair = [volumes.create(group_id=group), volumes.create(group_id=group)]
    made = volumes.call("POST", "/group_snapshots", {"group_snapshot": {"group_id": group}})["group_snapshot"]["id"]
    path = f"/group_snapshots/{made}"
    eventually(lambda: volumes.call("GET", path)["group_snapshot"]["status"], "available")
    snapshots = volumes.call("GET", "/snapshots/detail")["snapshots"]
    assert sorted(snapshot["volume_id"] for snapshot in snapshots) == sorted(pair)
    volumes.call("DELETE", path)
    eventually(lambda: volumes.call("GET", "/snapshots")["snapshots"], [])
    volumes.call("POST", f"/groups/{group}/action", {"delete": {"delete-volumes": True}})
    eventually(lambda: volumes.status(pair[0]), "gone")


def test_quotas_are_large(volumes: Volumes, member: Client) -> None:
    quotas = volumes.call("GET", f"/os-quota-sets/{member.project}")["quota_set"]
    assert min(quotas["volumes"], quotas["snapshots"], quotas["gigabytes"]) >= 10_000


def test_a_server_attaches_a_volume_that_grows_meanwhile(volumes: Volumes, member: Client) -> None:
    def nova(method: str, path: str, body: dict | None = None) -> dict:
        return member("nova", method, path, body, "compute 2.89")

    root, data = volumes.create(), volumes.create()
    volumes.call("POST", f"/volumes/{root}/action", {"os-set_bootable": {"bootable": True}})
    disk = {"boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": root}
    body = {"server": {"name": "node", "flavorRef": "1", "networks": "none", "block_device_mapping_v2": [disk]}}
    server = nova("POST", "/servers", body)["server"]["id"]
    eventually(lambda: nova("GET", f"/servers/{server}")["server"]["status"], "ACTIVE")
    attachments = f"/servers/{server}/os-volume_attachments"
    nova("POST", attachments, {"volumeAttachment": {"volumeId": data}})
    eventually(lambda: volumes.status(data), "in-use")
    volumes.call("POST", f"/volumes/{data}/action", {"os-extend": {"new_size": 2}})
    eventually(lambda: volumes.call("GET", f"/volumes/{data}")["volume"]["size"], 2)
    attachment = volumes.call("GET", f"/volumes/{data}")["volume"]["attachments"][0]
    assert attachment["server_id"] == server
    with pytest.raises(Refused) as refused:
        volumes.call("DELETE", f"/attachments/{attachment['attachment_id']}")
    assert refused.value.status == 409
    eventually(lambda: volumes.status(data), "in-use")
    nova("DELETE", f"{attachments}/{data}")
    eventually(lambda: volumes.status(data), "available")
    nova("DELETE", f"/servers/{server}")
    eventually(lambda: volumes.status(root), "available")
    for each in (root, data):
        volumes.delete(each)


def test_a_share_is_made_and_opened(member: Client) -> None:
    def manila(method: str, path: str, body: dict | None = None) -> dict:
        return member("manila", method, path, body)

    share = manila("POST", "/shares", {"share": {"share_proto": "NFS", "size": 1}})["share"]["id"]
    eventually(lambda: manila("GET", f"/shares/{share}")["share"]["status"], "available")
    rule = {"allow_access": {"access_type": "ip", "access_to": "192.0.2.1", "access_level": "rw"}}
    manila("POST", f"/shares/{share}/action", rule)
    listing = f"/share-access-rules?share_id={share}"
    eventually(lambda: [rule["state"] for rule in manila("GET", listing)["access_list"]], ["active"])
    manila("DELETE", f"/shares/{share}")
    eventually(lambda: manila("GET", "/shares")["shares"], [])


def test_the_second_project_does_not_see_the_first_ones_volume(bed: Bed, volumes: Volumes) -> None:
    volume = volumes.create()
    assert Volumes(Client(bed, "other", "other")).status(volume) == "gone"
    volumes.delete(volume)


def test_the_application_credential_opens_the_members_project(bed: Bed, member: Client) -> None:
    known = member("keystone", "GET", f"/users/{member.user}/application_credentials")["application_credentials"]
    identity = {"methods": ["application_credential"],
                "application_credential": {"id": known[0]["id"], "secret": bed.secret}}
    request = urllib.request.Request(
        bed.url("keystone") + "/auth/tokens", json.dumps({"auth": {"identity": identity}}).encode(),
        {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["token"]["project"]["id"] == member.project
    clouds = (bed.directory / "clouds.yaml").read_text()
    assert known[0]["id"] in clouds
    assert (bed.directory / "clouds.yaml").stat().st_mode & 0o077 == 0
