"""Settings: what wins, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from fijibridge.errors import SettingsError
from fijibridge.settings import Settings, config_file, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """No setting of this machine gets into a test."""
    for name in ("IMAGEJ", "HEAP", "WORKERS", "TIMEOUT_S", "PLUGINS", "CACHE"):
        monkeypatch.delenv(f"FIJIBRIDGE_{name}", raising=False)
    monkeypatch.setenv("FIJIBRIDGE_CONFIG", str(tmp_path / "config.toml"))


def test_arguments_beat_the_environment_which_beats_the_file_which_beats_defaults(monkeypatch):
    """The nearer to the call, the stronger."""
    config_file().write_text('imagej = "file"\nheap = "1g"\nworkers = 3\n')
    monkeypatch.setenv("FIJIBRIDGE_IMAGEJ", "/environment")
    monkeypatch.setenv("FIJIBRIDGE_WORKERS", "5")
    settings = load_settings(imagej="embedded", heap=None)
    assert (settings.imagej, settings.workers, settings.heap, settings.timeout_s) == ("embedded", 5, "1g", 600.0)


def test_without_anything_set_the_embedded_imagej_is_used():
    """A fresh machine needs no settings."""
    assert load_settings() == Settings()
    assert load_settings().imagej == "embedded"


def test_settings_do_not_change_once_made():
    """Workers in flight rely on them."""
    with pytest.raises(FrozenInstanceError):
        Settings().heap = "1g"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": 0}, "workers must be a whole number from 1 to 64, got 0"),
        ({"workers": 2.5}, "workers"),
        ({"workers": True}, "workers"),
        ({"heap": "4"}, "heap must be a size such as '4g'"),
        ({"heap": "0g"}, "heap"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        ({"timeout_s": "soon"}, "timeout_s"),
        ({"plugins": "/no/such/folder"}, "plugins must be a folder that exists"),
        ({"imagej": " "}, "imagej"),
        ({"image": "embedded"}, "there is no setting 'image'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(given, words):
    """The message says which setting, what it got and what it wants."""
    with pytest.raises(SettingsError, match=words.replace("(", r"\(")):
        load_settings(**given)


def test_an_unknown_name_in_the_config_file_is_refused():
    """A typo there would otherwise change nothing, silently."""
    config_file().write_text('heep = "1g"\n')
    with pytest.raises(SettingsError, match="heep"):
        load_settings()


def test_a_config_file_that_is_no_toml_is_named():
    """With its path, so that one can mend it."""
    config_file().write_text("imagej = \n")
    with pytest.raises(SettingsError, match=str(config_file())):
        load_settings()


def test_folders_may_start_with_the_home_sign(monkeypatch, tmp_path):
    """As people write them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "plugins").mkdir()
    settings = load_settings(imagej="~/Fiji.app", plugins="~/plugins")
    assert settings.imagej == str(tmp_path / "Fiji.app")
    assert settings.plugins == Path(tmp_path / "plugins")
