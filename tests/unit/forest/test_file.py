"""The model file: what was saved comes back, and nothing else is ever believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fijibridge.errors import ModelError, WriteError
from fijibridge.forest import load_forest, save_forest
from fijibridge.forest._trees import LEAF


@pytest.fixture(scope="module")
def saved(forest, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("forest") / "model.fbforest"
    save_forest(forest, path)
    return path


def test_a_saved_forest_predicts_the_same(painted, forest, saved):
    """And it still knows how it was trained."""
    loaded = load_forest(saved)
    assert np.array_equal(loaded.predict(painted.volume).data, forest.predict(painted.volume).data)
    assert np.array_equal(loaded.probabilities(painted.volume).data, forest.probabilities(painted.volume).data)
    assert loaded.provenance == forest.provenance
    assert loaded.features == forest.features
    assert loaded.voxel_size == forest.voxel_size
    assert loaded.ranking() == forest.ranking()


def test_saving_twice_gives_the_same_bytes(forest, saved, tmp_path):
    """A model can be compared by its checksum."""
    save_forest(load_forest(saved), tmp_path / "again.fbforest")
    assert (tmp_path / "again.fbforest").read_bytes() == saved.read_bytes()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(forest, tmp_path):
    """No half model, no temporary file."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(WriteError):
        save_forest(forest, tmp_path / "taken")
    with pytest.raises(WriteError):
        save_forest(forest, tmp_path / "nowhere" / "model.fbforest")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    """With its name."""
    with pytest.raises(ModelError, match=r"gone\.fbforest"):
        load_forest(tmp_path / "gone.fbforest")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_always_refused(saved, tmp_path, data):
    """Cut off anywhere, or a single bit flipped anywhere: the checksum sees it."""
    content = bytearray(saved.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "bad.fbforest").write_bytes(content)
    with pytest.raises(ModelError):
        load_forest(tmp_path / "bad.fbforest")


def _rewritten(path: Path, saved: Path, change) -> Path:
    """Change header or arrays of a model and sign it with a right checksum, as an attacker would."""
    body = saved.read_bytes()[:-32]
    magic, text, data = body.split(b"\n", 2)
    header, arrays, at = json.loads(text), {}, 0
    for name, dtype, shape in header["arrays"]:
        arrays[name] = np.frombuffer(data, dtype, int(np.prod(shape)), at).reshape(shape).copy()
        at += arrays[name].nbytes
    change(header, arrays)
    if header.pop("keep_shapes", False) is False:
        header["arrays"] = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    body = magic + b"\n" + json.dumps(header).encode() + b"\n" + b"".join(a.tobytes() for a in arrays.values())
    path.write_bytes(body + hashlib.sha256(body).digest())
    return path


def _node(arrays, *, leaf: bool) -> int:
    return int(np.flatnonzero(((arrays["nodes"] & np.uint64(LEAF)) == LEAF) == leaf)[3])


def _point(arrays, target: int, *, leaf: bool = False) -> None:
    node = _node(arrays, leaf=leaf)
    arrays["nodes"][node] = (arrays["nodes"][node] & np.uint64(2**32 - 1)) | np.uint64(target) << np.uint64(32)


