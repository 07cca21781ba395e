"""How the services are, by their own word.

    health.py show NAME...          one line each: NAME well|ill; exit status 0 when all are well
    health.py wait SECONDS NAME...  until all are well; exit status 1 names those that are not, at the latest after
                                    SECONDS, at once when a process has ended

A worker is well when its row is up and was written after the process began.
"""
import socket
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from bed import CHECK_SECONDS, Bed, Client, Refused

APIS = {"keystone": "keystone", "cinder-api": "cinder", "nova-api": "nova", "placement": "placement",
        "manila-api": "manila", "stubs": "stubs"}
# Where the workers of a service are listed.
ROWS = {"cinder": "/os-services", "nova": "/os-services", "manila": "/services"}
# What is said first to each, and how the answer must begin: AMQP's header and a method frame; nothing, for MariaDB
# speaks first; epmd's request for names (with its length) and its own port.
GREETINGS = {
    "rabbitmq": (b"AMQP\x00\x00\x09\x01", b"\x01"),
    "mariadb": (b"", b""),
    "epmd": (b"\x00\x01n", b"\x00\x00"),
}
PAUSE = 0.3


class Health:
    def __init__(self, bed: Bed) -> None:
        self.bed, self.admin = bed, None

    def begun(self, name: str) -> float | None:
        """When the process began, in seconds since the epoch; None when it is not there."""
        record = self.bed.directory / "run" / f"{name}.pid"
        try:
            pid, clock = record.read_text().split()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if fields[0] in "ZX" or fields[19] != clock:
                return None
            return record.stat().st_mtime
        except (OSError, ValueError):
            return None

    def speaks(self, name: str) -> bool:
        """Whether it answers a greeting as its protocol has it."""
        greeting, answer = GREETINGS[name]
        address = "127.0.0.1" if name == "epmd" else self.bed.address
        try:
            with socket.create_connection((address, self.bed.ports[name]), CHECK_SECONDS) as connection:
                connection.settimeout(CHECK_SECONDS)
                connection.sendall(greeting)
                start = connection.recv(len(answer) or 1)
                return bool(start) and start.startswith(answer)
        except OSError:
            return False

    def rows(self, service: str) -> dict[str, float]:
        """The workers of a service that are up: when each was last heard of, in seconds since the epoch."""
        try:
            self.admin = self.admin or Client(self.bed, "admin", "admin")
            found = self.admin(service, "GET", ROWS[service])["services"]
            if service == "nova" and not self.admin("nova", "GET", "/os-hypervisors")["hypervisors"]:
                # The computing host is not in its cell yet: nothing could be scheduled to it.
                found = [row for row in found if row["binary"] != "nova-compute"]
            stamps = {row["binary"]: row["updated_at"] for row in found if row["state"] == "up"}
            return {name: seconds(stamp) for name, stamp in stamps.items() if stamp}
        except (OSError, Refused):
            self.admin = None
            return {}

    def well(self, names: list[str]) -> dict[str, bool]:
        workers = {name.partition("-")[0] for name in names if name not in APIS} & ROWS.keys()
        rows = {name: heard for service in workers for name, heard in self.rows(service).items()}
        result = {}
        for name in names:
            begun = self.begun(name)
            if begun is None:
                result[name] = False
            elif name in APIS:
                result[name] = self.bed.answers(APIS[name])
            elif name in GREETINGS:
                result[name] = self.speaks(name)
            else:
                result[name] = rows.get(name, 0) >= int(begun)
        return result


def seconds(stamp: str) -> float:
    moment = datetime.fromisoformat(stamp)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def show(health: Health, names: list[str]) -> bool:
    states = health.well(names)
    for name, well in states.items():
        print(name, "well" if well else "ill")
    return all(states.values())


def wait(health: Health, limit: float, names: list[str]) -> bool:
    end, left = time.monotonic() + limit, names
    while True:
        left = [name for name, well in health.well(left).items() if not well]
        ended = [name for name in left if health.begun(name) is None]
        if not left or ended or time.monotonic() > end:
            break
        time.sleep(PAUSE)
    for name in left:
        print(f"{name} {'has ended' if name in ended else 'does not answer'}", file=sys.stderr)
    return not left


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    health = Health(Bed.from_environment())
    done = show(health, rest) if verb == "show" else wait(health, float(rest[0]), rest[1:])
    sys.exit(0 if done else 1)
