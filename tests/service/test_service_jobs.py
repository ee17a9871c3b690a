"""What the service does with jobs: the same as the library, with progress, in order, until cancelled."""

from __future__ import annotations

import http.client
import json
import zlib
from pathlib import Path
from urllib.parse import quote

import numpy as np
from service_process import until

import fijibridge as fb
from fijibridge.service._catalogue import catalogue, check


def test_an_operation_gives_what_the_library_gives(service, data):
    """A job is the library's function on files: same voxels, same grid, same history."""
    job = service.ended(service.submit("smooth", sigma=1.5))
    made = fb.read_volume(job["result"]["files"][0])
    wanted = fb.smooth(fb.read_volume(data / "grey.tif"), sigma=1.5)
    assert fb.same_grid(made, wanted)
    assert np.array_equal(made.data, wanted.data)
    assert made.attrs["history"] == wanted.attrs["history"]


def test_every_operation_of_the_table_can_be_asked_for(service):
    """The list is made from the table, so that a new operation is a job at once."""
    _, listed = service.ask("GET", "/api/operations")
    assert {entry["name"] for entry in listed} == {*fb.operations(), "train", "predict", "prepare", "compare", "study"}
    assert all(entry["parameters"]["type"] == "object" and entry["summary"].endswith(".") for entry in listed)


def test_every_operation_of_the_table_runs_as_a_job(service, data):
    """Each is asked for with what it needs, and its result is a volume that says so."""
    wide = fb.read_volume(data / "large.tif")[:12, :, :128]
    fb.write_volume(wide, data / "wide.tif")
    fb.write_volume(wide[:, 2:, :-3], data / "reference.tif")
    needs = {"crop": {"box": [0, 10, 4, 60, 4, 60]}, "watershed": {"low": 60, "high": 140}, "align": {"model": "rigid"}}
    asked = {}
    for name, operation in fb.operations().items():
        inputs = {"reference": str(data / "reference.tif")} if "reference" in operation.volume_parameters else {}
        asked[name] = service.submit(name, "wide.tif", inputs=inputs, **needs.get(name, {}))
    for name, number in asked.items():
        job = service.ended(number)
        assert job["state"] == "done", (name, job["error"])
        assert fb.read_volume(job["result"]["files"][0]).attrs["history"][-1]["operation"] == name


def test_a_parameter_that_is_a_volume_comes_as_an_input(service, data):
    """Voxels go by path; `align` takes a mask beside the volume."""
    mask = data / "all.tif"
    fb.write_volume(fb.with_data(fb.read_volume(data / "grey.tif"), np.ones((12, 64, 72), bool)), mask)
    job = service.ended(service.submit("align", inputs={"mask": str(mask)}))
    assert job["state"] == "done", job["error"]
    step = fb.read_volume(job["result"]["files"][0]).attrs["history"][-1]
    assert step["parameters"]["mask"]["volume"] == [12, 64, 72]


def test_the_fiji_engine_runs_inside_a_job(service):
    """ImageJ's own code is one word away."""
    job = service.ended(service.submit("threshold", engine="fiji", method="otsu"))
    assert job["state"] == "done", job["error"]
    assert "ImageJ" in fb.read_volume(job["result"]["files"][0]).attrs["history"][-1]["version"]


def test_a_forest_is_trained_and_used(service, data):
    """The labels of the jobs are those of the library, and the table ranks the features."""
    trained = service.ended(service.submit("train", inputs={"labels": str(data / "labels.tif")}, trees=10))
    model = trained["result"]["files"][0]
    found = service.ended(service.submit("predict", inputs={"model": model}))
    made = fb.read_volume(found["result"]["files"][0])
    assert np.array_equal(made.data, fb.load_forest(model).predict(fb.read_volume(data / "grey.tif")).data)
    _, table = service.ask("GET", f"/api/jobs/{trained['id']}/table")
    assert table["columns"] == ["feature", "importance"]
    assert found["result"]["shows"] == "labels"


def test_a_recipe_a_comparison_and_a_study_leave_reports(service, data):
    """The long ways through the library are jobs too; a report is a page that can run nothing."""
    (data / "recipe.toml").write_text('input = "grey.tif"\n[[step]]\noperation = "smooth"\n', encoding="utf-8")
    study = '[[dataset]]\nname = "one"\npath = "grey.tif"\n[[user]]\nname = "A"\nchoices.one.S2 = 100.0\n'
    (data / "study.toml").write_text(f'methods = ["otsu"]\ninputs = ["raw"]\n{study}', encoding="utf-8")
    asked = [
        service.submit("prepare", None, inputs={"recipe": str(data / "recipe.toml")}),
        service.submit("study", None, inputs={"study": str(data / "study.toml")}),
        service.submit("compare", inputs={name: str(data / f"{name}.tif") for name in ("labels", "truth")}),
    ]
    for number in asked:
        job = service.ended(number, 120)
        assert job["state"] == "done", job["error"]
        status, page = service.ask("GET", f"/api/jobs/{number}/report")
        assert status == 200
        assert b"<h1>" in page
        assert service.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert service.ask("GET", f"/api/jobs/{asked[2]}/table")[1]["rows"]


