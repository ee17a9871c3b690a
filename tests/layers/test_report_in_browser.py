"""The report in a real browser: every picture is drawn, in a window as wide as a phone's and as a desk's."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from fijibridge.study.compare import compare
from fijibridge.study.demo import make_demo
from fijibridge.study.methods import Method
from fijibridge.study.output import write_comparison

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Written behind the page: the title then tells what the browser made of it.
PROBE = """<script>
const drawn = [...document.images].filter(image => image.complete && image.naturalWidth > 100).length;
const wide = document.documentElement.scrollWidth > window.innerWidth + 1;
document.title = `drawn ${drawn} of ${document.images.length}, too wide: ${wide}`;
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a small demo, with the probe behind it."""
    folder = tmp_path_factory.mktemp("report")
    made = make_demo(40)
    methods = (Method("otsu", "native"), Method("gWS", "native"), Method("forest", "native"))
    result = compare(made.volume, made.labels, truth=made.truth, methods=methods)
    report = write_comparison(result, folder, command="fijibridge demo")
    report.write_text(report.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    return report


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to look at the report with")
@pytest.mark.parametrize("width", [420, 1280])
def test_every_picture_is_drawn_and_nothing_sticks_out(page, width):
    """What a supervisor opens must not be a page of broken frames."""
    words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    done = subprocess.run([*words, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert title[1] == "drawn 7 of 7, too wide: false"
