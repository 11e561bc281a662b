"""A BuildKit session in pure Python: the daemon's gRPC calls for files, secrets, ssh keys and logins, served by us."""

from __future__ import annotations

from workers.engine.session.auth import Auth
from workers.engine.session.connection import open_session
from workers.engine.session.filesync import FileSync
from workers.engine.session.grpc import Service
from workers.engine.session.secrets import Secrets
from workers.engine.session.ssh import Ssh

__all__ = ["Auth", "FileSync", "Secrets", "Service", "Ssh", "open_session"]
