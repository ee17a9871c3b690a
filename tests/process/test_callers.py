"""Callers of every kind: threads, futures, asyncio, forks, scripts without a guard, two pools, a second one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import numpy as np
import pytest

from fijibridge.errors import JobCancelledError
from fijibridge.fiji import Fiji, current
from fijibridge.volume import make_volume


def run_python(code: str, **kwargs) -> subprocess.CompletedProcess:
    """Run a program of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **kwargs)


def add(fiji: Fiji, number: int) -> int:
    """One small job with an answer that only it has."""
    volume = make_volume(np.full((2, 5, 5), number, np.uint8))
    return int(fiji.run_macro('run("Add...", "value=1 stack");', volume).image.data.max())


def test_threads_share_a_pool(reckless):
    """Each thread gets its own answer."""
    answers: dict[int, int] = {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: add(reckless, n)})) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: n + 1 for n in range(12)}


def test_an_executor_maps_over_a_pool(reckless):
    """concurrent.futures is how most people run things at once."""
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        assert list(executor.map(lambda n: add(reckless, n), range(12))) == list(range(1, 13))


def test_two_workers_really_work_at_the_same_time(reckless):
    """Two macros that each wait for a file of the other can only end together."""
    text = """
    arg = getArgument();
    mine = call("ij.Macro.getValue", arg, "mine", ""); other = call("ij.Macro.getValue", arg, "other", "");
    File.saveString("here", mine);
    while (!File.exists(other)) wait(5);
    return "met";
    """
    with tempfile.TemporaryDirectory() as folder:
        one, two = (os.path.join(folder, name) for name in ("one", "two"))
        jobs = [reckless.submit_macro(text, mine=a, other=b) for a, b in ((one, two), (two, one))]
        assert [job.result().returned for job in jobs] == ["met", "met"]


def test_asyncio_awaits_macros_side_by_side(reckless):
    """The event loop goes on while ImageJ works."""

    async def main() -> list[str | None]:
        beats = 0
        jobs = [asyncio.ensure_future(reckless.arun_macro(f'wait(200); return "{n}";')) for n in range(4)]
        while not all(job.done() for job in jobs):
            beats += 1
            await asyncio.sleep(0.01)
        assert beats > 5
        return [job.result().returned for job in jobs]

    assert asyncio.run(main()) == ["0", "1", "2", "3"]


def test_cancelling_a_task_cancels_its_job(reckless):
    """An abandoned request must not keep a worker."""

    async def main() -> float:
        task = asyncio.ensure_future(reckless.arun_macro("while (true) wait(5);"))
        await asyncio.sleep(0.5)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - start

    assert asyncio.run(main()) < 1.0
    assert add(reckless, 1) == 2


def test_a_plain_call_works_inside_a_running_event_loop(reckless):
    """As in a Jupyter cell, where a loop always runs."""

    async def cell() -> int:
        return add(reckless, 5)

    assert asyncio.run(cell()) == 6


def test_two_pools_live_side_by_side_and_a_new_one_after_a_closed_one():
    """ImageJ in the user's own process can be started once only; a pool as often as one likes."""
    with Fiji("embedded", workers=1, heap="128m") as one, Fiji("embedded", workers=1, heap="128m") as two:
        assert (add(one, 1), add(two, 2)) == (2, 3)
        assert set(one.pids()).isdisjoint(two.pids())
    with Fiji("embedded", workers=1, heap="128m") as three:
        assert add(three, 3) == 4


def test_current_is_one_pool_and_is_made_anew_after_it_was_closed(monkeypatch):
    """Operations ask for it each time."""
    monkeypatch.setenv("FIJIBRIDGE_HEAP", "128m")
    monkeypatch.setenv("FIJIBRIDGE_WORKERS", "1")
    current().close()  # the one that earlier tests of the run were served by
    first = current()
    assert current() is first
    assert first.settings.heap == "128m"
    first.close()
    second = current()
    assert second is not first
    second.close()


def test_a_script_without_a_main_guard_works():
    """multiprocessing would run the script again in each worker."""
    code = """
    print("once")
    import numpy as np
    from fijibridge.fiji import current
    from fijibridge.volume import make_volume
    print(current().run_macro('run("Invert", "stack");', make_volume(np.zeros((1, 2, 2), np.uint8))).image.data.max())
    """
    done = run_python(code, env={**os.environ, "FIJIBRIDGE_HEAP": "128m"})
    assert (done.stdout, done.returncode) == ("once\n255\n", 0), done.stderr


def test_files_in_the_working_folder_do_not_get_into_the_worker(tmp_path):
    """A user's own queue.py would stop a worker that looks for modules there."""
    (tmp_path / "queue.py").write_text("raise SystemExit('the wrong queue')")
    (tmp_path / "run.py").write_text(
        "from fijibridge.fiji import current\nprint(current().run_macro('return \"x\";').returned)"
    )
    command = [sys.executable, "-P", str(tmp_path / "run.py")]
    environment = {**os.environ, "FIJIBRIDGE_HEAP": "128m"}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.stdout == "x\n", done.stderr


def test_java_options_of_the_user_do_not_change_the_heap():
    """A heap cap that an environment variable undoes is none."""
    code = """
    from fijibridge.fiji import Fiji
    with Fiji("embedded", workers=1, heap="128m") as fiji:
        print(int(fiji.run_macro('return "" + IJ.maxMemory();').returned) <= 128 << 20)
    """
    done = run_python(code, env={**os.environ, "JAVA_TOOL_OPTIONS": "-Xmx1g", "_JAVA_OPTIONS": "-Xmx2g"})
    assert done.stdout == "True\n", done.stderr


def test_a_program_with_very_many_open_files_can_use_workers():
    """Servers have them, and the oldest way of waiting for a file knows only the first 1024."""
    code = """
    import os, resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1500)]
    from fijibridge.fiji import Fiji
    with Fiji("embedded", workers=1, heap="128m") as fiji:
        print(fiji.run_macro('return "x";').returned)
    """
    done = run_python(code)
    assert done.stdout == "x\n", done.stderr


def test_systems_without_memory_files_use_unlinked_temporary_files():
    """As macOS; the voxels and the log go through them, and nothing is left in the folder."""
    code = """
    import os, tempfile
    if hasattr(os, "memfd_create"):
        del os.memfd_create
    import numpy as np
    from fijibridge.fiji import Fiji
    from fijibridge.volume import make_volume
    with Fiji("embedded", workers=1, heap="128m") as fiji:
        result = fiji.run_macro('run("Invert", "stack"); print("logged");', make_volume(np.zeros((1, 2, 2), np.uint8)))
    print(result.image.data.max(), result.log.strip(), os.listdir(tempfile.gettempdir()))
    """
    with tempfile.TemporaryDirectory() as folder:
        done = run_python(code, env={**os.environ, "TMPDIR": folder})
    assert done.stdout == "255 logged []\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_gets_workers_of_its_own_and_leaves_its_parents_alone(fiji):
    """As multiprocessing's fork and many servers do."""
    assert add(fiji, 1) == 2
    before = fiji.pids()
    child = os.fork()
    if child == 0:
        try:
            good = add(fiji, 7) == 8 and not set(fiji.pids()) & set(before)
            fiji.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert add(fiji, 2) == 3
    assert fiji.pids() == before


def test_interrupting_a_wait_cancels_the_job(reckless):
    """Ctrl-C in a notebook must free the worker."""
    job = reckless.submit_macro("while (true) wait(5);")
    while not job.running():
        time.sleep(0.01)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), 2))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        job.result()
    with pytest.raises(JobCancelledError):
        job.result()
