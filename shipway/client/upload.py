"""What is sent as a context: a directory packed on the way, a tar passed on, or a lone Dockerfile."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from shipway.exceptions import ClientError
from shipway.models.spec import DOCKERFILE

CHUNK = 256 * 1024
"""Bytes sent at a time: each chunk crosses from the packing thread to the event loop once."""
TAR_BLOCK = 512
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_SNIFFED = 2 * TAR_BLOCK