HOSTILE = {
    "loop": lambda h, a: _point(a, 0),
    "own child": lambda h, a: _point(a, _node(a, leaf=False)),
    "left is right": lambda h, a: _point(a, _node(a, leaf=False) + 1),
    "node out of range": lambda h, a: _point(a, 2**32 - 1),
    "leaf out of range": lambda h, a: _point(a, 2**31, leaf=True),
    "leaf used twice": lambda h, a: _point(a, 0, leaf=True),
    "no such feature": lambda h, a: a["nodes"].__setitem__(_node(a, leaf=False), a["nodes"][0] | np.uint64(0xFFFE)),
    "last node is no leaf": lambda h, a: a["nodes"].__setitem__(-1, np.uint64(0)),
    "root astray": lambda h, a: a["roots"].__setitem__(1, 10**9),
    "roots descend": lambda h, a: a["roots"].__setitem__(1, 0),
    "no trees": lambda h, a: a.update(roots=a["roots"][:0]),
    "no nodes": lambda h, a: a.update(nodes=a["nodes"][:0]),
    "shares of nan": lambda h, a: a["leaves"].__setitem__((0, 0), np.nan),
    "shares of 7": lambda h, a: a["leaves"].__setitem__((0, 0), 7),
    "leaves of one class": lambda h, a: a.update(leaves=a["leaves"][:, :1]),
    "leaves flat": lambda h, a: a.update(leaves=a["leaves"].ravel()),
    "nan in coder": lambda h, a: a["gain"].__setitem__(0, np.nan),
    "short coder": lambda h, a: a.update(low=a["low"][:-1]),
    "array missing": lambda h, a: a.pop("importance"),
    "other dtype": lambda h, a: a.update(roots=a["roots"].astype(np.float64)),
    "huge array": lambda h, a: h.update(keep_shapes=True, arrays=[["nodes", "<u8", [2**39]]]),
    "negative array": lambda h, a: h.update(keep_shapes=True, arrays=[["nodes", "<u8", [-1]]]),
    "object array": lambda h, a: h.update(keep_shapes=True, arrays=[["nodes", "|O", [1]]]),
    "bytes too many": lambda h, a: h.update(keep_shapes=True, arrays=h["arrays"][:-1]),
    "arrays no list": lambda h, a: h.update(keep_shapes=True, arrays=7),
    "no features": lambda h, a: h.pop("features"),
    "unknown feature": lambda h, a: h["features"].update(names=["evil(1)"]),
    "features no list": lambda h, a: h["features"].update(names="gaussian(1)"),
    "fewer features": lambda h, a: h["features"].update(names=["gaussian(1)"]),
    "other unit": lambda h, a: h["features"].update(unit="mile"),
    "four dimensions": lambda h, a: h.update(dimensions=4),
    "true dimensions": lambda h, a: h.update(dimensions=True),
    "classes descend": lambda h, a: h.update(classes=[2, 1]),
    "class 300": lambda h, a: h.update(classes=[1, 300]),
    "class 1.5": lambda h, a: h.update(classes=[1, 1.5]),
    "one class": lambda h, a: h.update(classes=[1]),
    "gain nan": lambda h, a: h.update(gain=float("nan")),
    "gain huge": lambda h, a: h.update(gain=10**400),
    "voxels of zero": lambda h, a: h.update(voxel_size=[0, 1, 1, "nm"]),
    "voxels of text": lambda h, a: h.update(voxel_size="nm"),
    "voxels in miles": lambda h, a: h.update(voxel_size=[1, 1, 1, "mile"]),
    "provenance no object": lambda h, a: h.update(provenance=[1]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_forged_file_with_a_right_checksum_is_refused(saved, tmp_path, name):
    """Anyone can compute a checksum: every index is checked, so that no walk leaves its tree or goes in circles."""
    path = _rewritten(tmp_path / "forged.fbforest", saved, HOSTILE[name])
    with pytest.raises(ModelError, match="forged"):
        load_forest(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_forged_nodes_are_refused_or_predict_without_harm(painted, saved, tmp_path, data):
    """Random bits in random nodes: whatever is let through ends its walk and gives one of the classes."""

    def scramble(header, arrays):
        for _ in range(data.draw(st.integers(1, 4))):
            node = data.draw(st.integers(0, arrays["nodes"].size - 1))
            arrays["nodes"][node] ^= np.uint64(1) << np.uint64(data.draw(st.integers(0, 63)))

    path = _rewritten(tmp_path / "forged.fbforest", saved, scramble)
    try:
        forest = load_forest(path)
    except ModelError:
        return
    found = forest.predict(painted.volume[:12, :12, :12])
    assert set(np.unique(found.data)) <= {1, 2}


@pytest.mark.parametrize("text", [b"[" * 100_000, b"{", b"\xff\xfe", b"[]", b'{"arrays": []}', b""])
def test_a_header_that_is_no_header_is_refused(tmp_path, text):
    """Nested a hundred thousand deep, cut off, not text, or empty."""
    body = b"fbforest 1\n" + text + b"\n"
    (tmp_path / "forged.fbforest").write_bytes(body + hashlib.sha256(body).digest())
    with pytest.raises(ModelError, match="forged"):
        load_forest(tmp_path / "forged.fbforest")


def test_a_pickle_is_not_opened(tmp_path):
    """The usual way to hand over a scikit-learn model runs any code; this reader does not even look."""
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(ModelError, match="no forest"):
        load_forest(tmp_path / "model.pkl")
