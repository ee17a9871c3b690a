"""The gate before every request: who may ask, from where, how much and how slowly."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)
#: Bytes of a request's body: JSON only, voxels go by path.
BODY_MOST = 1_000_000
#: Seconds in which a body has to be here.
BODY_S = 5.0
_METHODS = ("GET", "POST", "DELETE")
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-src 'self' blob: data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)


class Guard:
    """An ASGI application around another.

    Parameters
    ----------
    app : what is guarded.
    port : the port that the service listens on.
    token : what everything under ``/api/`` asks for.
    touched : called for each request that was let in.
    """

    def __init__(self, app: App, *, port: int, token: str, touched: Callable[[], None]) -> None:
        self._app = app
        self._hosts = tuple(f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost"))
        self._origins = tuple(b"http://" + host for host in self._hosts)
        self._token = f"Bearer {token}".encode()
        self._touched = touched
        self._wrong = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal, close=_has_body(scope["headers"]))
            return
        body = await _read_body(receive)
        if isinstance(body, str):
            await _refuse(send, 413 if "bytes" in body else 408, body, close=True)
            return
        self._touched()
        await self._app(scope, _again(body, receive), _with_headers(send, private=_is_api(scope)))

    def _refusal(self, scope: Message) -> tuple[int, str] | None:
        headers = scope["headers"]
        hosts = _all(headers, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            # A name that a foreign page let point here (DNS rebinding) would make that page ours.
            return 421, "the service answers to 127.0.0.1 and localhost alone; use the address that it printed"
        if scope["method"] not in _METHODS:
            return 405, f"the method has to be one of {', '.join(_METHODS)}"
        if any(origin.lower() not in self._origins for origin in _all(headers, b"origin")):
            return 403, "the service takes no requests from other pages"
        return self._api_refusal(headers) if _is_api(scope) else None

    def _api_refusal(self, headers: Headers) -> tuple[int, str] | None:
        if b"cross-site" in _all(headers, b"sec-fetch-site"):
            return 403, "the service takes no requests from other pages"
        given = _all(headers, b"authorization")
        if len(given) != 1 or not hmac.compare_digest(given[0], self._token):
            self._count_wrong()
            return 401, "the token is missing or wrong; open the address that `fijibridge serve` printed"
        length = _all(headers, b"content-length")
        if length and (not length[0].isdigit() or len(length[0]) > 12 or int(length[0]) > BODY_MOST):
            return 413, f"a request may have {BODY_MOST} bytes at most; give voxels by their file's path"
        return None

    def _count_wrong(self) -> None:
        self._wrong += 1
        if self._wrong & (self._wrong - 1) == 0:
            _log.warning("%d requests so far came with a missing or wrong token", self._wrong)


def _is_api(scope: Message) -> bool:
    return str(scope["path"]).startswith("/api")


def _all(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


async def _read_body(receive: Receive) -> bytes | str:
    """Give the body, or the sentence that says why not."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > BODY_MOST:
                    return f"a request may have {BODY_MOST} bytes at most; give voxels by their file's path"
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        return f"the request was not here whole after {BODY_S:.0f} s; send it again"


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read, then whatever comes (that the client has gone)."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


def _with_headers(send: Send, *, private: bool) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *_HEADERS]
            names = {name for name, _ in headers}
            if b"content-security-policy" not in names:
                headers.append((b"content-security-policy", _PAGE_POLICY.encode()))
            if b"cache-control" not in names:
                headers.append((b"cache-control", b"no-store" if private else b"no-cache"))
            message = {**message, "headers": headers}
        await send(message)

    return send_on


def _has_body(headers: Headers) -> bool:
    return bool(_all(headers, b"transfer-encoding")) or _all(headers, b"content-length") not in ([], [b"0"])


async def _refuse(send: Send, status: int, sentence: str, *, close: bool) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [*_HEADERS, (b"cache-control", b"no-store")]
    if close:
        # The rest of a body that nobody will read must not be taken for the next request.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