def test_what_is_wrong_with_a_request_is_one_sentence(service, data):
    """A client shows the sentence as it is: it names what was wrong and what there is."""
    path = {"volume": str(data / "grey.tif")}
    wrong = [
        ({"operation": "smoth", "inputs": path}, 404, "there is no operation 'smoth'"),
        ({"operation": "smooth"}, 400, "lacks the input 'volume'"),
        ({"operation": "smooth", "inputs": path, "parameters": {"sigmma": 2}}, 400, "did you mean 'sigma'"),
        ({"operation": "smooth", "inputs": path, "parameters": {"sigma": -1}}, 400, "sigma = -1"),
        ({"operation": "smooth", "inputs": path, "engine": "gpu"}, 400, "no engine 'gpu'"),
        ({"operation": "smooth", "inputs": {"volume": str(data / "no.tif")}}, 404, "there is no file"),
        ({"operation": "smooth", "inputs": path, "extra": 1}, 400, "extra"),
        ({"operation": "smooth", "inputs": path, "output": str(data / "a.jpg")}, 400, "ending"),
        ([], 400, "body"),
    ]
    for body, status, words in wrong:
        answer = service.ask("POST", "/api/jobs", body)
        assert (answer[0], words in answer[1]["error"]) == (status, True), answer
    assert service.ask("GET", "/api/jobs/nothing")[0] == 404


def test_an_error_of_the_library_is_the_jobs_sentence(service, data):
    """The same words as from Python, not a trace."""
    (data / "broken.tif").write_bytes(b"II*\0 no TIFF")
    job = service.ended(service.submit("smooth", "broken.tif"))
    assert job["state"] == "failed"
    assert "broken.tif" in job["error"]
    progress = (service.state.jobs / job["id"] / "progress.txt").read_text(encoding="utf-8")
    assert progress == f"failed 0.0000 {job['error']}"


def test_progress_rises_and_is_told_in_a_file_and_as_a_stream(service):
    """A macro polls a file of one line, the page reads a stream; both end with the job."""
    number = service.submit("train", "large.tif", inputs={"labels": labels_for_large(service)}, trees=20)
    connection = http.client.HTTPConnection("127.0.0.1", service.address.port, timeout=60)
    connection.request(
        "GET", f"/api/jobs/{number}/events", headers={"Authorization": f"Bearer {service.address.token}"}
    )
    lines = connection.getresponse().read().decode().split("\n\n")
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    assert told[-1]["state"] == "done"
    shares = [job["progress"] for job in told]
    assert shares == sorted(shares)
    assert len(set(shares)) > 2
    assert (service.state.jobs / number / "progress.txt").read_text(encoding="utf-8") == "done 1.0000"
    assert json.loads((service.state.jobs / number / "progress.json").read_text(encoding="utf-8"))["state"] == "done"


def labels_for_large(service) -> str:
    """Give labels of the large volume."""
    path = service.data / "large-labels.tif"
    if not path.exists():
        grey = fb.read_volume(service.data / "large.tif")
        labels = np.zeros(grey.shape, np.uint8)
        labels[::12, ::3] = np.where(grey.data[::12, ::3] > np.median(grey.data), 1, 2)
        fb.write_volume(fb.with_data(grey, labels), path)
    return str(path)


def test_a_running_job_is_cancelled_and_leaves_nothing_half_written(service, data):
    """Cancelling ends the worker, so it answers whatever the job is at; the next job is done all the same."""
    number = service.submit(
        "train", "large.tif", inputs={"labels": labels_for_large(service)}, trees=1000, output=str(data / "m.fbforest")
    )
    assert service.running(number)["state"] == "running"
    until(lambda: service.job(number)["message"] == "train")
    _, job = service.ask("DELETE", f"/api/jobs/{number}")
    assert job["state"] == "cancelled"
    assert not list(data.glob("*m.fbforest*"))
    assert service.ended(service.submit("smooth"))["state"] == "done"


def test_a_job_whose_client_has_gone_is_cancelled(service, tmp_path):
    """A macro that is stopped with Esc can say nothing any more: it stops touching its lease."""
    lease = service.state.inbox / "macro.lease"
    lease.touch()
    number = service.submit(
        "train", "large.tif", inputs={"labels": labels_for_large(service)}, trees=1000, lease=str(lease)
    )
    lease.unlink()
    job = service.ended(number, 30)
    assert (job["state"], job["error"]) == ("cancelled", "the program that asked for the job has gone")


