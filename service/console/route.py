"""How the console's routes differ from the API's: errors are pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from service.console.rendering import page
from service.errors import invalid
from shipway.exceptions import ShipwayError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Page(APIRoute):
    """A route that answers with a page, whatever happens."""

    def get_route_handler(self) -> Handler:
        """Wrap the route's own handler."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handler(request)
            except ShipwayError as error:
                return _told(error)
            except RequestValidationError as error:
                return _told(invalid(error.errors(), prefix=1))

        return shown


def _told(error: ShipwayError) -> Response:
    return page("error.html", error.status, error=error)
