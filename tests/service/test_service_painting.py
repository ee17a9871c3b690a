"""The painting loop over the service: preview, correct, save the model; macros and Python both."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from service_process import until

import fijibridge as fb
from fijibridge.forest.preview import SlicePreview
from fijibridge.forest.training import Trainer
from fijibridge.service.client import Client

SRC = [sys.executable, "-P", "-m", "fijibridge.service.macro_call"]


def macro_call(state: Path, *words: str, **environment: str) -> dict[str, str]:
    """Call as a macro does; give the lines by their keys."""
    done = subprocess.run(
        [*SRC, *words],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "FIJIBRIDGE_STATE": str(state), **environment},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return dict(line.split("=", 1) for line in html.unescape(done.stdout.decode("ascii")).splitlines())


def test_a_slice_is_labelled_as_the_whole_would_be(data):
    """Features that were kept give the same labels as those computed anew, for every forest of the trainer."""
    volume = fb.read_volume(data / "grey.tif")
    labels = {3: fb.read_volume(data / "labels.tif").data[3]}
    trainer = Trainer(volume)
    slices = SlicePreview(trainer)
    for trees, z in ((5, 3), (8, 3), (8, 6), (8, 11)):
        forest = trainer.fit(labels, trees=trees)
        wanted, found = forest.predict(volume, z=z), slices.predict(forest, z)
        assert np.array_equal(found.data, wanted.data)
        assert found.attrs["history"] == wanted.attrs["history"]
    with pytest.raises(fb.FijibridgeError, match="slices 0 to 11"):
        slices.predict(forest, 12)


def test_a_session_previews_what_its_model_then_predicts(service, data):
    """What the painter sees on the slice is what the saved forest gives there, where it trains on the same voxels."""
    status, session = service.ask("POST", "/api/sessions", {"volume": str(data / "grey.tif")})
    assert (status, session["shape"]) == (201, [12, 64, 72])
    asked = {"labels": str(data / "labels.tif"), "trees": 10}
    path = f"/api/sessions/{session['id']}"
    status, seen = service.ask("POST", f"{path}/preview", {**asked, "slice": 5, "most": 20_000})
    assert status == 200, seen
    again = service.ask("POST", "/api/sessions", {"volume": str(data / "grey.tif")})[1]
    assert again["id"] == session["id"]
    assert again["kept_voxels"] > session["kept_voxels"] == 0
    model = data / "painted.fbforest"
    assert service.ask("POST", f"{path}/model", {**asked, "output": str(model)})[0] == 200
    wanted = fb.load_forest(model).predict(fb.read_volume(data / "grey.tif"), z=5)
    assert np.array_equal(fb.read_volume(seen["labels"]).data, wanted.data)
    bad = service.ask("POST", f"{path}/preview", {**asked, "slice": 99})
    assert (bad[0], "slices 0 to 11" in bad[1]["error"]) == (400, True)


def test_a_session_outlives_its_worker(service, data):
    """The volume is opened again where the process was killed; only the warmth is lost."""
    _, session = service.ask("POST", "/api/sessions", {"volume": str(data / "grey.tif")})
    for pid in service.ask("GET", "/api/status")[1]["sessions"]:
        psutil.Process(pid).kill()
    until(lambda: not service.ask("GET", "/api/status")[1]["sessions"])
    asked = {"labels": str(data / "labels.tif"), "trees": 5, "slice": 5}
    assert service.ask("POST", f"/api/sessions/{session['id']}/preview", asked)[0] == 200
    assert service.ask("DELETE", f"/api/sessions/{session['id']}")[0] == 200
    assert service.ask("POST", f"/api/sessions/{session['id']}/preview", asked)[0] == 404


@pytest.fixture
def state(tmp_path):
    """The folder of a service that a macro may start; it is stopped in the end."""
    folder = tmp_path / "Zustand ü"
    yield folder
    macro_call(folder, "stop")


def test_macros_start_the_service_and_ask_in_plain_lines(state, data):
    """Two macros at once start one service; names with blanks and other letters go through; it ends when told."""
    folder = {"FIJIBRIDGE_FOLDERS": str(data)}
    named = data / "Probe Nr. 1 #2 ä.tif"
    named.write_bytes((data / "grey.tif").read_bytes())
    words = [f"input:volume={named}", "sigma=1.5", f"output={data / 'out ö.tif'}"]
    environment = {**os.environ, "FIJIBRIDGE_STATE": str(state), **folder}
    both = [
        subprocess.Popen([*SRC, "start", "smooth", *words], stdout=subprocess.PIPE, env=environment) for _ in range(2)
    ]
    lines = [html.unescape(each.communicate(timeout=120)[0].decode()).splitlines() for each in both]
    asked = [dict(line.split("=", 1) for line in each) for each in lines]
    assert all(Path(each["progress"]).exists() for each in asked), lines
    for each in asked:
        assert macro_call(state, "wait", each["id"])["state"] == "done"
    status = macro_call(state, "status")
    assert (status["running"], status["jobs_done"]) == ("yes", "2")
    assert macro_call(state, "status", asked[0]["id"])["result"] == str(data / "out ö.tif")
    assert "did you mean" in macro_call(state, "start", "smooth", f"input:volume={named}", "sigmma=2")["error"]
    listed = data / "words.txt"
    listed.write_text(f"preview\nvolume={named}\nlabels={data / 'labels.tif'}\nslice=5\ntrees=5\n", encoding="utf-8")
    assert Path(macro_call(state, f"@{listed}")["labels"]).exists()
    assert macro_call(state, "stop") == {"stopped": "yes"}
    until(lambda: not psutil.pid_exists(int(status["pid"])))
    assert macro_call(state, "status")["running"] == "no"
    assert "does not run" in macro_call(state, "wait", asked[0]["id"])["error"]


def test_python_runs_operations_over_the_service(service, data):
    """`fb.Client` takes arrays and files and gives volumes, errors as exceptions, and cancels."""
    client = Client(service.state.root)
    volume = fb.read_volume(data / "grey.tif")
    shares: list[float] = []
    made = client.run("smooth", volume, sigma=1.5, progress=shares.append)
    assert np.array_equal(made.data, fb.smooth(volume, sigma=1.5).data)
    assert shares[-1] == 1.0
    with pytest.raises(fb.FijibridgeError, match="did you mean 'sigma'"):
        client.run("smooth", volume, sigmma=1.5)
    job = client.submit("train", data / "grey.tif", inputs={"labels": data / "labels.tif"}, trees=1000)
    job.cancel()
    with pytest.raises(fb.FijibridgeError, match="cancelled"):
        job.result()
    assert client.status()["jobs"]["cancelled"] >= 1
    assert {"smooth", "train"} <= set(client.operations())
    assert client.jobs()[0].id == job.id
    job.forget()
    assert client.jobs()[0].id != job.id


def test_python_has_what_the_page_shows(service, data, tmp_path):
    """Table, histogram, files and report of a job, and the voxel size that a file lacks."""
    client = Client(service.state.root)
    trained = client.submit("train", data / "grey.tif", inputs={"labels": data / "labels.tif"}, trees=5)
    trained.result()
    assert trained.estimate_s is None
    assert trained.table()[0].keys() == {"feature", "importance"}
    trained.save(tmp_path / "copy.fbforest")
    assert fb.load_forest(tmp_path / "copy.fbforest").classes == (1, 2)
    bare = data / "bare.tif"
    tifffile.imwrite(bare, fb.read_volume(data / "grey.tif").data)
    made = client.submit("smooth", bare, spacing=(20, 5, 5))
    assert fb.voxel_size(made.result()) == (20, 5, 5, "nm")
    assert sum(made.histogram()["counts"]["result"]) == 12 * 64 * 72
    with pytest.raises(fb.FijibridgeError, match="no report"):
        made.report()
    (data / "of python.toml").write_text('input = "grey.tif"\n[[step]]\noperation = "smooth"\n', encoding="utf-8")
    prepared = client.submit("prepare", inputs={"recipe": data / "of python.toml"})
    prepared.result()
    assert "<h1" in prepared.report().read_text(encoding="utf-8")


def test_python_paints_and_is_told_what_a_preview_trained_on(service, data):
    """Labels go as arrays; a preview takes a share of them and says so, the model takes all."""
    volume, labels = fb.read_volume(data / "grey.tif"), fb.read_volume(data / "labels.tif")
    painting = Client(service.state.root).paint(volume)
    seen = painting.preview(labels, 5, trees=5, most=500)
    assert seen.shape == (1, 64, 72)
    assert painting.trained == {1: 500, 2: 500}
    assert painting.labelled == {label: int((labels.data == label).sum()) for label in (1, 2)}
    model = fb.load_forest(painting.model(labels, data / "of paint.fbforest", trees=5))
    assert np.array_equal(painting.preview(labels, 5, trees=5, most=20_000).data, model.predict(volume, z=5).data)
    painting.close()
    with pytest.raises(fb.FijibridgeError, match="no session"):
        painting.preview(labels, 5)


def serve(state: Path, *words: str) -> str:
    """Run `fijibridge serve` until it ends; give what it printed."""
    command = [sys.executable, "-c", "from fijibridge.cli import main; main()", "serve", "--no-browser", *words]
    environment = {**os.environ, "FIJIBRIDGE_STATE": str(state)}
    done = subprocess.run(command, capture_output=True, env=environment, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_start_says_where_the_first_one_is(service):
    """One service for each user: whoever starts another wants the page."""
    assert serve(service.state.root).split()[-1] == service.address.page


def test_serve_prints_the_page_and_ends_when_nobody_asks(tmp_path):
    """Idle, it goes by itself and leaves no address behind."""
    printed = serve(tmp_path / "state", "--idle", "0.02", "--folder", str(tmp_path))
    assert re.search(r"http://127\.0\.0\.1:[0-9]+/#token=[\w-]{43}$", printed.strip())
    assert not (tmp_path / "state" / "service.json").exists()
