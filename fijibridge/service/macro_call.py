"""`fijibridge macro call`: the macros' way to the service, in plain lines that a macro can split.

Each line is ``key=value``; what went wrong comes as ``error=sentence`` on standard output with exit code 0, since
ImageJ's ``exec`` gives a macro nothing else. Only the standard library is loaded, so that a call takes no longer than
Python needs to start::

    start OPERATION [engine=E] [input:volume=PATH] [output=PATH] [lease=PATH] [KEY=VALUE ...]
    wait ID [timeout=SECONDS]      cancel ID      status [ID]      stop
    preview volume=PATH labels=PATH slice=N [output=PATH] [trees=N] [answer=PATH lease=PATH]
    model volume=PATH labels=PATH output=PATH      into FILE CALL ...: the lines of a call into a file

With ``answer``, a call returns at once and its lines come into that file; it is given up once nobody touches the lease
(``exec`` lets nobody end a macro that waits in it).

A single argument ``@FILE`` names a UTF-8 file with one argument in each line; a single argument of several lines is
those arguments (``exec`` cannot be given a list). What is printed is ASCII, other characters as ``&#NUMBER;``: Java's
default encoding, in which ``exec`` reads, differs from system to system.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from ..errors import FijibridgeError, ServiceError
from ._http import ask
from ._launch import ensure, find, start_apart
from ._lease import held
from ._state import Address, replace_text, state_folder

#: What a job takes beside its parameters.
_OWN = ("engine", "output", "lease", "units")
_POLL_S = 0.1
Pairs = dict[str, str]


def main(words: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Do one call; always gives exit code 0."""
    out = out or sys.stdout
    if out is sys.stdout and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        for line in call(list(sys.argv[1:] if words is None else words)):
            out.write(_ascii(line))
    except FijibridgeError as error:
        out.write(_ascii(f"error={_one_line(error)}"))
    return 0


def call(words: Sequence[str]) -> Iterator[str]:
    """Do one call and give the lines to print."""
    words = _from_file(words)
    answer = [word for word in words if word.startswith("answer=")]
    if answer:
        rest = [word for word in words if word not in answer]
        start_apart("fijibridge.service.macro_call", "into", answer[0].removeprefix("answer="), *rest)
        return iter(answer)
    if not words or words[0] not in _CALLS:
        raise ServiceError(f"macro call takes {', '.join(_CALLS)}, got {words[0] if words else 'nothing'}")
    return iter(_CALLS[words[0]](list(words[1:])))


def _into(words: list[str]) -> list[str]:
    """Do a call whose lines go into a file, in one step when it is over."""
    told = io.StringIO()
    try:
        main(words[1:], told)
    finally:
        replace_text(Path(words[0]), told.getvalue() or "error=the call broke off; look with: fijibridge doctor\n")
    return []


def _start(words: list[str]) -> list[str]:
    if not words or "=" in words[0]:
        raise ServiceError("start needs the name of an operation first, such as: start smooth input:volume=PATH")
    address = ensure(state_folder())
    job = ask(address, "POST", "/api/jobs", _job_request(words[0], _pairs(words[1:])))
    return [f"id={job['id']}", f"progress={job['progress_file']}"]


def _wait(words: list[str]) -> list[str]:
    pairs = _pairs(words[1:])
    end = time.monotonic() + float(pairs.get("timeout", "inf"))
    number, address = _one(words), _running()
    while True:
        job = ask(address, "GET", f"/api/jobs/{number}")
        if job["state"] not in ("queued", "running") or time.monotonic() > end:
            return _described(job)
        time.sleep(_POLL_S)


def _cancel(words: list[str]) -> list[str]:
    return _described(ask(_running(), "DELETE", f"/api/jobs/{_one(words)}"))


def _status(words: list[str]) -> list[str]:
    if words:
        return _described(ask(_running(), "GET", f"/api/jobs/{_one(words)}"))
    address = find(state_folder())
    if address is None:
        return ["running=no", f"inbox={state_folder().make().inbox}"]
    found = ask(address, "GET", "/api/status")
    counts = [f"jobs_{state}={number}" for state, number in found["jobs"].items()]
    lines = ["running=yes", f"version={found['version']}", f"pid={found['pid']}", f"page={address.page}"]
    lines += [f"inbox={found['inbox']}", f"folders={';'.join(found['folders'])}", f"imagej={found['imagej']}"]
    return [*lines, *counts]


