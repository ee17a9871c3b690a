"""The page in a real browser: from the form to the slices of a result, by keys, with names that mean harm."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from contextlib import contextmanager

import pytest
from browser import browsing, needs_browser
from service_process import until
from test_service_jobs import labels_for_large

pytestmark = needs_browser
HOSTILE = "<img src=x onerror=alert(1)>.tif"


@pytest.fixture(scope="module")
def page(service, tmp_path_factory):
    """A browser with the page open, as `fijibridge serve` prints its address."""
    shutil.copy(service.data / "grey.tif", service.data / HOSTILE)
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        _open(service, browser)
        yield browser


def _open(service, browser):
    browser.open(service.address.page)
    browser.wait("document.querySelector('#app') && !document.querySelector('#app').hidden")


def _done(service, page, **wanted):
    """Run a job and show it."""
    job = service.submit(**wanted)
    page.js(f"location.hash = 'job={job}'")
    page.wait(f"document.querySelector('main').innerText.includes({json.dumps(wanted['operation'])})")
    return job


def test_without_the_token_the_page_says_where_to_find_it(service, page):
    """Nobody remembers a word of 256 bits."""
    page.js("sessionStorage.clear()")
    page.open(f"http://127.0.0.1:{service.address.port}/")
    page.wait("document.body?.innerText.includes('fijibridge serve')")
    assert page.js("document.querySelector('#app').hidden")
    _open(service, page)


def test_the_token_does_not_stay_in_the_address(page):
    """It would be in every screenshot and bookmark."""
    assert "token" not in page.js("location.href")


def test_the_form_has_every_operation_with_its_words_and_defaults(page):
    """Made of the same table as the command line."""
    page.js("location.hash = 'new'")
    page.wait("document.querySelector('main select')")
    offered = page.js("[...document.querySelector('main select').options].map(o => o.value)")
    assert {"smooth", "decurtain", "align", "train", "predict"} <= set(offered)
    page.js("""(() => { const list = document.querySelector('main select'); list.value = 'smooth';
        list.dispatchEvent(new Event('change', {bubbles: true})); })()""")
    page.wait("document.querySelector('main').innerText.includes('sigma')")
    assert "1.1" in page.js("[...document.querySelectorAll('main input')].map(i => i.value)")


def test_a_finished_job_shows_its_slices_and_steps_through_them_by_keys(service, page):
    """Input and result lie over each other, and an arrow key is one slice."""
    _done(service, page, operation="smooth")
    page.wait("document.querySelector('.viewer canvas.result')")
    slider = "document.querySelector('.viewer input[type=range]')"
    before = page.js(f"{slider}.valueAsNumber")
    page.js(f"{slider}.focus()")
    page.key("ArrowRight")
    page.wait(f"{slider}.valueAsNumber === {before + 1}")
    page.wait("""[...document.querySelectorAll('.viewer canvas.result')].every(c => c.width > 1 && c.height > 1)""")
    assert "500" in page.js("document.querySelector('.viewer').innerText")
    assert page.js("document.querySelectorAll('.viewer canvas.input').length") == 3


def test_a_job_from_the_list_shows_its_table(service, page):
    """A forest's features by importance; the list itself leaves tables out."""
    job = service.submit("train", inputs={"labels": str(service.data / "labels.tif")}, trees=5)
    until(lambda: service.job(job)["state"] == "done", 60)
    page.js("location.hash = 'new'")
    page.wait(f"document.querySelector('#jobs').innerHTML.includes('{job}')")
    page.js(f"location.hash = 'job={job}'")
    page.wait("document.querySelectorAll('main table tbody tr').length > 10")
    heads = page.js("[...document.querySelectorAll('main table thead th')].map(each => each.innerText)")
    assert heads == ["feature", "importance"]
    shown = page.js("""[...document.querySelectorAll('main table tbody tr')].map(
        row => [...row.children].map(each => each.title || each.innerText))""")
    wanted = service.ask("GET", f"/api/jobs/{job}/table")[1]["rows"]
    assert [(name, float(part)) for name, part in shown] == [(row["feature"], row["importance"]) for row in wanted]
    page.js("document.querySelector('main table thead th:last-child button').click()")
    parts = page.js("[...document.querySelectorAll('main table tbody tr')].map(row => Number(row.lastChild.innerText))")
    assert parts == sorted(parts)


def test_a_failed_job_says_why_in_one_sentence(service, page):
    """The sentence of the error, as on the command line."""
    job = _done(service, page, operation="watershed", low=200, high=100)
    page.wait("document.querySelector('main').innerText.includes('low < high')")
    assert service.job(job)["state"] == "failed"
    (service.data / "no stack.tif").write_bytes(b"II*\0 no TIFF")
    job = _done(service, page, operation="smooth", volume="no stack.tif")
    page.wait(f"document.querySelector('main').innerText.includes({json.dumps(job)})")
    assert page.js("document.querySelector('main').innerText").count(service.ended(job)["error"]) == 1


