"""The page in a real browser: from the form to the slices of a result, by keys, with names that mean harm."""

from __future__ import annotations

import json
import shutil

import pytest
from browser import CHROMIUM, browsing
from service_process import until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to look at the page with")
HOSTILE = "<img src=x onerror=alert(1)>.tif"


@pytest.fixture(scope="module")
def page(service, tmp_path_factory):
    """A browser with the page open, as `fijibridge serve` prints its address."""
    shutil.copy(service.data / "grey.tif", service.data / HOSTILE)
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(f"http://127.0.0.1:{service.address.port}/#token={service.address.token}")
        browser.wait("document.querySelector('#app') && !document.querySelector('#app').hidden")
        yield browser


def _done(service, page, **wanted):
    """Run a job and show it."""
    job = service.submit(**wanted)
    page.js(f"location.hash = 'job={job}'")
    page.wait(f"document.querySelector('main').innerText.includes({json.dumps(wanted['operation'])})")
    return job


def test_without_the_token_the_page_says_where_to_find_it(service, tmp_path):
    """Nobody remembers a word of 256 bits."""
    with browsing(tmp_path) as browser:
        browser.open(f"http://127.0.0.1:{service.address.port}/")
        browser.wait("document.body?.innerText.includes('fijibridge serve')")
        assert browser.js("document.querySelector('#app').hidden")


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
    job = service.submit("train", inputs={"labels": str(service.data / "labels.tif")})
    until(lambda: service.job(job)["state"] == "done", 60)
    page.js("location.hash = 'new'")
    page.wait(f"document.querySelector('#jobs').innerHTML.includes('{job}')")
    page.js(f"location.hash = 'job={job}'")
    page.wait("document.querySelectorAll('main table tbody tr').length > 10")
    assert "importance" in page.js("document.querySelector('main table thead').innerText").lower()


def test_a_failed_job_says_why_in_one_sentence(service, page):
    """The sentence of the error, as on the command line."""
    job = _done(service, page, operation="watershed", low=200, high=100)
    page.wait("document.querySelector('main').innerText.includes('low < high')")
    assert service.ask("GET", f"/api/jobs/{job}")[1]["state"] == "failed"


def test_a_file_name_that_is_html_stays_a_name(service, page):
    """Names come from others' disks."""
    _done(service, page, operation="smooth", volume=HOSTILE)
    page.wait("document.body?.innerText.includes('onerror')")
    assert page.js("document.querySelectorAll('img[onerror]').length") == 0
    assert not [line for line in page.said if "alert" in line]


@pytest.mark.parametrize("width", [420, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_in_a_narrow_or_wide_window(service, page, width, scheme):
    """In light and in dark."""
    page.size(width, 800)
    page.scheme(scheme)
    _done(service, page, operation="smooth")
    page.wait("document.querySelector('.viewer canvas.result')")
    assert page.js("document.documentElement.scrollWidth <= window.innerWidth + 1")
    light = page.js("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(v => v > 128)")
    assert light == (scheme == "light")
    page.size(1280, 800)
    page.scheme("light")


def test_the_page_says_so_when_the_service_has_ended(service, page):
    """The last test: it stops the service and starts it again."""
    service.stop()
    page.wait("document.body?.innerText.includes('The service has ended')")
    service.start()
