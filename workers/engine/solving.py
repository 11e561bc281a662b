"""Builds with further contexts, attestations or a cache in a registry: as `buildkit`, asked of BuildKit itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from grpclib import GRPCError
from grpclib.exceptions import StreamTerminatedError

from workers.engine.api import lost
from workers.engine.buildkit import STOPPING, BuildKitBuild
from workers.engine.control import Control, open_control
from workers.engine.finishing import finish
from workers.engine.parameters import solve_request
from workers.engine.session.proto.control_pb2 import SolveResponse

IMAGE_ID = "containerimage.digest"
"""What the daemon's exporter calls the id of the image."""


class SolvedBuild(BuildKitBuild):
    """One build."""

    async def _follow(self, session: str) -> None:
        request = solve_request(self._request.spec, session=session, build_id=self._request.build_id)
        async with open_control(self._api) as control:
            # Its trace is asked for first: a build that has ended has none any more.
            telling = asyncio.create_task(self._tell(control))
            solving = asyncio.create_task(control.solve(request))
            try:
                await asyncio.shield(telling)
                self._image_id = (await solving).ExporterResponse.get(IMAGE_ID)
            except GRPCError as error:
                await self._emit(self._trace.abandon())
                raise self._failure(error.message or "") from error
            except (StreamTerminatedError, ConnectionError) as error:
                raise lost(error) from error
            finally:
                await finish(self._end(telling, solving), limit=2 * STOPPING)

    async def _tell(self, control: Control) -> None:
        with suppress(GRPCError):  # the answer to the build itself says what went wrong
            async for response in control.status(self._request.build_id):
                await self._emit(self._trace.read(response))

    async def _end(self, telling: asyncio.Task[None], solving: asyncio.Task[SolveResponse]) -> None:
        """If the build still runs (cancelled, or the sink raised), stop it and wait until its trace ends."""
        if not solving.done():
            solving.cancel()
            await asyncio.wait([telling], timeout=STOPPING)
            await self._emit(self._trace.abandon())
        telling.cancel()
        await asyncio.gather(telling, solving, return_exceptions=True)
