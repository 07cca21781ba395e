"""The LVM backend beside the same done by programs, in one run: conducted by `hack/bench lvm`, inside the guest.

    bench_lvm.py STOWAGE STOWAGE_BENCH OUTPUT [quick]

The executed form runs the programs that a widely used driver for local LVM volumes starts for each operation (counted
in its sources: 9 for a thin volume, 11 for a snapshot, 3 for a deletion, 3 for one volume's statistics).
"""
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GROUP, POOL, SIZE = "bench", "pool", 32 << 20
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def lvm(*arguments: str) -> None:
    subprocess.run(["lvm", *arguments], check=True, **QUIET)


def timed(samples: list[float], *commands: tuple[str, ...]) -> None:
    begun = time.monotonic()
    for command in commands:
        lvm(*command)
    samples.append(time.monotonic() - begun)


LOOK_GROUP = ("vgs", "-o", "vg_name,vg_size,vg_free,vg_uuid", "--reportformat", "json", GROUP)
LOOK_POOL = ("lvs", "-o", "lv_name,lv_size,data_percent,metadata_percent", "--reportformat", "json", f"{GROUP}/{POOL}")
LOOK_ALL = ("lvs", "-o", "lv_name,lv_size,lv_tags,origin,pool_lv", "--reportformat", "json", GROUP)
REPORT = ("fullreport", "--reportformat", "json", GROUP)


def executed(rounds: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in ("create", "snapshot", "delete", "stats", "lvcreate")}
    look = [LOOK_GROUP, LOOK_POOL, LOOK_ALL]
    for number in range(rounds):
        name = f"executed{number}"
        create = ("lvcreate", "-y", "--type", "thin", "-V", f"{SIZE}b", "--thinpool", f"{GROUP}/{POOL}", "-n", name,
                  "--addtag", "bench", "-W", "y")
        timed(samples["create"], *look, *look, create, LOOK_ALL, REPORT)
        cut = ("lvcreate", "-s", "-k", "n", "-n", f"{name}s", f"{GROUP}/{name}")
        timed(samples["snapshot"], *look, *look, LOOK_ALL, cut, ("lvchange", "-p", "r", f"{GROUP}/{name}s"), LOOK_ALL, REPORT)
        timed(samples["stats"], LOOK_GROUP, LOOK_ALL, REPORT)
        lvm("lvremove", "-y", f"{GROUP}/{name}s")
        timed(samples["delete"], LOOK_GROUP, ("lvremove", "-y", "-f", f"{GROUP}/{name}"), REPORT)
        # The bare minimum of the executed form, for comparison: nothing but the one program.
        timed(samples["lvcreate"], create[:-2])
        lvm("lvremove", "-y", f"{GROUP}/{name}")
    return samples


class Server:
    def __init__(self, binary: str, folder: Path):
        configuration = folder / "stowage.yaml"
        configuration.write_text(
            f"backends:\n  - name: lvm\n    type: lvm\n    runtimeDirectory: {folder}/run\n    classes:\n"
            f"      - name: thin\n        volumeGroup: {GROUP}\n        pool: {POOL}\n        overprovision: 100\n")
        self.endpoint, self.log = f"unix://{folder}/csi.sock", folder / "log"
        with open(self.log, "wb") as output:
            self.child = subprocess.Popen([binary, "serve", "--config", str(configuration), "--endpoint", self.endpoint,
                                           "--node-id", "bench"], stdout=output, stderr=output)
        for _ in range(300):
            ready = subprocess.run([binary, "csi", "probe", "--endpoint", self.endpoint], capture_output=True, text=True)
            if ready.returncode == 0 and "true" in ready.stdout:
                return
            assert self.child.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise SystemExit(f"the server is not ready:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)


def fill(present: int, wanted: int) -> None:
    """Makes or takes away volumes that are merely there, by one LVM process."""
    lines = [f"lvcreate -y -an --type thin -V 4m --thinpool {GROUP}/{POOL} -n filler{number} --addtag "
             f"csi.filler={'x' * 300}" for number in range(present, wanted)]
    lines += [f"lvremove -y -f {GROUP}/filler{number}" for number in range(wanted, present)]
    if lines:
        subprocess.run(["lvm"], input="\n".join(lines) + "\n", text=True, check=True, **QUIET)


def median(samples: list[float]) -> float:
    return statistics.median(samples) * 1000


def main() -> None:
    stowage, bench, output = sys.argv[1:4]
    quick = "quick" in sys.argv[4:]
    disk = os.environ["STOWAGE_TEST_DISKS"].split()[0]
    lvm("pvcreate", "-y", "--metadatasize", "64m", disk)
    lvm("vgcreate", GROUP, disk)
    lvm("lvcreate", "-y", "--type", "thin-pool", "-L", "4g", "-n", POOL, GROUP)
    lines: list[str] = []

    def line(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    line("")
    line("### Local LVM volumes beside the same done by programs (medians, ms)")
    line("")
    line("| volumes present | operation | stowage p50 / p99 | executed form | ratio |")
    line("| --- | --- | --- | --- | --- |")
    first: dict[str, float] = {}
    present = 0
    with tempfile.TemporaryDirectory() as name:
        # The first row again at the end tells how much of a difference is the machine's.
        for wanted in (1, 20, 1) if quick else (1, 100, 500, 1):
            fill(present, wanted)
            present = wanted
            rounds = 3 if quick else 10
            folder = Path(tempfile.mkdtemp(dir=name))
            server = Server(stowage, folder)
            done = subprocess.run([bench, "local", server.endpoint, "--directory", str(folder), "--rounds", str(rounds)],
                                  stdout=subprocess.PIPE, text=True, check=True)
            ours = json.loads(done.stdout.splitlines()[-1])
            server.stop()
            theirs = executed(max(3, rounds // 3))
            for operation in ("create", "snapshot", "delete", "stats"):
                own, other = ours[operation]["p50"] / 1000, median(theirs[operation])
                line(f"| {wanted} | {operation} | {own:.1f} / {ours[operation]['p99'] / 1000:.1f} | {other:.0f} "
                     f"| {own / other:.3f} |")
                if operation == "create":
                    line(f"| {wanted} | create, against one lvcreate | {own:.1f} | {median(theirs['lvcreate']):.0f} "
                         f"| {own / median(theirs['lvcreate']):.3f} |")
                first.setdefault(operation, own)
            line(f"| {wanted} | create, against that with 1 present | {ours['create']['p50'] / 1000:.1f} "
                 f"| {first['create']:.1f} | {ours['create']['p50'] / 1000 / first['create']:.2f} |")
    Path(output).write_text("\n".join(lines) + "\n")
    lvm("vgremove", "-ff", "-y", GROUP)


if __name__ == "__main__":
    main()
