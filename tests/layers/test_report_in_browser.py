"""The report in a real browser: every picture is drawn, in a window as wide as a phone's and as a desk's."""

from __future__ import annotations

import pytest
from browser import look_at, needs_browser

from fijibridge.study.compare import compare
from fijibridge.study.demo import make_demo
from fijibridge.study.methods import Method
from fijibridge.study.output import write_comparison


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a small demo."""
    folder = tmp_path_factory.mktemp("report")
    made = make_demo(40)
    methods = (Method("otsu", "native"), Method("gWS", "native"), Method("forest", "native"))
    result = compare(made.volume, made.labels, truth=made.truth, methods=methods)
    return write_comparison(result, folder, command="fijibridge demo")


@needs_browser
@pytest.mark.parametrize("width", [420, 1280])
def test_every_picture_is_drawn_and_nothing_sticks_out(page, tmp_path, width):
    """What a supervisor opens must not be a page of broken frames."""
    assert look_at(page, tmp_path, width) == "drawn 7 of 7, too wide: false"
