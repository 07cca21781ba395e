"""What tests find in a bed that is up: large quotas, volume types, a flavor, a share type, an application credential,
and DIRECTORY/clouds.yaml. Makes only what is missing."""
import yaml

from bed import REGION, Bed, Client
from bootstrap import MEMBERS

MANY, SIZE = 10_000, 1_000_000
QUOTAS = {
    "cinder": ("/os-quota-class-sets/default", {
        "volumes": MANY, "snapshots": MANY, "groups": MANY, "gigabytes": SIZE, "backups": MANY,
        "backup_gigabytes": SIZE,
    }),
    "nova": ("/os-quota-class-sets/default", {"instances": MANY, "cores": MANY, "ram": SIZE}),
    "manila": ("/quota-class-sets/default", {
        "shares": MANY, "snapshots": MANY, "gigabytes": SIZE, "snapshot_gigabytes": SIZE,
    }),
}
PRETEND = {"volume_backend_name": "pretend"}
VOLUME_TYPES = {
    "standard": PRETEND,
    "premium": PRETEND,
    "multiattach": {**PRETEND, "multiattach": "<is> True"},
}
# A group type whose groups are snapshotted at one moment.
GROUP_TYPE, CONSISTENT = "consistent", {"consistent_group_snapshot_enabled": "<is> True"}
FLAVOR = {"name": "small", "id": "1", "ram": 64, "vcpus": 1, "disk": 0}
CREDENTIAL = "stowage"


def raise_quotas(bed: Bed, admin: Client) -> None:
    for service, (path, limits) in QUOTAS.items():
        if service in bed.services:
            admin(service, "PUT", path, {"quota_class_set": limits})


def volume_types(admin: Client) -> None:
    known = {kind["name"] for kind in admin("cinder", "GET", "/types?is_public=None")["volume_types"]}
    for name, specs in VOLUME_TYPES.items():
        if name not in known:
            admin("cinder", "POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}})
    version = "volume 3.11"
    known = {kind["name"] for kind in admin("cinder", "GET", "/group_types", version=version)["group_types"]}
    if GROUP_TYPE not in known:
        body = {"group_type": {"name": GROUP_TYPE, "group_specs": CONSISTENT}}
        admin("cinder", "POST", "/group_types", body, version)


def flavor(admin: Client) -> None:
    if not admin("nova", "GET", "/flavors")["flavors"]:
        admin("nova", "POST", "/flavors", {"flavor": FLAVOR})


def share_type(admin: Client) -> None:
    if admin("manila", "GET", "/types")["share_types"]:
        return
    specs = {"driver_handles_share_servers": "False", "snapshot_support": "True",
             "create_share_from_snapshot_support": "True"}
    admin("manila", "POST", "/types", {"share_type": {
        "name": "default", "share_type_access:is_public": True, "extra_specs": specs}})


def application_credential(bed: Bed) -> str:
    """The id of the member's; its secret is the bed's."""
    member = Client(bed, MEMBERS[0], MEMBERS[0])
    path = f"/users/{member.user}/application_credentials"
    known = member("keystone", "GET", f"{path}?name={CREDENTIAL}")["application_credentials"]
    if known:
        return known[0]["id"]
    body = {"application_credential": {"name": CREDENTIAL, "secret": bed.secret}}
    return member("keystone", "POST", path, body)["application_credential"]["id"]


def clouds(bed: Bed, credential: str) -> dict:
    def entry(auth: dict, **more: object) -> dict:
        auth = {"auth_url": bed.url("keystone"), **auth}
        return {"auth": auth, "region_name": REGION, "interface": "public", "identity_api_version": 3, **more}

    def person(name: str) -> dict:
        return entry({"username": name, "password": bed.secret, "project_name": name,
                      "user_domain_id": "default", "project_domain_id": "default"})

    application = {"application_credential_id": credential, "application_credential_secret": bed.secret}
    named = {name: person(name) for name in (*MEMBERS, "admin")}
    return {**named, "application": entry(application, auth_type="v3applicationcredential")}


def main() -> None:
    bed = Bed.from_environment()
    admin = Client(bed, "admin", "admin")
    raise_quotas(bed, admin)
    for service, steps in {"cinder": volume_types, "nova": flavor, "manila": share_type}.items():
        if service in bed.services:
            steps(admin)
    path = bed.directory / "clouds.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump({"clouds": clouds(bed, application_credential(bed))}, sort_keys=False))


if __name__ == "__main__":
    main()
