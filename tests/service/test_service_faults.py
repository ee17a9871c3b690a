"""What becomes of jobs when many come at once, and when processes are killed."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
from service_process import running, until
from test_service_jobs import labels_for_large


def slow(service) -> str:
    """Queue a job that takes longer than any test."""
    return service.submit("train", "large.tif", inputs={"labels": labels_for_large(service)}, trees=1000)


def test_two_hundred_jobs_at_once_are_all_done_in_their_order(service):
    """None is lost, they begin in the order in which they came, and only as many run at once as the settings say."""
    with ThreadPoolExecutor(20) as pool:
        asked = list(pool.map(lambda number: service.submit("crop", box=[0, 4, 0, 8, 0, 8 + number % 9]), range(200)))
    until(lambda: service.ask("GET", "/api/status")[1]["jobs"]["done"] == 200, 120)
    jobs = service.ask("GET", "/api/jobs")[1][::-1]
    assert sorted(job["id"] for job in jobs) == sorted(asked)
    starts = [job["started"] for job in jobs]
    assert starts == sorted(starts)
    assert max(sum(a["started"] < b["ended"] and b["started"] <= a["started"] for b in jobs) for a in jobs) <= 2
    assert len(service.ask("GET", "/api/status")[1]["workers"]) <= 2


def test_a_killed_worker_costs_its_job_alone(service):
    """The job says so in a sentence, and the next one gets a new worker."""
    number = slow(service)
    service.running(number)
    behind = service.submit("smooth")
    until(lambda: service.job(number)["message"] == "train")
    for pid in service.ask("GET", "/api/status")[1]["workers"]:
        os.kill(pid, signal.SIGKILL)
    job = service.ended(number)
    assert (job["state"], "ended from outside (signal 9)" in job["error"]) == ("failed", True)
    again = service.ended(behind)
    assert again["state"] in ("done", "failed")
    assert service.ended(service.submit("smooth"))["state"] == "done"


def test_a_killed_service_loses_no_job_silently(tmp_path, data):
    """Its workers end with it; the next start says which jobs it cost and goes on with the rest."""
    with running(tmp_path, data, FIJIBRIDGE_WORKERS="1") as service:
        first = slow(service)
        service.running(first)
        waiting = [service.submit("smooth") for _ in range(3)]
        workers = service.ask("GET", "/api/status")[1]["workers"]
        for name, age_s in (("old.tif", 8 * 86400), ("new.tif", 60)):
            (service.state.inbox / name).touch()
            os.utime(service.state.inbox / name, (time.time() - age_s,) * 2)
        service.kill()
        until(lambda: not any(psutil.pid_exists(pid) for pid in workers), 20)
        service.start()
        job = service.job(first)
        assert (job["state"], job["error"]) == ("failed", "the service was stopped while this job ran; start it again")
        assert (service.state.jobs / first / "progress.txt").read_text(encoding="utf-8").startswith("failed ")
        assert [service.ended(number)["state"] for number in waiting] == ["done"] * 3
        assert [path.name for path in service.state.inbox.iterdir()] == ["new.tif"]


def test_a_stopped_service_ends_its_workers_and_marks_what_they_were_at(service):
    """An orderly end leaves no process, and no job that runs for ever on the list."""
    number = slow(service)
    service.running(number)
    family = psutil.Process(service.process.pid).children(recursive=True)
    service.ask("POST", "/api/stop")
    assert service.process.wait(30) == 0
    assert not psutil.wait_procs(family, timeout=10)[1]
    assert (service.state.jobs / number / "progress.txt").read_text(encoding="utf-8").startswith("failed ")
