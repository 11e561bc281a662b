"""How the console's routes differ from the API's: errors are pages, and changes come from the console alone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from service.console.rendering import page
from service.errors import invalid
from shipway.exceptions import RequestError, ShipwayError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Forbidden(RequestError):
    """A change was asked for by a page of another site."""

    status = 403


class Page(APIRoute):
    """A route that answers with a page, whatever happens."""

    def get_route_handler(self) -> Handler:
        """Wrap the route's own handler."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                if request.method != "GET":
                    _check_origin(request)
                return await handler(request)
            except ShipwayError as error:
                return _told(error)
            except RequestValidationError as error:
                return _told(invalid(error.errors(), prefix=1))

        return shown


def _check_origin(request: Request) -> None:
    """Raise Forbidden unless a browser says that a page of this site sends the form."""
    same = request.headers.get("sec-fetch-site") == "same-origin"
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if not same and origin != request.headers.get("host"):
        raise Forbidden("another site asked for this change; nothing was done", slug="origin-foreign")


def _told(error: ShipwayError) -> Response:
    return page("error.html", error.status, error=error)
