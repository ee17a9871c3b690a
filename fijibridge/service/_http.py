"""One request to the service, with the standard library alone."""

from __future__ import annotations

import http.client
import json
from typing import Any

from ..errors import ServiceError
from ._state import Address


def ask(address: Address, method: str, path: str, body: Any = None, *, timeout_s: float = 60.0) -> Any:
    """Send one request and give the JSON of the answer.

    Raises
    ------
    ServiceError : the service is not there or refuses; the sentence is its own.
    """
    status, data = ask_bytes(address, method, path, body, timeout_s=timeout_s)
    found = _json(data)
    if status >= 400:
        sentence = found.get("error") if isinstance(found, dict) else None
        raise ServiceError(str(sentence or f"the service answered {status} to {method} {path}"), status=status)
    return found


def ask_bytes(
    address: Address, method: str, path: str, body: Any = None, *, timeout_s: float = 60.0
) -> tuple[int, bytes]:
    """Send one request and give status and body as they come."""
    headers = {"Authorization": f"Bearer {address.token}"}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=timeout_s)
    try:
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError(
            f"the service on port {address.port} does not answer ({error or type(error).__name__}); start it with "
            "`fijibridge serve`",
            status=503,
        ) from error
    finally:
        connection.close()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None
