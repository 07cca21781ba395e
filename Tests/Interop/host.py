"""What the kernel knows: mounts and loop devices below a directory."""

import glob
import os


def mounts(below):
    """Mount points at or below `below`, innermost last."""
    found = []
    with open("/proc/self/mountinfo") as table:
        for line in table:
            point = line.split()[4].encode().decode("unicode_escape")
            if point == below or point.startswith(below + "/"):
                found.append(point)
    return found


def loop_devices(below):
    """Loop devices whose backing file lies below `below`, with that file (deleted ones too)."""
    found = {}
    for entry in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(entry) as backing:
                name = backing.read().rstrip("\n")
        except OSError:
            continue  # detached while we looked
        if name.startswith(below + "/"):
            found["/dev/" + entry.split("/")[3]] = name
    return found


def files(below):
    """Paths of all regular files below `below`."""
    return sorted(os.path.join(top, name) for top, _, names in os.walk(below) for name in names)
