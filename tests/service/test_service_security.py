"""Who must not get in: other pages, other users, other folders; and what must not bring the service down."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from fijibridge.service._guard import BODY_MOST

SMOOTH = {"operation": "smooth"}


def raw(service, *parts: bytes, pause=lambda: None) -> bytes:
    """Send bytes as they are and give all that comes back until the service closes."""
    with socket.create_connection(("127.0.0.1", service.address.port), timeout=30) as line:
        for part in parts:
            line.sendall(part)
            pause()
        answer = b""
        try:
            while piece := line.recv(65536):
                answer += piece
        except ConnectionResetError:
            return answer
        return answer


def head(service, method="GET", path="/api/status", *, host=None, more=()) -> bytes:
    """Write a request's head with the right token."""
    host = host or f"127.0.0.1:{service.address.port}"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {service.address.token}", *more]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "localhost.evil:{port}"]
)
@pytest.mark.parametrize("path", ["/api/status", "/"])
def test_a_name_that_was_let_point_here_is_refused(service, host, path):
    """DNS rebinding: the foreign page's own name comes as Host, even though the connection is local."""
    answer = raw(service, head(service, path=path, host=host.format(port=service.address.port)))
    assert answer.startswith(b"HTTP/1.1 421 ")


def test_two_hosts_or_none_are_refused(service):
    """A second Host line must not be the one that is looked at."""
    twice = head(service, more=["Host: evil.example"])
    assert b" 200 " not in raw(service, twice).split(b"\r\n")[0]
    assert b" 200 " not in raw(service, b"GET /api/status HTTP/1.0\r\n\r\n").split(b"\r\n")[0]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PUT"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "https://127.0.0.1:{port}"}]
)
def test_another_pages_request_is_refused_even_with_the_token(service, method, headers):
    """Browsers name the page that asks; none but our own may, and no answer tells a browser to share it."""
    origin = {"Origin": headers["Origin"].format(port=service.address.port)}
    status, _ = service.ask(method, "/api/jobs", SMOOTH if method == "POST" else None, headers=origin)
    assert status in (403, 405)
    assert not [name for name in service.headers if name.lower().startswith("access-control")]


def test_a_cross_site_request_without_a_preflight_is_refused(service, data):
    """A form or an image of another page sends no token, and its body is no JSON."""
    number = len(service.ask("GET", "/api/jobs")[1])
    form = {"Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"}
    body = f'{{"operation": "smooth", "inputs": {{"volume": "{data}/grey.tif"}}}}'.encode()
    assert service.ask("POST", "/api/jobs", body, headers=form)[0] == 403
    assert service.ask("POST", "/api/jobs", body, headers={**form, "Sec-Fetch-Site": None})[0] == 400
    assert service.ask("GET", "/api/jobs", headers={"Authorization": None})[0] == 401
    assert service.ask("GET", f"/api/jobs?token={service.address.token}", headers={"Authorization": None})[0] == 401
    assert len(service.ask("GET", "/api/jobs")[1]) == number


def test_our_own_page_is_let_in(service):
    """The page's requests carry its own origin."""
    for name in ("127.0.0.1", "localhost"):
        own = {"Origin": f"http://{name}:{service.address.port}", "Sec-Fetch-Site": "same-origin"}
        assert service.ask("GET", "/api/status", headers=own)[0] == 200


def test_everything_under_api_asks_for_the_token(service):
    """One rule without exceptions, for the description of the interface and for unknown paths too."""
    for path in ("/api/status", "/api/openapi.json", "/api/jobs/x/result", "/api", "/api/", "/api//jobs", "/apix"):
        assert service.ask("GET", path, headers={"Authorization": None})[0] == 401, path
        assert service.ask("GET", path, headers={"Authorization": "Basic eDp5"})[0] == 401, path
    for path in ("/API/status", "/%61pi/status", "//api/status", "/x/../api/status"):
        status, found = service.ask("GET", path, headers={"Authorization": None})
        assert status in (401, 404, 405), (path, found)


