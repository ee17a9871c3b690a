"""Operations: one signature, several engines, one table."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Gt

from fijibridge import operation as module
from fijibridge.errors import EngineMissingError, ParameterError, VolumeError
from fijibridge.operation import Engine, Operation, jsonable, operation, operations
from fijibridge.volume import Volume, history, make_volume, record, with_data

VOLUME = record(make_volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)), {"operation": "earlier"})


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Operation[Any]:
    """Give an operation with one engine, outside the real table."""
    monkeypatch.setattr(module, "_TABLE", {})

    @operation(halo=lambda factor, **_: int(factor))
    def scale(
        volume: Volume,
        *,
        factor: Annotated[float, Gt(0)] = 2.0,
        mode: Literal["up", "down"] = "up",
        engine: Engine = "native",
    ) -> Volume:
        """Scale grey values."""

    @scale.engine("native", version=lambda: "test 7")
    def _native(volume: Volume, *, factor: float, mode: str) -> Volume:
        return record(with_data(volume, volume.data * (factor if mode == "up" else 1 / factor)), {"operation": "inner"})

    return scale


def test_an_operation_is_called_like_its_signature(scale: Operation[Any]) -> None:
    """Defaults, name and docstring are those of the signature."""
    np.testing.assert_array_equal(scale(VOLUME).data, VOLUME.data * 2)
    np.testing.assert_array_equal(scale(VOLUME, factor=4, mode="down").data, VOLUME.data / 4)
    assert scale.name == "scale"
    assert scale.__doc__ == "Scale grey values."


def test_the_history_gains_one_step_with_every_default(scale: Operation[Any]) -> None:
    """One call is one step; what an engine recorded on its way inside (measured shifts, say) stands within it."""
    step = {
        "operation": "scale",
        "engine": "native",
        "version": "test 7",
        "parameters": {"factor": 3.0, "mode": "up"},
        "within": [{"operation": "inner"}],
    }
    assert history(scale(VOLUME, factor=3)) == ({"operation": "earlier"}, step)


def test_the_halo_follows_the_parameters(scale: Operation[Any]) -> None:
    assert scale.halo_of() == 2
    assert scale.halo_of(factor=5) == 5
    with pytest.raises(ParameterError, match="factor"):
        scale.halo_of(factor=-1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"factr": 1}, "no parameter 'factr'; did you mean 'factor'"),
        ({"zzz": 1}, "no parameter 'zzz'; it has factor, mode"),
        ({"factor": 0}, "factor = 0 will not do.*greater than 0"),
        ({"factor": float("nan")}, "factor = nan will not do"),
        ({"factor": "many"}, "factor = 'many' will not do"),
        ({"mode": "sideways"}, "mode = 'sideways' will not do"),
    ],
)
def test_wrong_parameters_are_refused_by_name(scale: Operation[Any], given: dict, words: str) -> None:
    """The same sentence from Python, a recipe, the command line and the service."""
    with pytest.raises(ParameterError, match=f"(?s)scale.*{words}"):
        scale(VOLUME, **given)


def test_parameters_by_place_are_refused(scale: Operation[Any]) -> None:
    """scale(volume, 3) would not say what the 3 is."""
    with pytest.raises(ParameterError, match="everything else by keyword"):
        scale(VOLUME, 3)


def test_a_missing_engine_names_those_that_are_there(scale: Operation[Any]) -> None:
    """No engine stands in for another."""
    with pytest.raises(EngineMissingError, match=r"no engine 'fiji'; use engine='native'"):
        scale(VOLUME, engine="fiji")


def test_what_is_no_volume_is_refused_before_any_engine_runs(scale: Operation[Any]) -> None:
    with pytest.raises(VolumeError, match="expected a Volume"):
        scale(np.zeros((2, 3, 4)))


def test_an_engine_must_take_exactly_the_parameters(scale: Operation[Any]) -> None:
    """Found at import, not at the first call with the parameter that is missing."""
    with pytest.raises(TypeError, match="engine 'fiji' of scale takes"):

        @scale.engine("fiji")
        def _fiji(volume: Volume, *, factor: float) -> Volume: ...


def test_a_check_sees_volume_and_parameters_before_the_engine(scale: Operation[Any]) -> None:
    """What types alone cannot say stands once for all engines."""

    @scale.check
    def _check(volume: Volume, *, factor: float, mode: str) -> None:
        if factor > volume.sizes["z"]:
            raise ParameterError("too much")

    with pytest.raises(ParameterError, match="too much"):
        scale(VOLUME, factor=3)
    assert scale(VOLUME, factor=2).shape == VOLUME.shape


def test_the_table_holds_every_operation_by_name(scale: Operation[Any]) -> None:
    """The command line, recipes and the service are made of it; changing what it gives changes nothing."""
    table = operations()
    assert table == {"scale": scale}
    table.clear()
    assert operations() == {"scale": scale}


def test_own_engines_carry_the_package_version(scale: Operation[Any]) -> None:
    @scale.engine("native")
    def _native(volume: Volume, *, factor: float, mode: str) -> Volume:
        return volume

    assert history(scale(VOLUME))[-1]["version"].startswith("fijibridge 0.")


def test_the_input_is_not_marked_when_an_engine_gives_it_back(scale: Operation[Any]) -> None:
    """Even an engine that has nothing to do must not write into the caller's history."""

    @scale.engine("native")
    def _native(volume: Volume, *, factor: float, mode: str) -> Volume:
        return volume

    before = history(VOLUME)
    assert len(history(scale(VOLUME))) == len(before) + 1
    assert history(VOLUME) == before


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        ((1, 2), [1, 2]),
        (np.arange(3), [0, 1, 2]),
        ({"a": np.int64(3)}, {"a": 3}),
        (None, None),
    ],
)
def test_parameters_are_recorded_in_plain_json(value: object, expected: object) -> None:
    assert jsonable(value) == expected


def test_a_volume_among_the_parameters_is_recorded_by_its_hash() -> None:
    """A replay can tell whether it was given the same volume; equal voxels have one hash, whatever their layout."""
    entry = jsonable(VOLUME)
    assert entry["volume"] == [2, 3, 4]
    assert entry["dtype"] == "uint8"
    assert jsonable(with_data(VOLUME, np.asfortranarray(VOLUME.data))) == entry
    assert jsonable(with_data(VOLUME, VOLUME.data + 1)) != entry
