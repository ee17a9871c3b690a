"""The doctor tries everything for real and says what to do."""

from __future__ import annotations

import json
from dataclasses import replace

from fijibridge.fiji.doctor import PLUGIN_COMMANDS, examine
from fijibridge.settings import load_settings


def test_a_healthy_machine_is_told_so_and_what_plugins_it_lacks():
    """A round trip that really went through ImageJ; missing plugins are no illness."""
    told: list[float] = []
    report = examine(load_settings(imagej="embedded", heap="128m", workers=1), progress=told.append)
    assert report.healthy
    found = {check.name: check for check in report.checks}
    assert found["round trip"].state == "good"
    assert "ImageJ 1.54p" in found["round trip"].found
    assert all(found[name].state == "missing" and found[name].advice for name in PLUGIN_COMMANDS)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_report_is_plain_json():
    """Machines read it too."""
    report = examine(load_settings(imagej="embedded", heap="128m", workers=1)).as_dict()
    assert json.loads(json.dumps(report)) == report
    assert set(report["checks"][0]) == {"name", "state", "found", "advice"}


def test_each_illness_is_named_with_its_cure(tmp_path):
    """A folder that is no ImageJ, more memory than there is, a cache that cannot be written."""
    (tmp_path / "file").touch()
    settings = replace(load_settings(), imagej=str(tmp_path), heap="900000g", cache=tmp_path / "file" / "cache")
    report = examine(settings)
    assert not report.healthy
    bad = {check.name: check for check in report.checks if check.state == "bad"}
    assert {"imagej", "heap", "cache"} <= set(bad)
    assert "is no ImageJ" in bad["imagej"].found
    assert all(check.advice for check in bad.values())
