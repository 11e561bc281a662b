"""Compile the `.proto` files of this folder into `*_pb2.py` and `*_pb2.pyi` (needs grpcio-tools)."""

from __future__ import annotations

import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
GOOGLE = Path(grpc_tools.__file__).parent / "_proto"


def main() -> int:
    """Run protoc over every `.proto` file; the exit code is protoc's."""
    sources = [str(path) for path in sorted(HERE.glob("*.proto"))]
    out = [f"--python_out={ROOT}", f"--pyi_out={ROOT}"]
    return int(protoc.main(["protoc", f"-I{ROOT}", f"-I{GOOGLE}", *out, *sources]))


if __name__ == "__main__":
    sys.exit(main())
