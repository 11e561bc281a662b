"""bcrypt entries for a registry's htpasswd file, made by the system's own libcrypt (libxcrypt on Debian)."""

from __future__ import annotations

import ctypes
import ctypes.util
import secrets

_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_COST = "05"  # the lowest that is common: these passwords live as long as a test


def entry(user: str, password: str) -> str:
    """Return one line `user:$2b$…`; a registry accepts bcrypt and nothing else.

    Raises:
        RuntimeError: the system's libcrypt has no bcrypt.
    """
    # The last of the 22 salt characters carries only 2 bits that count; "." is always valid there.
    salt = f"$2b${_COST}$" + "".join(secrets.choice(_ALPHABET) for _ in range(21)) + "."
    crypt = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    hashed: bytes | None = crypt(password.encode(), salt.encode())
    if hashed is None or not hashed.startswith(b"$2b$"):
        raise RuntimeError("libcrypt can't make bcrypt hashes on this system")
    return f"{user}:{hashed.decode()}"
