"""Where the bed is and how to speak to it: settings from the environment that hack/openstack sets, a small client."""
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REGION = "RegionOne"
CHECK_SECONDS = 5

# What a service's API is called in the catalogue, and its path behind the address.
PATHS = {
    "keystone": "/v3",
    "cinder": "/v3/{project}",
    "nova": "/v2.1",
    "placement": "",
    "manila": "/v2",
    "stubs": "",
}


@dataclass(frozen=True)
class Bed:
    """Settings of one bed. `services` are the names given with --services."""

    directory: Path
    address: str
    ports: dict[str, int]
    services: list[str]
    token_cache: int

    @staticmethod
    def from_environment() -> "Bed":
        ports = (pair.split("=") for pair in os.environ["BED_PORTS"].split())
        return Bed(
            directory=Path(os.environ["BED_DIRECTORY"]),
            address=os.environ["BED_ADDRESS"],
            ports={name: int(port) for name, port in ports},
            services=os.environ["BED_SERVICES"].split(","),
            token_cache=int(os.environ["BED_TOKEN_CACHE"]),
        )

    @property
    def secret(self) -> str:
        """The password of every account of the bed; made with its databases."""
        return (self.directory / "cache/secret").read_text().strip()

    def root(self, service: str) -> str:
        return f"http://{self.address}:{self.ports[service]}"

    def url(self, service: str, project: str = "") -> str:
        return self.root(service) + PATHS[service].format(project=project)

    def answers(self, service: str) -> bool:
        """Whether its API answers at all, by any status but a server's error."""
        try:
            path = "/v3" if service == "keystone" else "/"
            with urllib.request.urlopen(self.root(service) + path, timeout=CHECK_SECONDS):
                return True
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False


class Refused(Exception):
    """A service answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One user in one project; a token for its life."""

    def __init__(self, bed: Bed, user: str, project: str) -> None:
        self.bed, self.headers = bed, {}
        domain = {"id": "default"}
        password = {"user": {"name": user, "password": bed.secret, "domain": domain}}
        scope = {"project": {"name": project, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": password}, "scope": scope}}
        answer, headers = self._exchange("POST", bed.url("keystone") + "/auth/tokens", body)
        self.user = answer["token"]["user"]["id"]
        self.project = answer["token"]["project"]["id"]
        self.headers = {"X-Auth-Token": headers["X-Subject-Token"]}

    def __call__(self, service: str, method: str, path: str, body: dict | None = None, version: str = "") -> dict:
        """The answer's JSON. `version`: of the microversion header, as in "volume 3.70"."""
        headers = {"OpenStack-API-Version": version} if version else {}
        if service == "manila":
            headers["X-OpenStack-Manila-API-Version"] = version or "2.65"
        return self._exchange(method, self.bed.url(service, self.project) + path, body, headers)[0]

    def _exchange(self, method: str, url: str, body: dict | None, headers: dict | None = None) -> tuple[dict, dict]:
        data = None if body is None else json.dumps(body).encode()
        every = {"Content-Type": "application/json", **self.headers, **(headers or {})}
        request = urllib.request.Request(url, data, every, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return (json.loads(text) if text else {}), answer.headers
        except urllib.error.HTTPError as error:
            raise Refused(error.code, f"{method} {url}: {error.code} {error.read()[:300]!r}") from None
