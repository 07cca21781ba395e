"""What was begun and what was answered, in a file that outlives the machine that writes it."""
import json
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Known:
    """What a journal tells of one name: a volume's or a snapshot's."""
    kind: str
    facts: dict
    # "" before the answer to its creation.
    identity: str = ""
    contents: dict = field(default_factory=dict)
    size: int = 0
    deletion_begun: bool = False


class Journal:
    def __init__(self, path: Path):
        self.path = path

    def write(self, event: str, name: str, **facts) -> None:
        """Is on the disk of the machine outside when it returns."""
        with open(self.path, "a") as file:
            file.write(json.dumps({"event": event, "name": name, **facts}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> list[dict]:
        """The last line is left out when it was cut off."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def known(self) -> dict[str, Known]:
        """Whatever is not known to be deleted, in the order of its beginning."""
        found: dict[str, Known] = {}
        for event in self.events():
            name, what = event.pop("name"), event.pop("event")
            match what:
                case "creating":
                    found[name] = Known(event.pop("kind"), event)
                case "created":
                    found[name].identity, found[name].size = event["identity"], event["size"]
                case "content":
                    found[name].contents[event["file"]] = event["checksum"]
                case "expanded":
                    found[name].size = event["size"]
                case "deleting":
                    found[name].deletion_begun = True
                case "deleted":
                    del found[name]
        return found
