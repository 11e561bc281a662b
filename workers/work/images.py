"""Small work on the images that a daemon has."""

from __future__ import annotations

from shipway.models.spec import InspectSpec, PruneSpec, RemoveSpec, TagSpec
from workers.work.base import Work


class Inspecting(Work[InspectSpec]):
    """Tell what the daemon knows of an image, with its history."""

    async def run(self) -> None:
        images = self.parts.engine.images
        image = await images.inspect(self.spec.image)
        history = await images.history(image.id)
        described = image.model_copy(update={"history": tuple(history)})
        await self.note(image_id=image.id, image=described.model_dump())


class Tagging(Work[TagSpec]):
    """Give an image more names."""

    async def run(self) -> None:
        image = await self.parts.engine.images.inspect(self.spec.image)
        await self.tag(image.id, self.spec.tags)
        await self.note(image_id=image.id, images=self.spec.tags)


class Removing(Work[RemoveSpec]):
    """Take names or images off the daemon."""

    async def run(self) -> None:
        removed: list[str] = []
        for image in self.spec.images:
            removed += await self.parts.engine.images.remove(image, force=self.spec.force)
        await self.note(images=tuple(removed))


class Pruning(Work[PruneSpec]):
    """Free what the daemon's cache holds."""

    async def run(self) -> None:
        async with self.phase("prune"):
            freed = await self.parts.engine.images.prune(self.spec.keep_bytes)
        await self.note(bytes_freed=freed)