def test_files_outside_of_the_folders_are_refused(service, data, tmp_path):
    """Neither dots nor links nor hidden names lead out of the folders that the service was started for."""
    (tmp_path / "secret.tif").write_bytes((data / "grey.tif").read_bytes())
    (data / "link.tif").symlink_to(tmp_path / "secret.tif")
    (data / "folder").symlink_to(tmp_path, target_is_directory=True)
    (data / ".hidden.tif").write_bytes(b"")
    slices = data / "slices"
    slices.mkdir()
    (slices / "a.tif").symlink_to(tmp_path / "secret.tif")
    outside = ["/etc/passwd", str(tmp_path / "secret.tif"), f"{data}/../../etc/passwd", f"{data}/link.tif"]
    outside += [f"{data}/folder/secret.tif", f"{data}/.hidden.tif", str(slices), str(service.state.database)]
    for path in outside:
        status, answer = service.ask("POST", "/api/jobs", {**SMOOTH, "inputs": {"volume": path}})
        assert (status, "may not use" in answer["error"]) == (403, True), path
    for path in ("grey.tif", "", "~/grey.tif", "\0", "a\0b", "/" + "a" * 5000):
        assert service.ask("POST", "/api/jobs", {**SMOOTH, "inputs": {"volume": path}})[0] == 400, path[:20]


def test_results_are_written_nowhere_else(service, data, tmp_path):
    """An output may not reach out of the folders either, nor replace what a link there points to."""
    (data / "way").symlink_to(tmp_path, target_is_directory=True)
    (data / "out.tif").symlink_to(tmp_path / "target.tif")
    good = {"volume": str(data / "grey.tif")}
    for path in (tmp_path / "a.tif", data / "way" / "a.tif", data / "out.tif", data / ".bashrc.tif", "/root/.x/a.tif"):
        answer = service.ask("POST", "/api/jobs", {**SMOOTH, "inputs": good, "output": str(path)})
        assert answer[0] == 403, path
    assert not list(tmp_path.iterdir())


def test_a_recipe_cannot_name_what_the_service_may_not_read(service, data, tmp_path):
    """Files that name files are no way around."""
    (tmp_path / "secret.tif").write_bytes((data / "grey.tif").read_bytes())
    text = f'input = "{tmp_path}/secret.tif"\n[[step]]\noperation = "smooth"\n'
    (data / "outward.toml").write_text(text, encoding="utf-8")
    job = service.ended(service.submit("prepare", None, inputs={"recipe": str(data / "outward.toml")}))
    assert (job["state"], "may not use" in job["error"]) == ("failed", True)


@pytest.mark.parametrize(
    "path", ["/../service.json", "/%2e%2e/service.json", "/..%2fservice.json", "/_app.py", "//etc/passwd"]
)
def test_the_page_gives_no_other_file(service, path):
    """The page's folder is open to whoever asks; what lies around it is not."""
    assert b" 200 " not in raw(service, head(service, path=path)).split(b"\r\n")[0]
    assert service.ask("GET", f"/api/jobs/..%2f..%2fservice.json{path}")[0] == 404


def test_a_body_that_is_too_large_is_refused_before_it_is_read(service):
    """Whether it says its size, lies about it or comes in pieces without end."""
    # Not a byte more than what makes it too large: a service that closes on unread bytes resets the line.
    large = b"x" * (BODY_MOST + 1)
    said = head(service, "POST", "/api/jobs", more=[f"Content-Length: {len(large)}"])
    assert b" 413 " in raw(service, said).split(b"\r\n")[0]
    said = head(service, "POST", "/api/jobs", more=["Content-Length: 99999999999999999999"])
    assert b" 4" in raw(service, said).split(b"\r\n")[0]
    chunk = b"%x\r\n%s" % (2 * len(large), large)
    chunked = head(service, "POST", "/api/jobs", more=["Transfer-Encoding: chunked"])
    assert b" 413 " in raw(service, chunked, chunk).split(b"\r\n")[0]
    assert service.ask("GET", "/api/status")[0] == 200


