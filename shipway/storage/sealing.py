"""Seals the secrets and registry logins that travel with a job through Redis, which never sees the keys."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shipway.exceptions import BuildSystemError, Unavailable
from shipway.models.credentials import Credentials


class Sealer:
    """Encrypts and reads credentials with the keys of `SHIPWAY_SECRET_KEYS`; the first key seals."""

    def __init__(self, secret_keys: str) -> None:
        keys = [Fernet(key.strip()) for key in secret_keys.split(",") if key.strip()]
        self._fernet = MultiFernet(keys) if keys else None

    def seal(self, credentials: Credentials) -> str:
        """Encrypt; no credentials at all give ''.

        Raises:
            Unavailable: there are credentials but this service has no key to seal them with.
        """
        return "" if credentials == Credentials() else self.lock(credentials.model_dump_json().encode())

    def unseal(self, sealed: str) -> Credentials:
        """Read what `seal` made; '' gives no credentials.

        Raises:
            BuildSystemError: it was sealed with a key that this process doesn't have.
        """
        return Credentials.model_validate_json(self.unlock(sealed)) if sealed else Credentials()

    def lock(self, raw: bytes) -> str:
        """Encrypt anything.

        Raises:
            Unavailable: there is no key.
        """
        return self.require().encrypt(raw).decode()

    def require(self) -> MultiFernet:
        """The keys; raises Unavailable if there are none."""
        if self._fernet is None:
            raise Unavailable(
                "This service has no key to protect secrets with; its operator must set SHIPWAY_SECRET_KEYS.",
                slug="secrets-unavailable",
            )
        return self._fernet

    def unlock(self, sealed: str) -> bytes:
        """Read what `lock` made.

        Raises:
            BuildSystemError: it was sealed with a key that this process doesn't have.
        """
        if self._fernet is not None:
            try:
                return self._fernet.decrypt(sealed.encode())
            except InvalidToken:
                pass
        raise BuildSystemError(
            "The secrets of this job can't be read here; SHIPWAY_SECRET_KEYS differs between service and worker.",
            slug="secrets-unreadable",
        )
