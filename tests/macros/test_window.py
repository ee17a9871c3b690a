"""The menu in a real ImageJ window: from a click to the result, and Esc."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from imagej_window import MISSING, ImageJWindow, make_imagej, wait_until

from fijibridge.io import write_volume
from fijibridge.service import macro_call
from fijibridge.service._http import ask
from fijibridge.service._launch import find
from fijibridge.service._state import state_folder
from fijibridge.volume import make_volume

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"driving a window needs {MISSING}")
#: Blanks, a character beyond ASCII, one that ends addresses.
NAME = "NMC stück #3"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageJWindow]:
    """Give an ImageJ with a striped stack open, and a service of its own."""
    folder = tmp_path_factory.mktemp("window é")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIJIBRIDGE_STATE", str(folder / "state"))
        rng = np.random.default_rng(0)
        grey = rng.normal(120, 20, (24, 320, 320)) + rng.normal(0, 15, (24, 1, 320))
        image = folder / f"{NAME}.tif"
        write_volume(make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(30, 10, 10)), image)
        patch.setenv("FIJIBRIDGE_FOLDERS", str(folder))
        made = ImageJWindow(make_imagej(folder / "Image J"), [image], {"fijibridge.study.output": str(folder)})
        yield made
        made.close()
        macro_call.main(["stop"])


def jobs():
    """Give the service's jobs, newest first."""
    address = find(state_folder())
    return ask(address, "GET", "/api/jobs") if address else []


def test_decurtain_runs_from_the_menu_and_is_recorded(window):
    """Menu, dialog, service, result; the line in the Recorder does the same again."""
    window.activate("ImageJ")
    window.key("F8")
    window.wait_for_window("Recorder")
    window.activate(f"{NAME}.tif")
    window.choose("Decurtain")
    window.wait_for_window("Decurtain")
    window.key("Return")
    window.wait_for_window(f"{NAME}-decurtained", 60)
    report = window.report()
    assert report[:2] == [f"{NAME}.tif", f"{NAME}-decurtained"]
    assert report[-1].startswith('run("Decurtain", "method=auto measured strength=1')


def test_escape_ends_the_macro_and_its_job(window):
    """A study takes minutes; after Esc nobody touches its lease any more. The folder was remembered by the dialog."""
    images = [line for line in window.report() if NAME in line]
    window.choose("Run study...")
    window.wait_for_window("Run Study")
    window.key("Return")
    wait_until(lambda: [job["state"] for job in jobs()][:2] == ["running", "done"], "no study runs", 20)
    window.activate("ImageJ")
    window.key("Escape")
    wait_until(lambda: jobs()[0]["state"] != "running", "the job goes on", 20)
    assert jobs()[0]["operation"] == "study"
    assert jobs()[0]["state"] == "cancelled"
    assert [line for line in window.report() if NAME in line] == images
