"""What the README says can be pasted: its shell lines and its Python run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import fijibridge as fb
from fijibridge.phantom import make_electrode
from fijibridge.study.annotators import paint_labels

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    electrode = make_electrode((16, 96, 96))
    fb.write_volume(electrode.grey, "stack.tif")
    fb.write_volume(electrode.truth, "truth.tif")
    fb.write_volume(paint_labels(electrode.truth, slices=[4, 12], coverage=0.1), "painted.tif")
    Path("my-macro.ijm").write_text("run('Add...', 'value=1 stack');", encoding="utf-8")
    return tmp_path


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_shell_lines_run_as_they_stand(folder, run):
    """In their order, each building on the one before."""
    (block,) = [block for block in blocks("bash") if block.startswith("fijibridge")]
    for line in block.splitlines():
        code, _, err = run(*shlex.split(line, comments=True)[1:])
        assert code == 0, err
    assert (folder / "results" / "report.html").is_file()
    assert (folder / "labels.tif").is_file()
    assert (folder / "out.tif").is_file()


def test_python_example_runs_as_it_stands(folder):
    """It is the first thing that a Python user pastes."""
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert fb.same_grid(fb.read_volume("segmented.tif"), fb.read_volume("stack.tif"))
    assert fb.same_grid(fb.read_volume("median.tif"), fb.read_volume("stack.tif"))


def test_ci_runs_the_test_command_of_the_readme():
    """One command, in one place: the script takes it from the README."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    command = re.search(r"<!-- tests -->\n```bash\n(.*?)\n```", README, re.DOTALL)
    assert command is not None
    assert "\n" not in command[1]
    assert "<!-- tests -->" in script
    assert "-m pytest" not in script


def test_links_of_the_readme_lead_somewhere():
    """A newcomer follows them."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert not missing


def test_every_operation_and_command_is_told_of():
    """The README's table of operations is the table of operations."""
    assert all(f"`{name}`" in README for name in fb.operations())
