"""A commit: a container from an image, files and commands in it, then an image from the container."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shipway.context.copying import selected_for_copy
from shipway.context.pack import tar_of_source
from shipway.exceptions import BuildUserError
from shipway.models.credentials import Credentials
from shipway.models.spec import CommitSpec
from workers.work.base import Work


class Committing(Work[CommitSpec]):
    """One attempt at a commit."""

    async def run(self) -> None:
        credentials = await self.credentials()
        containers, spec = self.parts.engine.containers, self.spec
        async with self._container(credentials) as container, self.phase("commit"):
            image = await containers.commit(
                container,
                changes=spec.changes,
                author=spec.author,
                message=spec.message,
                pause=spec.pause,
                config=await self._config(),
            )
        await self.note(image_id=image, built_on=self.parts.settings.worker_name)
        await self.tag(image, spec.tags)
        if spec.push:
            await self.push(spec.tags, credentials)
        await self.note()

    @asynccontextmanager
    async def _container(self, credentials: Credentials) -> AsyncIterator[str]:
        """The container to commit: the one named, or one of our own that is removed whatever happens."""
        containers, spec = self.parts.engine.containers, self.spec
        if spec.container is not None:
            found = await containers.find(spec.container)
            if found is None:
                raise BuildUserError(f"this worker has no container {spec.container}", slug="container-unknown")
            yield found.id
            return
        await self.have(spec.image or "", credentials)
        container = await containers.create(spec.image or "", job=self.job.id, attempt=self.attempt)
        try:
            async with self.phase("run"):
                await self._copy(container)
                await self._run(container)
            yield container
        finally:
            self.parts.content.close()
            await containers.remove(container)

    async def _copy(self, container: str) -> None:
        if not self.spec.copies or self.spec.context is None:
            return
        source = await self.parts.content.source(self.job.project, self.spec.context)
        for path, destination in self.spec.copies:
            folder, manifest = selected_for_copy(source.manifest, path, destination)
            await self.parts.engine.containers.copy_in(container, folder, tar_of_source(source, manifest))

    async def _run(self, container: str) -> None:
        if not self.spec.run:
            return
        await self.parts.engine.containers.start(container)
        for command in self.spec.run:
            code = await self.parts.engine.containers.run(container, command, self.recorder)
            if code != 0:
                message = f"the command ended with exit code {code}: {command[:500]}"
                raise self.judged(BuildUserError(message, slug="command-failed", step=command))

    async def _config(self) -> dict[str, object] | None:
        """The image's own configuration: the container that ran the commands had another one."""
        if self.spec.image is None:
            return None
        described = await self.parts.engine.images.inspect(self.spec.image)
        return described.config