def test_a_file_name_that_is_html_stays_a_name(service, page):
    """Names come from others' disks."""
    _done(service, page, operation="smooth", volume=HOSTILE)
    page.wait("document.body?.innerText.includes('onerror')")
    assert page.js("document.querySelectorAll('img[onerror]').length") == 0
    assert not [line for line in page.said if "alert" in line]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1024, 768), (1280, 800), (2560, 1300)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_planes_are_seen_whole_and_nothing_sticks_out(service, page, width, height, scheme):
    """On a telephone below each other, else all three at once without scrolling; in light and in dark."""
    page.size(width, height)
    page.scheme(scheme)
    shutil.copy(service.data / "grey.tif", service.data / f"{'a name that goes on ' * 6}.tif")
    _done(service, page, operation="smooth", volume=f"{'a name that goes on ' * 6}.tif")
    page.wait("document.querySelector('.viewer canvas.result')?.width > 1")
    assert page.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for part in ("main", "#side", ".controls", "#jobs li:first-child a"):
        assert page.js(f"(part => part.scrollWidth <= part.clientWidth)(document.querySelector('{part}'))"), part
    boxes = page.js("""[...document.querySelectorAll('.plane')].map(plane => plane.getBoundingClientRect()).map(
        box => [box.left, box.right, box.top + scrollY, box.bottom + scrollY])""")
    assert len(boxes) == 3
    assert all(0 <= left < right <= width for left, right, _, _ in boxes)
    assert width < 500 or all(bottom <= height for *_, bottom in boxes)
    light = page.js("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(v => v > 128)")
    assert light == (scheme == "light")
    page.size(1280, 800)
    page.scheme("light")


def _focused(page):
    return page.js("""(at => at.getAttribute('aria-label') || at.labels?.[0]?.innerText || at.innerText || '')(
        document.activeElement)""")


def _tab_to(page, words):
    """Press Tab until something with these words has the focus."""
    for _ in range(60):
        page.key("Tab")
        if words in _focused(page):
            return
    raise AssertionError(f"Tab never comes to {words}")


def test_a_job_is_asked_for_by_keys_alone(service, page):
    """From the button to the result, with a file chosen in the folders; what was typed is what the service is asked."""
    page.js("location.hash = ''")
    page.js("document.querySelector('.skip').focus()")
    _tab_to(page, "New job")
    page.key("Enter")
    page.wait("document.querySelector('main select')")
    _tab_to(page, "operation")
    for letter in "smo":
        page.key(letter)
    page.wait("document.querySelector('main').innerText.includes('sigma')")
    _tab_to(page, "Choose volume")
    page.key("Enter")
    page.wait("document.querySelector('dialog .entry')")
    _tab_to_entry(page, str(service.data))
    _tab_to_entry(page, "grey.tif")
    page.wait("!document.querySelector('dialog')")
    assert page.js("document.activeElement.value") == str(service.data / "grey.tif")
    _tab_to(page, "sigma")
    page.send("Input.insertText", text="2.5")
    page.key("Enter")
    page.wait("location.hash.startsWith('#job=')")
    job = service.ended(page.js("location.hash").removeprefix("#job="))
    assert (job["state"], job["operation"], job["parameters"]["sigma"]) == ("done", "smooth", 2.5)
    page.wait("document.querySelector('main .chip.done') && document.querySelector('.viewer')")


def _tab_to_entry(page, name):
    page.wait(
        f"[...document.querySelectorAll('dialog .entry')].some(each => each.innerText.endsWith({json.dumps(name)}))"
    )
    for _ in range(60):
        if _focused(page).endswith(name):
            return page.key("Enter")
        page.key("Tab")
    raise AssertionError(f"Tab never comes to {name}")


def test_tab_comes_to_everything_that_can_be_clicked(service, page):
    """On the richest view, a finished job: links, buttons, sliders, boxes; and where the focus is can be seen."""
    _done(service, page, operation="smooth")
    page.wait("document.querySelector('main dl') && document.querySelector('.histogram')")
    page.js("""document.querySelectorAll('a[href], button, input:not([type=radio]), select, summary, [tabindex="0"]')
        .forEach((each, at) => { if (each.checkVisibility()) each.dataset.at = at; })""")
    wanted = set(page.js("[...document.querySelectorAll('[data-at]')].map(each => each.dataset.at)"))
    reached = set()
    page.js("document.querySelector('.skip').focus()")
    for _ in range(2 * len(wanted)):
        reached.add(page.js("document.activeElement.dataset.at"))
        seen = page.js("""(at => at.tagName === 'BODY' || at.type === 'radio' ||
            getComputedStyle(at).outlineStyle !== 'none')(document.activeElement)""")
        assert seen, page.js("document.activeElement.outerHTML")
        page.key("Tab")
    assert wanted <= reached


