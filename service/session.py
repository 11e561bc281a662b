"""A browser's session: its cookie holds the token that was given at the login, out of reach for scripts."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from shipway.exceptions import Forbidden

COOKIE = "shipway"
LIFETIME = 12 * 3600
"""Seconds after which a browser forgets its token."""
SAFE = frozenset({"GET", "HEAD"})


def begin(token: str, *, secure: bool) -> Response:
    """Give a browser its cookie, and send it to the first page."""
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(COOKIE, token, max_age=LIFETIME, httponly=True, samesite="strict", secure=secure)
    return answer


def token_in(headers: Headers, method: str) -> str:
    """The token in a request's cookie, or ''.

    Raises:
        Forbidden: a change is asked for, and no page of this site asks (`origin-foreign`).
    """
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    if cookie is None:
        return ""
    if method not in SAFE:
        check_origin(headers)
    return cookie.value


def check_origin(headers: Headers) -> None:
    """Raise Forbidden unless a browser says that a page of this site sends the request."""
    origin = urlsplit(headers.get("origin", "")).netloc
    if headers.get("sec-fetch-site") != "same-origin" and origin != headers.get("host"):
        raise Forbidden("another site asked for this change; nothing was done", slug="origin-foreign")