def _preview(words: list[str]) -> list[str]:
    found = _in_session(words, "preview", ("labels", "slice", "output", "trees", "min_leaf", "seed"))
    return [f"labels={found['labels']}", f"seconds={found['seconds']}"]


def _model(words: list[str]) -> list[str]:
    return [f"model={_in_session(words, 'model', ('labels', 'output', 'trees', 'min_leaf', 'seed'))['model']}"]


def _stop(_words: list[str]) -> list[str]:
    address = find(state_folder())
    if address is None:
        return ["running=no"]
    ask(address, "POST", "/api/stop")
    return ["stopped=yes"]


def _in_session(words: list[str], what: str, known: tuple[str, ...]) -> Any:
    """Ask the session of a volume, opened where it is not."""
    pairs = _pairs(words)
    if "volume" not in pairs or "labels" not in pairs:
        raise ServiceError(f"{what} needs volume=PATH and labels=PATH")
    address = ensure(state_folder())
    opened = ask(address, "POST", "/api/sessions", {"volume": pairs["volume"], **_size(pairs)}, timeout_s=600)
    body = {name: pairs[name] for name in known if name in pairs}
    session = f"/api/sessions/{opened['id']}"
    lease = Path(pairs["lease"]) if "lease" in pairs else None
    with held(lease, lambda: ask(address, "DELETE", session)):
        return ask(address, "POST", f"{session}/{what}", body, timeout_s=600)


def _job_request(operation: str, pairs: Pairs) -> dict[str, Any]:
    inputs = {key.removeprefix("input:"): value for key, value in pairs.items() if key.startswith("input:")}
    own: dict[str, Any] = {key: value for key, value in pairs.items() if key in _OWN}
    rest = {
        key: _value(value)
        for key, value in pairs.items()
        if key not in (*_OWN, "spacing") and not key.startswith("input:")
    }
    return {"operation": operation, "inputs": inputs, "parameters": rest, **own, **_size(pairs)}


def _size(pairs: Pairs) -> dict[str, Any]:
    """Read ``spacing=Z,Y,X`` and ``units=nm``."""
    if "spacing" not in pairs:
        return {}
    try:
        return {"spacing": [float(part) for part in pairs["spacing"].split(",")], "units": pairs.get("units", "nm")}
    except ValueError:
        raise ServiceError(f"spacing needs three numbers Z,Y,X, got {pairs['spacing']!r}") from None


def _value(text: str) -> Any:
    """Numbers and words are told apart by the service; lists and null have to be told here."""
    if text == "null" or text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _described(job: dict[str, Any]) -> list[str]:
    lines = [f"id={job['id']}", f"state={job['state']}", f"progress={job['progress']:.4f}"]
    if job["error"]:
        lines.append(f"error={_one_line(job['error'])}")
    result = job["result"] or {}
    lines += [f"result={path}" for path in result.get("files", ())]
    return [*lines, *(f"{key}={result[key]}" for key in ("kind", "report") if key in result)]


def _running() -> Address:
    address = find(state_folder())
    if address is None:
        raise ServiceError("the service does not run, so there is no such job under way; start the job again")
    return address


def _one(words: list[str]) -> str:
    if not words or not words[0].isalnum():
        raise ServiceError(f"a job is named by its id, got {words[0] if words else 'nothing'}")
    return words[0]


def _pairs(words: Sequence[str]) -> Pairs:
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise ServiceError(f"{wrong[0]!r} is not KEY=VALUE; put quotes around a value with blanks")
    return dict(word.split("=", 1) for word in words)


def _ascii(line: str) -> str:
    return line.encode("ascii", "xmlcharrefreplace").decode() + "\n"


def _from_file(words: Sequence[str]) -> Sequence[str]:
    if len(words) == 1 and "\n" in words[0]:
        return [line for line in words[0].split("\n") if line]
    if len(words) != 1 or not words[0].startswith("@"):
        return words
    try:
        lines = Path(words[0][1:]).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError(f"cannot read the arguments in {words[0][1:]}: {error}") from error
    return [line for line in lines if line]


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


_CALLS: dict[str, Callable[[list[str]], list[str]]] = {
    "start": _start,
    "wait": _wait,
    "cancel": _cancel,
    "status": _status,
    "preview": _preview,
    "model": _model,
    "stop": _stop,
    "into": _into,
}

if __name__ == "__main__":
    sys.exit(main())
