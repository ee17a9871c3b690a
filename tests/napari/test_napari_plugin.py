"""Claims about the napari plugin: what it opens, what its widgets do. No window: the viewer's model, Qt offscreen."""

from __future__ import annotations

import json
import os
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest

# Not "napari": that is the name of this folder too.
pytest.importorskip("napari.components", reason="napari is not installed (pip install 'fijibridge[napari]')")

from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager
from npe2.manifest.utils import import_python_name
from qtpy.QtWidgets import QApplication

import fijibridge as fb
from fijibridge.assess import agreement, difference_map
from fijibridge.errors import ReadError
from fijibridge.napari._files import get_reader, simulated_cathode, write_layer
from fijibridge.napari._layers import to_layer, to_volume
from fijibridge.napari._operation import OperationWidget
from fijibridge.napari._study import StudyWidget
from fijibridge.napari._widgets import compare_widget, recipe_widget, segment_widget
from fijibridge.napari._work import show_layer
from fijibridge.phantom import make_electrode
from fijibridge.study.annotators import paint_labels
from fijibridge.study.cells import Cell, CellStore


@pytest.fixture(scope="module", autouse=True)
def application():
    """Widgets need one application, kept as long as they live."""
    return QApplication.instance() or QApplication([])


@pytest.fixture
def viewer():
    """A viewer without a window."""
    return ViewerModel()


@pytest.fixture
def grey():
    """A small stack with a voxel size."""
    data = np.random.default_rng(0).integers(0, 255, (6, 20, 24), dtype=np.uint8)
    return fb.make_volume(data, spacing=(30, 20, 10), units="nm", origin=(90, 0, -10))


def _show(viewer, volume, name, kind="image"):
    """Put a volume into the viewer."""
    show_layer(to_layer(volume, name, kind=kind), viewer)
    return viewer.layers[name]


def _until(condition):
    """Let the window's thread work until something has happened."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing happened for a minute"
        QApplication.instance().processEvents()
        time.sleep(0.01)


def test_napari_finds_the_plugin_and_all_its_commands():
    """A wrong name in the manifest shows only when a user picks the menu entry."""
    manager = PluginManager()
    manager.discover()
    manifest = manager.get_manifest("fijibridge")
    for command in manifest.contributions.commands:
        assert callable(import_python_name(command.python_name))
    assert {widget.display_name for widget in manifest.contributions.widgets} == {
        "Train forest and segment",
        "Run an operation",
        "Prepare by a recipe",
        "Compare two segmentations",
        "A study's difference maps",
    }


@pytest.mark.parametrize("name", ["stack.tif", "stack.nrrd"])
def test_a_stack_opens_with_its_voxel_size_and_is_saved_with_it(viewer, grey, tmp_path, name):
    """Through napari's layer and back to a file, history included."""
    fb.write_volume(fb.smooth(grey), tmp_path / name)
    path = str(tmp_path / name)
    show_layer(get_reader(path)(path)[0], viewer)
    layer = viewer.layers["stack"]
    assert tuple(layer.scale) == (30, 20, 10)
    assert tuple(layer.translate) == (90, 0, -10)
    data, attributes, _ = layer.as_layer_data_tuple()
    (written,) = write_layer(str(tmp_path / f"again-{name}"), data, attributes)
    before, after = fb.read_volume(path), fb.read_volume(written)
    np.testing.assert_array_equal(after.data, before.data)
    assert fb.voxel_size(after) == (30, 20, 10, "nm")
    assert after.attrs["history"] == before.attrs["history"]
    assert fb.same_grid(after, before)


def test_a_layer_that_is_no_stack_is_refused_with_its_shape(viewer):
    """Colours and time series would be taken for something else."""
    with pytest.raises(fb.FijibridgeError, match="3, 4, 5, 6"):
        to_volume(viewer.add_image(np.zeros((3, 4, 5, 6), np.uint8)))


def test_painted_labels_train_a_forest_that_segments(viewer, tmp_path):
    """First the slice in view, then the whole stack; the forest is saved for the command line."""
    electrode = make_electrode((16, 48, 48), voxel_nm=500)
    image = _show(viewer, electrode.grey, "grey")
    painted = _show(viewer, paint_labels(electrode.truth, slices=[8], coverage=0.2), "painted", "labels")
    viewer.dims.set_current_step(0, 8)
    widget = segment_widget()
    widget.viewer.bind(viewer)
    widget.image.bind(image)
    widget.painted.bind(painted)
    widget()
    _until(lambda: "grey preview" in viewer.layers)
    preview = to_volume(viewer.layers["grey preview"])
    assert set(np.unique(preview.data[8])) == {1, 2}
    assert not np.any(preview.data[:8])
    widget.this_slice.value = False
    widget.save_to.value = tmp_path / "model.fbforest"
    widget()
    _until(lambda: "grey segmented" in viewer.layers)
    segmented = to_volume(viewer.layers["grey segmented"])
    np.testing.assert_array_equal(segmented.data[8], preview.data[8])
    assert agreement(segmented, electrode.truth, classes=[1, 2]).accuracy > 0.9
    again = fb.load_forest(tmp_path / "model.fbforest").predict(electrode.grey)
    np.testing.assert_array_equal(again.data, segmented.data)


def test_every_operation_has_its_fields_and_runs(viewer, grey):
    """The fields come from the table, so a new operation needs nothing here."""
    widget = OperationWidget(viewer)
    widget._image.bind(_show(viewer, grey, "grey"))
    for name in fb.operations():
        widget._name.value = name
        assert [field.name for field in widget._fields] == list(fb.operations()[name].parameters.model_fields)
        assert set(widget._engine.choices) == set(fb.operations()[name].engines)
    widget._name.value = "smooth"
    widget._fields["sigma"].value = "0.7"
    widget.run()
    _until(lambda: "grey smooth" in viewer.layers)
    np.testing.assert_array_equal(viewer.layers["grey smooth"].data, fb.smooth(grey, sigma=0.7).data)


