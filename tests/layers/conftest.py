"""The command line run in this process, and a small stack with labels and truth for it."""

from __future__ import annotations

import sys

import pytest

import fijibridge as fb
from fijibridge import cli
from fijibridge.phantom import make_electrode
from fijibridge.study.annotators import paint_labels


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process; give exit code, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["fijibridge", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return call


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """A small simulated cathode with labels and truth, as files."""
    folder = tmp_path_factory.mktemp("stack of a cathode")
    electrode = make_electrode((24, 48, 56), voxel_nm=500)
    labels = paint_labels(electrode.truth, slices=[6, 18], coverage=0.1)
    for name, volume in (("grey", electrode.grey), ("labels", labels), ("truth", electrode.truth)):
        fb.write_volume(volume, folder / f"{name}.tif")
    return folder