def test_slices_histogram_and_download_show_input_and_result(service, data):
    """What the page draws is what the files hold: pictures are decoded and compared."""
    number = service.submit("threshold", method="otsu")
    job = service.ended(number)
    grey, mask = fb.read_volume(data / "grey.tif"), fb.read_volume(job["result"]["files"][0])
    _, view = service.ask("GET", f"/api/jobs/{number}/view")
    assert view["input"]["shape"] == view["result"]["shape"] == [12, 64, 72]
    assert (view["input"]["shows"], view["result"]["shows"]) == ("grey", "labels")
    low, high = view["input"]["range"]
    for axis, plane in (("z", grey.data[5]), ("y", grey.data[:, 5]), ("x", grey.data[:, :, 5])):
        drawn = pixels(service.ask("GET", f"/api/jobs/{number}/slice?of=input&axis={axis}&index=5")[1])
        wanted = np.clip((plane.astype(float) - low) * 255 / (high - low), 0, 255)
        assert np.abs(drawn - wanted).max() <= 0.51
    drawn = pixels(service.ask("GET", f"/api/jobs/{number}/slice?of=result&index=5")[1])
    assert np.array_equal(drawn, mask.data[5] > 0)
    _, counted = service.ask("GET", f"/api/jobs/{number}/histogram")
    assert sum(counted["counts"]["input"]) == grey.size
    assert counted["labels"]["result"]["255"] == int((mask.data > 0).sum())
    assert service.ask("GET", f"/api/jobs/{number}/result")[1] == Path(job["result"]["files"][0]).read_bytes()
    assert service.ask("GET", f"/api/jobs/{number}/slice?index=99")[0] == 400


def pixels(png: bytes) -> np.ndarray:
    """Decode an 8-bit PNG without filters."""
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    at = png.index(b"IDAT")
    data = zlib.decompress(png[at + 4 : at + 4 + int.from_bytes(png[at - 4 : at], "big")])
    return np.frombuffer(data, np.uint8).reshape(height, width + 1)[:, 1:].astype(float)


def test_a_result_that_is_a_folder_is_shown_and_not_downloaded(service, data):
    """OME-Zarr: the page draws it, and says where it lies."""
    number = service.submit("smooth", output=str(data / "out.ome.zarr"))
    assert service.ended(number)["state"] == "done"
    assert service.ask("GET", f"/api/jobs/{number}/view")[1]["result"]["shape"] == [12, 64, 72]
    drawn = pixels(service.ask("GET", f"/api/jobs/{number}/slice?of=result&index=5")[1])
    assert drawn.shape == (64, 72)
    status, answer = service.ask("GET", f"/api/jobs/{number}/result")
    assert (status, "open it where it lies" in answer["error"]) == (409, True)


def test_every_operation_has_an_example_that_would_be_taken(service):
    """Who writes a client in another language starts from /api/openapi.json."""
    _, described = service.ask("GET", "/api/openapi.json")
    for name in ("JobRequest", "SessionRequest", "PreviewRequest", "ModelRequest"):
        properties = described["components"]["schemas"][name]["properties"]
        assert any("examples" in each for each in properties.values()), name
    content = described["paths"]["/api/jobs"]["post"]["requestBody"]["content"]["application/json"]
    asked = {name: each["value"] for name, each in content["examples"].items()}
    assert set(asked) == set(catalogue())
    for name, body in asked.items():
        assert set(check(name, "native", body["parameters"], body["inputs"])) >= set(body["parameters"])


def test_the_examples_of_answers_have_what_real_answers_have(service, data):
    """Every route has one, and none has grown old."""
    trained = service.submit("train", inputs={"labels": str(data / "labels.tif")}, trees=5)
    smoothed = service.submit("smooth")
    assert [service.ended(number)["state"] for number in (trained, smoothed)] == ["done", "done"]
    session = service.ask("POST", "/api/sessions", {"volume": str(data / "grey.tif")})[1]["id"]
    labels = {"labels": str(data / "labels.tif"), "trees": 5}
    bodies = {
        "/api/sessions": {"volume": str(data / "grey.tif")},
        "/api/sessions/{number}/preview": {**labels, "slice": 3},
        "/api/sessions/{number}/model": {**labels, "output": str(data / "of example.fbforest")},
    }
    _, described = service.ask("GET", "/api/openapi.json")
    routes = [(path, method, each) for path, found in described["paths"].items() for method, each in found.items()]
    for path, method, each in routes:
        answered = next(answer for code, answer in each["responses"].items() if code.startswith("2"))
        ((kind, content),) = answered["content"].items()
        if kind != "application/json" or (path, method) in (("/api/jobs", "post"), ("/api/stop", "post")):
            assert content["example"]
            continue
        job = trained if path.endswith("table") else smoothed
        asked = path.replace("{number}", session if "sessions" in path else job)
        query = f"?path={quote(str(data))}" if path == "/api/folders" else ""
        if method != "delete":
            status, real = service.ask(method.upper(), asked + query, bodies.get(path))
            assert status < 300, (path, real)
            assert _keys(content["example"]) == _keys(real), path


def _keys(found) -> set[str]:
    return set(found[0] if isinstance(found, list) else found)


def test_a_job_that_is_over_can_be_forgotten(service):
    """Results take room; the list and the folder go together."""
    number = service.submit("smooth")
    service.ended(number)
    assert service.ask("DELETE", f"/api/jobs/{number}?forget=true")[0] == 200
    assert service.ask("GET", f"/api/jobs/{number}")[0] == 404
    assert not (service.state.jobs / number).exists()