def test_a_recipe_makes_a_layer_of_every_step(viewer, grey, tmp_path):
    """The same file that `fijibridge prepare` runs."""
    (tmp_path / "recipe.toml").write_text(
        'input = "grey.tif"\n[[step]]\noperation = "smooth"\n[[step]]\noperation = "threshold"\n'
    )
    widget = recipe_widget()
    widget.viewer.bind(viewer)
    widget.image.bind(_show(viewer, grey, "grey"))
    widget.recipe.value = tmp_path / "recipe.toml"
    widget()
    _until(lambda: "grey 2 threshold" in viewer.layers)
    np.testing.assert_array_equal(viewer.layers["grey 1 smooth"].data, fb.smooth(grey).data)
    np.testing.assert_array_equal(viewer.layers["grey 2 threshold"].data, fb.threshold(fb.smooth(grey)).data)


def test_two_segmentations_are_subtracted(viewer):
    """1 where only the first one has the label, -1 where only the second one has it."""
    first, second = (fb.make_volume(np.array([[row]], np.uint8)) for row in ([1, 1, 2, 2], [1, 2, 1, 2]))
    widget = compare_widget()
    widget.viewer.bind(viewer)
    widget.a.bind(_show(viewer, first, "first", "labels"))
    widget.b.bind(_show(viewer, second, "second", "labels"))
    widget()
    _until(lambda: "first minus second" in viewer.layers)
    np.testing.assert_array_equal(viewer.layers["first minus second"].data, [[[0, 1, -1, 0]]])


def _study(folder, users, *, labels):
    """Write what a study leaves: rows, and labels as TIFF or in its store."""
    rows, made = [], {}
    for number, user in enumerate(users):
        data = np.full((2, 3, 4), 2, np.uint8)
        data[:, :, : 1 + number] = 1
        made[user] = fb.make_volume(data, spacing=(30, 20, 10), units="nm")
        row = {
            "dataset": "NMC-1",
            "method": "S2",
            "engine": "native",
            "user": user,
            "filtered": False,
            "key": f"k{user}",
        }
        rows.append(row)
        if labels:
            (folder / "labels").mkdir(exist_ok=True)
            fb.write_volume(made[user], folder / "labels" / f"NMC-1-S2-raw-{user}.tif")
        else:
            numbers = {**row, "simulated": True, "numbers": {}}
            CellStore(folder / "cells").write(Cell(**numbers), data)
    (folder / "results.json").write_text(json.dumps({"rows": rows}))
    return made


@pytest.mark.parametrize("labels", [True, False])
def test_the_difference_maps_of_a_study_become_layers(viewer, tmp_path, labels):
    """A pair of users each; with the voxel size where the study wrote TIFFs, and from its store where not."""
    made = _study(tmp_path, "ABC", labels=labels)
    widget = StudyWidget(viewer)
    widget._folder.value = tmp_path
    assert widget._group.choices == ("NMC-1 S2 native raw",)
    widget.show_differences()
    _until(lambda: len(viewer.layers) == 3)
    for a, b in ("AB", "AC", "BC"):
        layer = viewer.layers[f"NMC-1 S2 native raw: {a} - {b}"]
        np.testing.assert_array_equal(layer.data, difference_map(made[a], made[b]).data)
        assert tuple(layer.scale) == ((30, 20, 10) if labels else (1, 1, 1))


def test_a_folder_that_is_no_study_is_said_to_be_none(viewer, tmp_path):
    """An empty list without a word would leave one wondering."""
    (tmp_path / "results.json").write_text('{"rows": [1]}')
    widget = StudyWidget(viewer)
    widget._folder.value = tmp_path
    with pytest.raises(ReadError, match="no folder of a finished study"):
        widget.show_differences()


@pytest.mark.parametrize("name", ["stack.h5", "stack.zarr"])
def test_a_chunked_stack_opens_lazily_and_keeps_its_size(viewer, grey, tmp_path, name):
    """A stack larger than memory is read where it is looked at."""
    fb.write_volume(grey, tmp_path / name)
    (layer,) = get_reader(str(tmp_path / name))(str(tmp_path / name))
    assert type(layer[0]).__module__.startswith("dask")
    show_layer(layer, viewer)
    volume = to_volume(viewer.layers["stack"])
    assert fb.voxel_size(volume) == (30, 20, 10, "nm")
    np.testing.assert_array_equal(np.asarray(volume.data), grey.data)


def test_the_sample_is_a_stack_with_its_truth(viewer):
    """To try the plugin without a stack of one's own."""
    for layer in simulated_cathode():
        show_layer(layer, viewer)
    assert [layer._type_string for layer in viewer.layers] == ["image", "labels"]
    assert to_volume(viewer.layers[0]).shape == to_volume(viewer.layers[1]).shape


def test_an_error_is_one_sentence_and_no_traceback(viewer, grey):
    """What goes wrong in the thread is told in the window."""
    told = []
    notification_manager.notification_ready.connect(told.append)
    widget = OperationWidget(viewer)
    widget._image.bind(_show(viewer, grey, "grey"))
    widget._name.value = "watershed"
    widget._fields["low"].value, widget._fields["high"].value = "200", "100"
    widget.run()
    _until(lambda: told)
    assert "low < high" in str(told[0].message)
