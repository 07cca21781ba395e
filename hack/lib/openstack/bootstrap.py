"""What Keystone must hold beyond its own bootstrap: projects, users, roles, the catalogue.

Makes only what is missing.
"""
from bed import REGION, Bed, Client

DOMAIN = "default"

# Projects of tests, each with one ordinary member of the same name.
MEMBERS = ("member", "other")

# The catalogue: service, type, name, whether the project's id ends its address.
CATALOGUE = (
    ("cinder", "block-storage", "cinder", False),
    ("cinder", "volumev3", "cinderv3", True),
    ("nova", "compute", "nova", False),
    ("placement", "placement", "placement", False),
    ("manila", "sharev2", "manilav2", False),
    ("stubs", "network", "neutron", False),
    ("stubs", "image", "glance", False),
)
# The services that come with one that is asked for.
WITH_NOVA = ("placement", "stubs")


class Identity:
    def __init__(self, bed: Bed) -> None:
        self.bed, self.client = bed, Client(bed, "admin", "admin")

    def ensure(self, collection: str, kind: str, name: str, **more: object) -> str:
        """The id of the thing with this name."""
        known = self.client("keystone", "GET", f"/{collection}?name={name}")[collection]
        if known:
            return known[0]["id"]
        return self.client("keystone", "POST", f"/{collection}", {kind: {"name": name, **more}})[kind]["id"]

    def user(self, name: str, project: str, *roles: str) -> None:
        domain = {"domain_id": DOMAIN}
        user = self.ensure("users", "user", name, password=self.bed.secret, default_project_id=project, **domain)
        for role in roles:
            identifier = self.ensure("roles", "role", role)
            self.client("keystone", "PUT", f"/projects/{project}/users/{user}/roles/{identifier}")

    def endpoints(self, service: str, kind: str, name: str, with_project: bool) -> None:
        identifier = self.ensure("services", "service", name, type=kind)
        if self.client("keystone", "GET", f"/endpoints?service_id={identifier}")["endpoints"]:
            return
        url = self.bed.url(service, "%(project_id)s" if with_project else "").rstrip("/")
        for interface in ("public", "internal", "admin"):
            endpoint = {"service_id": identifier, "interface": interface, "url": url, "region_id": REGION}
            self.client("keystone", "POST", "/endpoints", {"endpoint": endpoint})


def main() -> None:
    bed = Bed.from_environment()
    identity = Identity(bed)
    wanted = {*bed.services, *(WITH_NOVA if "nova" in bed.services else ())}
    services = identity.ensure("projects", "project", "service", domain_id=DOMAIN)
    for name in ("cinder", "nova", "placement", "manila"):
        if name in wanted:
            identity.user(name, services, "admin", "service")
    for name in MEMBERS:
        identity.user(name, identity.ensure("projects", "project", name, domain_id=DOMAIN), "member")
    for entry in CATALOGUE:
        if entry[0] in wanted:
            identity.endpoints(*entry)


if __name__ == "__main__":
    main()
