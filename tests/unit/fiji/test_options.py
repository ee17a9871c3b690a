"""Python keywords into ImageJ's option strings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fijibridge.errors import ParameterError
from fijibridge.fiji._options import command_options, macro_argument


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, "k=1"),
        (1.1, "k=1.1"),
        (1e-07, "k=1e-07"),
        (np.float32(0.5), "k=0.5"),
        (np.int16(-3), "k=-3"),
        ("otsu", "k=otsu"),
        ("Max Intensity", "k=[Max Intensity]"),
        ("", "k=[]"),
        ("a[0] b", "k=[a[0] b]"),
        (Path("/x y/z.tif"), "k=[/x y/z.tif]"),
        ("it's", "k=[it's]"),
        ("a=b", "k=[a=b]"),
    ],
)
def test_a_value_is_written_as_the_recorder_writes_it(value, written):
    """Blanks, brackets and quotes are what breaks option strings."""
    assert command_options({"k": value}) == written
    assert macro_argument({"k": value}) == written


def test_flags_are_bare_keys_for_commands_and_words_for_macros():
    """A check box in a command; in a macro something to compare with."""
    options = {"stack": True, "white": False, "n": np.bool_(True)}
    assert command_options(options) == "stack n"
    assert macro_argument(options) == "stack=true white=false n=true"


@pytest.mark.parametrize("value", [None, [1], float("nan"), float("inf"), "a]b[", "a[b"])
def test_what_imagej_cannot_take_is_refused_by_name(value):
    """A wrong option string would be a wrong result, not an error."""
    with pytest.raises(ParameterError, match=r"^key"):
        command_options({"key": value})
