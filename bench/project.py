"""A project as one meets it, and forty commits to it: the same ones every time."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from bench.workloads import write_noise
from deploy.local import base_image

COMMITS = 40
_MODULES = 12
_SIZE = 4_000
_DOCKERFILE = f"""\
FROM {base_image.REFERENCE} AS tools
RUN echo {{salt}} > /salt && echo compiler > /compiler
WORKDIR /src

FROM tools AS deps
COPY requirements.txt .
RUN sha256sum requirements.txt > /installed

FROM deps AS build
COPY lib lib
RUN find lib -type f | sort | xargs cat | sha256sum > /library
COPY app app
RUN find app -type f | sort | xargs cat | sha256sum > /program

FROM deps AS assets
COPY web web
RUN find web -type f | sort | xargs cat | sha256sum > /bundle

FROM {base_image.REFERENCE}
RUN echo {{salt}} > /runtime
COPY --from=deps /installed /installed
COPY --from=build /library /program /bin/
COPY --from=assets /bundle /bundle
COPY settings.ini /etc/settings.ini
RUN cat /installed /bin/program > /version
"""
_FILES = {
    "requirements.txt": ["requirements.txt"],
    **{part: [f"{part}/module{number:02}" for number in range(_MODULES)] for part in ("lib", "app", "web")},
    "settings.ini": ["settings.ini"],
    "README.md": ["README.md"],
}
_TOUCHED = {"app": 14, "web": 8, "lib": 5, "settings.ini": 3, "README.md": 6, "requirements.txt": 1}
"""How often each part is touched, of all changes: the requirements hardly ever, the program most of the time."""


class Project:
    """The project at its newest commit, in a directory.

    `salt` makes its steps others than those of a project with another one, whatever else is the same.
    """

    def __init__(self, root: Path, salt: str) -> None:
        self.root = root
        self._chance = random.Random("a project")
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        (root / "Dockerfile").write_text(_DOCKERFILE.format(salt=salt))
        for path in (path for paths in _FILES.values() for path in paths):
            self._write(path)

    def commit(self) -> None:
        """Change one to three files."""
        for _ in range(self._chance.randint(1, 3)):
            part = self._chance.choices(list(_TOUCHED), list(_TOUCHED.values()))[0]
            self._write(self._chance.choice(_FILES[part]))

    def _write(self, path: str) -> None:
        file = self.root / path
        file.parent.mkdir(exist_ok=True)
        write_noise(file, _SIZE, self._chance)
