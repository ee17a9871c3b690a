"""Claims about `fijibridge macro run`: a user's own macro file, unmodified, on a stack."""

from __future__ import annotations

import json

import numpy as np

import fijibridge as fb
from fijibridge.fiji import macros_folder


def test_macro_file_runs_on_a_stack_with_options_and_keeps_the_size(run, stack, tmp_path):
    """What a Fiji user has is a macro and a TIFF; what comes out is a TIFF with its calibration."""
    macro = tmp_path / "add some.ijm"
    macro.write_text(
        'n = call("ij.Macro.getValue", getArgument(), "amount", "0");\nrun("Add...", "value=" + n + " stack");'
    )
    out = tmp_path / "out.tif"
    code, said, _ = run("macro", "run", macro, stack / "grey.tif", "amount=3", "-o", out)
    assert code == 0
    assert str(out) in said
    grey, found = fb.read_volume(stack / "grey.tif"), fb.read_volume(out)
    assert np.array_equal(found.data, np.minimum(grey.data.astype(int) + 3, 255))
    assert fb.same_grid(found, grey)


def test_macro_of_the_package_runs_by_its_name(run, stack, tmp_path):
    """The macros that operations use are commands for the shell too."""
    code, _, _ = run("macro", "run", "smooth.ijm", stack / "grey.tif", "sigma=1.1", "-o", tmp_path / "out.tif")
    assert code == 0
    direct = fb.smooth(fb.read_volume(stack / "grey.tif"), sigma=1.1, engine="fiji")
    assert np.array_equal(fb.read_volume(tmp_path / "out.tif").data, direct.data)


def test_table_log_and_returned_text_are_told(run, tmp_path):
    """Measuring macros make no image; their table is the outcome."""
    macro = tmp_path / "m.ijm"
    macro.write_text('setResult("area", 0, 7); updateResults(); print("measured"); return "well";')
    code, said, _ = run("macro", "run", macro, "--json")
    assert code == 0
    found = json.loads(said)
    assert (found["returned"], found["log"].strip()) == ("well", "measured")
    assert [row["area"] for row in found["table"]] == [7]


def test_failing_macro_is_exit_code_5_with_imagejs_own_words(run, tmp_path):
    """The sentence is ours, the words beneath it ImageJ's, and no output is written."""
    macro = tmp_path / "bad.ijm"
    macro.write_text('run("Gaussian Blur...", "sigma=2");')
    code, _, err = run("macro", "run", macro, "-o", tmp_path / "out.tif")
    assert code == 5
    assert "no images open" in err.lower()
    assert not (tmp_path / "out.tif").exists()


def test_endless_macro_ends_at_its_time_limit(run, tmp_path):
    """A hanging macro must not hang a night's batch."""
    macro = tmp_path / "endless.ijm"
    macro.write_text("while (true) wait(10);")
    code, _, err = run("macro", "run", macro, "--timeout", "2")
    assert code == 5
    assert "2" in err


def test_word_that_is_neither_file_nor_option_is_refused(run, tmp_path):
    """A typo in a file name must not become an option."""
    code, _, err = run("macro", "run", "smooth.ijm", tmp_path / "missing.tif")
    assert code == 3
    assert "missing.tif" in err


def test_doctor_sends_a_stack_through_imagej_and_says_so(run):
    """The first thing to run when something does not work."""
    code, said, _ = run("doctor", "--json")
    assert code == 0
    report = json.loads(said)
    assert report["healthy"]
    trip = next(check for check in report["checks"] if check["name"] == "round trip")
    assert "1.54p" in trip["found"]


def test_doctor_says_what_is_wrong_and_leaves_with_code_4(run, tmp_path):
    """A folder that holds no ImageJ is named, with what to do."""
    code, said, _ = run("doctor", "--fiji", tmp_path, "--json")
    assert code == 4
    wrong = [check for check in json.loads(said)["checks"] if check["state"] == "bad"]
    assert any(str(tmp_path) in check["found"] + check["advice"] for check in wrong)


def test_install_puts_every_macro_under_plugins(run, tmp_path):
    """A Fiji user finds them in the menu after the next start."""
    (tmp_path / "ij.jar").write_bytes(b"")
    (tmp_path / "plugins").mkdir()
    code, said, _ = run("macro", "install", tmp_path)
    assert code == 0
    assert "restart" in said
    installed = {path.name for path in (tmp_path / "plugins" / "fijibridge").rglob("*.ijm")}
    assert installed == {path.name for path in macros_folder().rglob("*.ijm")}


def test_install_refuses_a_folder_without_an_imagej(run, tmp_path):
    """Macros that nobody will ever see are not written."""
    code, _, err = run("macro", "install", tmp_path)
    assert code == 4
    assert str(tmp_path) in err
    assert not list(tmp_path.iterdir())
