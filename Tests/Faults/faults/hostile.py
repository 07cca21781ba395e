"""Mutations of valid requests: what a careless or hostile caller might put into each field."""
import random

from google.protobuf.descriptor import FieldDescriptor as Field

MIB = 1 << 20
# Neither so small that nothing happens nor so large that a run fills the disk: what lies between is left out.
NUMBERS = [-(1 << 63), -(1 << 31), -1, 0, 1, 2, 511, 4095, 4096, 4097, 65536, MIB, 16 * MIB, 16 * MIB + 1, 64 * MIB,
           1 << 55, (1 << 62) + 1, (1 << 63) - 1]
STRINGS = ["", " ", ".", "..", "/", "//", "-", "--help", "-rf", "a", "%n%s%p", "$(reboot)", "`id`", "a;b", "a\nb", "a\tb",
           "\u0001", "\u007f", "\u0085", "\u200b", "\ufeff", "\U0001f4a5", "e\u0301", "A" * 127, "A" * 128, "A" * 129,
           "\U0001f4a5" * 32, "\U0001f4a5" * 33, "A" * 255, "A" * 256, "A" * 257, "A" * 5000, "u5-", "u5-x", "file:",
           "file:x", ":", "0", "-1", "true", "null", "{}", "a/b", "../a", "../../../../a", "a/../../b", "a\0b", "\0"]
KEYS = ["", " ", "fsType", "csi.storage.k8s.io/fstype", "csi.storage.k8s.io/pvc/name", "csi.storage.k8s.io/ephemeral",
        "csi.storage.k8s.io/serviceAccount.tokens", "backend", "size", "allocation", "mkfsOptions", "..", "a/b", "A" * 200]
FLAGS = ["ro", "noatime", "context=\"system_u:object_r:x:s0\"", "bind", "remount", "loop", "suid", "dev", "", ",", "ro,rw",
         "x" * 5000, "data=journal", "usrjquota=../../x", "nonsense", "\0"]


class Mutator:
    """Changes messages at random; every choice comes from one seeded generator."""

    def __init__(self, random: random.Random, paths: list[str], identifiers: list[str]):
        self.random, self.paths, self.identifiers = random, paths, identifiers

    def mutate(self, message) -> None:
        """Makes one to four changes, each in some field at some depth."""
        for _ in range(self.random.choice((1, 1, 2, 4))):
            self.change(message)

    def change(self, message) -> None:
        fields = message.DESCRIPTOR.fields
        if not fields:
            return
        field = self.random.choice(fields)
        if self.random.random() < 0.1:
            message.ClearField(field.name)
        elif self.is_map(field):
            self.change_map(getattr(message, field.name))
        elif field.is_repeated:
            self.change_list(message, field)
        elif field.message_type:
            self.change(getattr(message, field.name))
            if self.random.random() < 0.3:
                getattr(message, field.name).SetInParent()
        else:
            setattr(message, field.name, self.value(field))

    @staticmethod
    def is_map(field) -> bool:
        return bool(field.message_type and field.message_type.GetOptions().map_entry)

    def change_map(self, entries) -> None:
        if self.random.random() < 0.05:
            entries.update({f"key-{n}": "v" * 60 for n in range(self.random.choice((60, 70, 3000)))})
        else:
            entries[self.random.choice(KEYS + STRINGS)] = self.string("")

    def change_list(self, message, field) -> None:
        values = getattr(message, field.name)
        choice = self.random.random()
        if field.message_type:
            if choice < 0.3 and len(values):
                values.add().CopyFrom(self.random.choice(values))
            elif choice < 0.8 and len(values):
                self.change(self.random.choice(values))
            else:
                self.change(values.add())
        elif choice < 0.2 and len(values):
            values.append(self.random.choice(values))
        elif choice < 0.25:
            values.extend(self.value(field) for _ in range(500))
        else:
            values.append(self.value(field))

    def value(self, field):
        if field.type == Field.TYPE_STRING:
            return self.string(field.name)
        if field.type == Field.TYPE_BOOL:
            return self.random.random() < 0.5
        if field.type == Field.TYPE_ENUM:
            return self.random.choice((-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 99, (1 << 31) - 1))
        number = self.random.choice(NUMBERS)
        return max(-(1 << 31), min(number, (1 << 31) - 1)) if field.type == Field.TYPE_INT32 else number

    def string(self, name: str) -> str:
        pool = [STRINGS]
        if "path" in name:
            pool += [self.paths, self.paths]
        if "flags" in name:
            pool += [FLAGS, FLAGS]
        if "id" in name or "name" in name:
            pool += [self.identifiers, self.identifiers]
        return self.random.choice(self.random.choice(pool) or STRINGS)

    def damage(self, data: bytes) -> bytes:
        """Bytes that may be no message any more: flipped, cut, doubled, or with text that is not UTF-8."""
        damaged = bytearray(data)
        for _ in range(self.random.choice((1, 1, 3))):
            where = self.random.randrange(len(damaged) + 1)
            kind = self.random.randrange(5)
            if kind == 0 and where < len(damaged):
                damaged[where] ^= 1 << self.random.randrange(8)
            elif kind == 1:
                del damaged[where:]
            elif kind == 2:
                damaged[where:where] = self.random.randbytes(self.random.randrange(9))
            elif kind == 3:
                damaged += damaged[where:]
            elif where < len(damaged):
                damaged[where] = self.random.choice((0x00, 0x7F, 0x80, 0xC0, 0xED, 0xFF))
        return bytes(damaged)