def test_a_running_job_tells_its_progress_and_is_cancelled_by_its_button(service, page):
    """Share done, what it is at, and the time still to go."""
    labels = labels_for_large(service)
    number = service.submit("train", "large.tif", inputs={"labels": labels}, trees=1000)
    page.js(f"location.hash = 'job={number}'")
    page.wait(
        "document.querySelector('main progress')?.value > 0 && / left/.test(document.querySelector('main').innerText)"
    )
    assert "train" in page.js("document.querySelector('main [data-role=message]').innerText")
    assert page.js("document.querySelector('main output').innerText").endswith(" %")
    page.js("document.querySelector('main h2').focus()")
    _tab_to(page, "Cancel")
    page.key("Enter")
    page.wait("document.querySelector('main .chip.cancelled') && document.querySelector('#jobs .chip.cancelled')")
    assert service.job(number)["state"] == "cancelled"


def test_the_report_of_a_past_job_is_shown_and_can_run_nothing(service, page):
    """Found among the reports; its frame lets no script run and loads nothing."""
    (service.data / "recipe.toml").write_text('input = "grey.tif"\n[[step]]\noperation = "smooth"\n', encoding="utf-8")
    number = service.submit("prepare", None, inputs={"recipe": str(service.data / "recipe.toml")})
    assert service.ended(number)["state"] == "done"
    page.js("document.querySelector('#filter input[value=reports]').click()")
    page.wait(f"document.querySelector('#jobs a[href=\"#job={number}\"]')")
    page.js("document.querySelector('#jobs a').click()")
    page.wait("document.querySelector('iframe.report')")
    frame = page.js(
        "(frame => [frame.getAttribute('sandbox'), frame.srcdoc, frame.offsetHeight])(document.querySelector('iframe'))"
    )
    assert (frame[0], "<h1" in frame[1], frame[2] > 400) == ("", True, True)
    page.js("document.querySelector('#filter input[value=all]').click()")


def test_the_download_is_the_file(service, page, tmp_path):
    """The bytes that come down are those of the result."""
    page.save_downloads(tmp_path)
    number = _done(service, page, operation="smooth")
    page.wait("document.querySelector('main .chip.done')")
    page.js("document.querySelector('main .button.primary').click()")
    until((tmp_path / "result.tif").exists, 20)
    result = service.state.jobs / number / "result.tif"
    until(lambda: (tmp_path / "result.tif").read_bytes() == result.read_bytes(), 20)


@contextmanager
def _foreign(html):
    """Serve one page from another port: another origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_words):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_another_site_in_the_same_browser_gets_nothing(service, page, tmp_path_factory):
    """Neither reads nor starts anything, nor shows our page in a frame, even if it knows the token."""
    own = f"http://127.0.0.1:{service.address.port}"
    body = json.dumps({"operation": "smooth", "inputs": {"volume": str(service.data / "grey.tif")}})
    before = len(service.ask("GET", "/api/jobs")[1])
    tries = f"""(async () => {{
        const got = [];
        const ways = [{{}}, {{mode: 'no-cors'}}, {{headers: {{Authorization: 'Bearer {service.address.token}'}}}},
            {{method: 'POST', mode: 'no-cors', body: {json.dumps(body)}}},
            {{method: 'POST', body: {json.dumps(body)}, headers: {{Authorization: 'Bearer {service.address.token}'}}}}];
        for (const way of ways) got.push(await fetch('{own}/api/jobs', way).then(a => a.text(), () => ''));
        return got; }})()"""
    form = f"<form method=post enctype=text/plain action={own}/api/jobs target=inside><input name='{body}'></form>"
    with _foreign(f"<iframe name=inside src={own}/></iframe>{form}<img src={own}/api/status>") as address:
        page.open(address)
        page.wait("document.querySelector('form')")
        assert page.js(tries) == [""] * 5
        page.js("document.querySelector('form').submit()")
        page.wait("document.querySelector('img').complete && document.querySelector('img').naturalWidth === 0")
        assert not page.js("(() => { try { return frames[0].document.body.innerText } catch { return '' } })()")
    assert len(service.ask("GET", "/api/jobs")[1]) == before
    _open(service, page)


def test_the_page_says_so_when_the_service_has_ended(service, page):
    """The last test: it stops the service and starts it again."""
    service.stop()
    page.wait("document.body?.innerText.includes('The service has ended')")
    service.start()
