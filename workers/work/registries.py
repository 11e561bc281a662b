"""Images between daemons and registries."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from shipway.exceptions import BuildUserError, JobError
from shipway.models.job import PushedReference
from shipway.models.reference import Reference
from shipway.models.spec import LoginSpec, PullSpec, PushSpec
from workers.work.base import Work


class Pushing(Work[PushSpec]):
    """One attempt at a push of an image that this worker has."""

    async def run(self) -> None:
        credentials, spec = await self.credentials(), self.spec
        image = await self.parts.engine.images.inspect(spec.image)
        tags = spec.tags or ((spec.image,) if not spec.image.startswith("sha256:") else image.tags)
        if not tags:
            raise BuildUserError(f"{spec.image} has no name to push it by; give tags", slug="push-without-tag")
        # An image without another name would go with the last of these.
        new = [tag for tag in tags if image.tags and not await self.parts.engine.images.exists(tag)]
        await self.tag(image.id, [tag for tag in tags if tag not in image.tags])
        await self.note(image_id=image.id)
        try:
            await self.push(tags, credentials)
        finally:
            await self._forget(new)

    async def _forget(self, names: Sequence[str]) -> None:
        """Take away what the image was named only to be pushed by, where it was not."""
        pushed = {done.reference for done in self.result.pushed if done.digest}
        with suppress(JobError):  # what ended the push counts, not what a daemon that is gone says to this
            for name in names:
                if name not in pushed:
                    await self.parts.engine.images.untag(name)


class LoggingIn(Work[LoginSpec]):
    """One attempt at a login."""

    async def run(self) -> None:
        registry = self.spec.registry
        await self.parts.engine.log_in(registry, (await self.credentials()).registries[registry])


class Pulling(Work[PullSpec]):
    """One attempt at a pull."""

    async def run(self) -> None:
        credentials, spec = await self.credentials(), self.spec
        login = credentials.registries.get(Reference.parse(spec.image).domain)
        async with self.phase("pull"):
            pulled = await self.parts.engine.images.pull(spec.image, login, spec.platform, self.recorder)
        reached = PushedReference(reference=spec.image, digest=pulled.digest)
        await self.note(image_id=pulled.id, images=(spec.image,), pulled=reached.model_dump())
