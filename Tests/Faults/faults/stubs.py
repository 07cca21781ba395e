"""Python stubs of the wire contract, made from proto/csi.proto each time they are asked for."""
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

# A process that starts others while gRPC threads run must not let gRPC hook fork.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

REPOSITORY = Path(__file__).resolve().parents[3]


def load(proto: Path = REPOSITORY / "proto" / "csi.proto") -> SimpleNamespace:
    """The generated modules, as `.pb` (messages) and `.grpc` (stubs)."""
    folder = Path(tempfile.mkdtemp(prefix="csi-stubs-"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto.parent}", f"--python_out={folder}",
         f"--grpc_python_out={folder}", proto.name],
        check=True)
    sys.path.insert(0, str(folder))
    try:
        return SimpleNamespace(
            pb=importlib.import_module("csi_pb2"), grpc=importlib.import_module("csi_pb2_grpc"))
    finally:
        sys.path.remove(str(folder))
        subprocess.run(["rm", "-rf", str(folder)], check=True)
