"""A BuildKit session in pure Python: the daemon's gRPC calls for files, secrets and logins, served by us."""

from __future__ import annotations

from workers.engine.session.auth import Auth
from workers.engine.session.connection import open_session
from workers.engine.session.filesync import FileSync
from workers.engine.session.grpc import Service
from workers.engine.session.secrets import Secrets

__all__ = ["Auth", "FileSync", "Secrets", "Service", "open_session"]