def test_deep_or_broken_json_is_a_sentence(service):
    """A parser that is led into recursion must not take the service with it."""
    for body in (
        b"[" * 500_000,
        b"{",
        b"\xff\xfe",
        b'{"operation": NaN}',
        b'{"operation": "smooth", "parameters": ' + b"[" * 90_000,
    ):
        assert service.ask("POST", "/api/jobs", body)[0] == 400
    assert service.ask("GET", "/api/status")[0] == 200


def test_slow_requests_end_and_hold_nobody_up(service):
    """Connections that send nothing, half a head or half a body are closed; others are answered meanwhile."""
    half = head(service, "POST", "/api/jobs", more=["Content-Length: 100"]) + b'{"operation"'
    with ThreadPoolExecutor(60) as pool:
        slow = [pool.submit(raw, service, begun) for begun in (b"", b"GET / HT", half) for _ in range(20)]
        for _ in range(20):
            assert service.ask("GET", "/api/status")[0] == 200
        ends = [each.result() for each in slow]
    assert ends[:40] == [b""] * 40
    assert all(b" 408 " in end for end in ends[40:])


def test_ten_thousand_wrong_tokens_change_nothing(service):
    """They are refused, the right one is let in all the while, and the log is not filled."""
    wrong = head(service).replace(service.address.token.encode(), b"x" * 43).replace(b"Connection: close\r\n", b"")

    def try_many(_number: int) -> int:
        with socket.create_connection(("127.0.0.1", service.address.port), timeout=60) as line:
            refused = 0
            for _ in range(25):
                line.sendall(wrong * 50)
                answers = b""
                while answers.count(b"HTTP/1.1 401") < 50 or not answers.endswith(b"}"):
                    answers += line.recv(65536)
                refused += answers.count(b"HTTP/1.1 401")
        return refused

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(try_many, number) for number in range(8)]
        while not all(each.done() for each in tries):
            assert service.ask("GET", "/api/status")[0] == 200
        assert sum(each.result() for each in tries) == 10_000
    assert service.ask("GET", "/api/status")[0] == 200
    assert len(service.state.log.read_text(encoding="utf-8").splitlines()) < 40


def test_the_token_is_readable_by_its_user_alone(service):
    """Another user of the machine can reach the port, but not read what it asks for, even in a folder open to all."""
    written = service.state.root / "service.json"
    assert stat.S_IMODE(service.state.root.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(service.state.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert service.address.token in written.read_text(encoding="utf-8")
    if os.geteuid() == 0:
        tried = subprocess.run(
            ["cat", written], user=65534, group=65534, extra_groups=[], capture_output=True, check=False, cwd="/"
        )
        assert tried.returncode != 0
        assert not tried.stdout


def test_it_listens_on_this_machine_alone(service):
    """Nobody on the network can even connect."""
    table = "\n".join(
        Path(f"/proc/net/{name}").read_text(encoding="ascii")
        for name in ("tcp", "tcp6")
        if Path(f"/proc/net/{name}").exists()
    )
    if not table:
        pytest.skip("this system does not list its sockets under /proc")
    bound = re.findall(rf"([0-9A-F]+):{service.address.port:04X} [0-9A-F]+:0000 0A", table)
    assert bound == ["0100007F"]


def test_folders_show_what_may_be_used_and_nothing_else(service, tmp_path):
    """The page's file chooser: no hidden files, no link that leads out, no folder outside."""
    (tmp_path / "secret.tif").touch()
    inner = service.data / "inner"
    inner.mkdir(exist_ok=True)
    (inner / "seen.tif").touch()
    (inner / ".hidden.tif").touch()
    (inner / "out.tif").symlink_to(tmp_path / "secret.tif")
    (inner / "out").symlink_to(tmp_path, target_is_directory=True)
    status, listed = service.ask("GET", f"/api/folders?path={quote(str(inner))}")
    assert status == 200
    assert [entry["name"] for entry in listed["entries"]] == ["seen.tif"]
    assert listed["parent"] == str(service.data)
    for outside in (tmp_path, inner / "out", inner / ".." / "..", "/etc", inner / "seen.tif"):
        assert service.ask("GET", f"/api/folders?path={quote(str(outside))}")[0] in (400, 403, 404), outside
    assert service.ask("GET", f"/api/folders?path={quote(str(service.data))}")[1]["parent"] is None
