"""Claims about the study file: what may stand in it, and what a typo says."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path

import pytest

from fijibridge.errors import ParameterError, ReadError
from fijibridge.study.config import check_study, read_study

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"dataset": [{"name": "one", "phantom": "NMC-1", "size": 32}]}


def test_a_data_set_alone_is_a_study():
    """Thirteen methods and Otsu, raw and filtered, three simulated users."""
    study = check_study(SMALL)
    assert len(study.methods) == 14
    assert [user.simulated for user in study.user] == ["A", "B", "C"]
    assert study.inputs == ("raw", "filtered")


@pytest.mark.parametrize(
    ("change", "nearest"),
    [
        ({"metods": ["S1"]}, "'methods'"),
        ({"dataset": [{"name": "one", "fantom": "NMC-1"}]}, "'phantom'"),
        ({"user": [{"name": "x", "lables": "y"}]}, "'labels'"),
        ({"measures": {"tortuousity": True}}, "'tortuosity'"),
    ],
)
def test_a_typo_names_the_nearest_key(change, nearest):
    """At every level of the file."""
    with pytest.raises(ParameterError, match=f"did you mean {nearest}"):
        check_study(SMALL | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": ["S4"]}, "no method 'S4'"),
        ({"dataset": []}, "needs a name"),
        ({"dataset": [{"name": "a"}]}, "path or phantom"),
        ({"dataset": [{"name": "a", "phantom": "LFP"}]}, "phantoms are"),
        ({"dataset": SMALL["dataset"] * 2}, "name of its own"),
        ({"user": [{"name": "x"}]}, "needs labels, choices, or simulated"),
        ({"user": [{"name": "x", "simulated": "Z"}]}, "simulated users are"),
        ({"user": [{"name": "x", "choices": {"two": {"S2": 100.0}}}]}, "choices for 'two'"),
        ({"user": [{"name": "x", "choices": {"one": {"gWS": [1.0]}}}]}, "gWS = "),
        ({"user": [{"name": "x", "choices": {"one": {"ML2": [80.0, 130.0]}}}]}, "ML2 = "),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(change, said):
    """An hour of computing must not end at a misspelt name."""
    with pytest.raises(ParameterError, match=said):
        check_study(SMALL | change)


def test_paths_start_at_the_study_file(tmp_path):
    """A study moves with its folder."""
    (tmp_path / "study.toml").write_text(
        '[[dataset]]\nname = "a"\npath = "a.tif"\n[[user]]\nname = "anna"\nlabels = "users/anna"\n'
    )
    study = read_study(tmp_path / "study.toml")
    assert study.dataset[0].path == tmp_path / "a.tif"
    assert study.user[0].labels == tmp_path / "users" / "anna"


def test_a_file_that_is_no_toml_is_one_sentence(tmp_path):
    """Or no file at all."""
    (tmp_path / "study.toml").write_text("name = = 3")
    with pytest.raises(ReadError, match="not TOML"):
        read_study(tmp_path / "study.toml")
    with pytest.raises(ReadError, match="cannot read"):
        read_study(tmp_path / "other.toml")


def test_the_guides_example_is_a_study():
    """What people copy must run."""
    guide = (ROOT / "docs" / "guide" / "study.md").read_text(encoding="utf-8")
    start, end = guide.index('    name = "NMC, spring"'), guide.index("A key that there is not")
    study = check_study(tomllib.loads(textwrap.dedent(guide[start:end])))
    assert [user.name for user in study.user] == ["Anna", "B"]
