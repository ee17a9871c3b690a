"""The commands of the menu in a real ImageJ without a window, with options as the Recorder writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from imagej_window import MENU, make_imagej
from scipy import ndimage

from fijibridge import Fiji, ops
from fijibridge.errors import EngineFailedError
from fijibridge.io import read_volume, write_volume
from fijibridge.service import _lease, macro_call
from fijibridge.volume import make_volume, voxel_size, with_data

ROOT = Path(__file__).resolve().parents[2]
NAME = "NMC stück #3"


@pytest.fixture(scope="module")
def menu(place) -> Iterator[Fiji]:
    """Give a plain ImageJ with the menu installed, in a folder with blanks and other hard characters."""
    with Fiji(make_imagej(place / "Image J"), workers=1, timeout_s=120) as fiji:
        yield fiji


@pytest.fixture(scope="module")
def stack():
    """Two materials with noise and streaks, voxels of 30 x 10 x 10 nm."""
    rng = np.random.default_rng(0)
    z, y, x = np.indices((6, 64, 80))
    bright = np.sin(x / 7) + np.sin(y / 9) + np.sin(z / 3) > 0
    grey = np.where(bright, 170, 80) + rng.normal(0, 6, bright.shape) + rng.normal(0, 8, (6, 1, 80))
    return make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(30, 10, 10))


def run(menu, macro, volume):
    """Run commands on a stack whose title is a hard one; what was open stays as it was."""
    result = menu.run_macro(f'rename("{NAME}.tif");\n{macro}', volume)
    original = result.images[f"{NAME}.tif"]
    assert np.array_equal(original.data, volume.data)
    return result


@pytest.mark.parametrize(
    ("command", "suffix", "expected"),
    [
        ('run("Align FIB-SEM stack", "trend=keep model=translation largest=0 slow=30")', "aligned", ops.align),
        ('run("Decurtain", "method=auto measured")', "decurtained", ops.decurtain),
    ],
)
def test_a_command_gives_what_the_operation_gives(menu, stack, command, suffix, expected):
    """The same voxels on the same grid, beside the original and named after it."""
    result = run(menu, command, stack)
    made = result.images[f"{NAME}-{suffix}"]
    assert np.array_equal(made.data, expected(stack).data)
    assert voxel_size(made) == voxel_size(stack)


def test_pixels_without_a_unit_stay_without_one_and_the_selection_stays(menu, stack):
    """Nobody knows their size: none is made up on the way through the service."""
    macro = 'makeRectangle(5, 6, 7, 8); run("Decurtain", "method=auto measured"); print(selectionType());'
    bare = make_volume(stack.data, spacing=(1, 1, 1), units="voxel")
    result = run(menu, f'id = getImageID(); {macro} selectImage(id); getSelectionBounds(x, y, w, h); print(x, y, w, h);', bare)  # fmt: skip  # noqa: E501
    assert voxel_size(result.images[f"{NAME}-decurtained"]).units == "voxel"
    assert "5 6 7 8" in result.log


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_thresholds_lie_ten_grey_levels_around_otsu(menu, stack, dtype):
    """S1 and S3 as in the study; on 16 bit a grey level of 8 bit is a 255th of the range."""
    factor = 1 if dtype == np.uint8 else 200
    grey = with_data(stack, stack.data.astype(dtype) * dtype(factor))
    result = run(menu, 'run("Threshold S1-S3", "method=Otsu level=0 step=10 s1 s2 s3")', grey)
    step = 10 if dtype == np.uint8 else 10 * (float(grey.max()) - float(grey.min())) / 255
    level = ops.automatic_threshold(grey, method="otsu")
    for name, shift in (("S1", -step), ("S2", 0), ("S3", step)):
        expected = grey.data > level + shift
        assert np.array_equal(result.images[f"{NAME}-{name}"].data == 255, expected)


def test_watersheds_take_their_windows_from_the_histogram(menu, stack):
    """A quarter and three quarters of the way from Otsu's threshold to either mean, as in the study."""
    level = ops.automatic_threshold(stack, method="otsu")
    dark, bright = stack.data[stack.data <= level].mean(), stack.data[stack.data > level].mean()
    for seeds, name, share in (("generous", "gWS", 0.25), ("conservative", "cWS", 0.75)):
        result = run(menu, f'run("Watershed (generous, conservative)", "seeds={seeds}")', stack)
        low, high = level - share * (level - dark), level + share * (bright - level)
        expected = ops.watershed(stack, low=float(low), high=float(high))
        assert np.array_equal(result.images[f"{NAME}-{name}"].data == 255, expected.data)


def test_comparing_gives_the_difference_and_the_agreement(menu, stack):
    """Labels 1 and 2 with every tenth voxel changed: image and table against NumPy."""
    first = np.where(stack.data > 120, 1, 2).astype(np.uint8)
    second = first.copy()
    second.reshape(-1)[::10] = 3 - second.reshape(-1)[::10]
    result = menu.run_macro(
        'run("Compare two segmentations", "first=volume1 second=volume2 class=auto")',
        with_data(stack, first),
        with_data(stack, second),
    )
    difference = result.images["volume1-minus-volume2"].data
    assert np.array_equal(difference, (first == 1).astype(int) - (second == 1).astype(int))
    both = ((first == 1) & (second == 1)).sum()
    row = result.table.set_index("class").loc[1]
    assert row["Dice"] == pytest.approx(2 * both / ((first == 1).sum() + (second == 1).sum()), abs=1e-3)
    assert row["accuracy %"] == pytest.approx(100 * (first == second).mean(), abs=1e-3)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ('run("Decurtain", "strength=7")', "strength"),
        ('run("Align FIB-SEM stack", "trend=template")', "select one first"),
        ('run("Prepare from recipe...", "recipe=[/no ne.toml] output=[/]")', "There is no file /no ne.toml"),
        ('run("Run study...", "output=[/no ne]")', "There is no folder /no ne"),
        ('run("Compare two segmentations", "class=1")', "open both"),
        ('run("Train forest and preview this slice", "trees=9")', "paint both classes"),
        ('run("Segment stack with forest", "model=saved file=[/none.fbforest]")', "There is no file"),
        ('run("Paint labels", "action=tools")', "needs a window"),
    ],
)
def test_a_command_that_cannot_do_its_work_says_so_in_one_sentence(menu, stack, command, sentence):
    """The macro that ran it ends there: it would go on with the wrong image."""
    with pytest.raises(EngineFailedError, match=sentence) as caught:
        run(menu, f'{command}; print("went on");', stack)
    assert "went on" not in caught.value.log


def test_a_recipe_is_run_and_its_volume_opened(menu, place, stack):
    """From a folder with blanks and a # in its name."""
    write_volume(stack, place / "raw #1.tif")
    (place / "out é").mkdir()
    recipe = place / "my recipe #1.toml"
    recipe.write_text('input = "raw #1.tif"\n[[step]]\noperation = "smooth"\n', "utf-8")
    options = f"recipe=[{recipe}] output=[{place / 'out é'}]"
    result = run(menu, f'run("Prepare from recipe...", "{options}")', stack)
    assert np.array_equal(result.image.data, ops.smooth(read_volume(place / "raw #1.tif")).data)


def test_paths_of_windows_become_addresses_and_titles(menu, stack):
    """Backslashes, drive letters, computers' names, and what ends or breaks an address."""
    macro = r"""
    print(addressOf("C:\\data\\NMC #3 100%\\report.html"));
    print(addressOf("\\\\lab\\share\\r 1.html"));
    print(addressOf("/home/a b/#1?.html"));
    print(answered("id=3\nresult=D:\\J&#252;rgen\\out #1=2\\a.tif\n", "result"));
    print(stem("NMC 1.5 #3.TIF"));
    """
    result = menu.run_macro(macro + (ROOT / "macros" / "menu" / "library.txt").read_text("ascii"), stack)
    assert result.log.splitlines() == [
        "file:///C:/data/NMC%20%233%20100%25/report.html",
        "file://lab/share/r%201.html",
        "file:///home/a%20b/%231%3F.html",
        "D:\\Jürgen\\out #1=2\\a.tif",
        "NMC 1.5 #3",
    ]


def test_a_study_runs_to_its_end_and_names_its_report(menu, place, stack):
    """From a study file with blanks and a # in its name."""
    (place / "study é").mkdir()
    study = place / "my study #1.toml"
    result = run(menu, f'run("Run study...", "study=[{study}] output=[{place / "study é"}]")', stack)
    report = result.log.strip().rpartition("report of the study: ")[2]
    assert Path(report) == place / "study é" / "report.html"
    assert (place / "study é" / "results.csv").read_text("utf-8").count("otsu") > 0


def test_status_tells_of_the_service_but_not_its_key(menu, stack):
    """People paste what is in the Log window into mails."""
    result = run(menu, 'run("fijibridge status", "action=show")', stack)
    assert "version" in result.log
    assert "token" not in result.log


def test_painting_training_correcting_and_segmenting_lead_to_the_truth(menu, shared_data, capsys):
    """The whole loop on a real cathode's geometry: regions on three slices, a preview, more strokes, all labelled."""
    found = np.asarray(read_volume(next(shared_data("nmc_segmented_volumes").rglob("*.tif"))).data)
    truth = np.where(found[60:124, 60:188, 60:188] == 1, 1, 2).astype(np.uint8)
    rng = np.random.default_rng(1)
    grey = np.where(truth == 1, 150, 100) + rng.normal(0, 25, truth.shape)
    volume = make_volume(np.clip(grey, 0, 255).astype(np.uint8), spacing=(20, 20, 20))
    first = _squares(truth, (12, 32, 52), 5)
    preview = menu.run_macro(
        _painted(first, 'setSlice(32); run("Train forest and preview this slice", "show=image");'), volume
    )
    seen = preview.images["fijibridge-preview"].data[0]
    wrong = np.where(seen != truth[31], truth[31], 0)
    more = _squares(np.broadcast_to(wrong, truth.shape), (32,), 12, room=1)
    made = menu.run_macro(
        _painted([*first, *more], 'run("Segment stack with forest", "model=painted trees=60");'), volume
    )
    right = made.images["electrode-segmented"].data == truth
    otsu = (ops.threshold(volume).data == (truth == 1)).mean()
    with capsys.disabled():
        print(
            f"\npainting loop: {right.mean():.4f} of the voxels right ({right[31].mean():.4f} in the corrected slice, "
            f"{(seen == truth[31]).mean():.4f} in its preview); Otsu's threshold: {otsu:.4f}"
        )
    assert right.mean() > otsu + 0.02
    assert right[31].mean() > (seen == truth[31]).mean()


def _painted(labels, then: str) -> str:
    return "\n".join(['rename("electrode.tif"); id = getImageID();', *labels, then])


def _squares(wanted, slices, count: int, room: int = 3) -> list[str]:
    """Paint squares inside each class of a volume on some slices (from 1), spread over the slice."""
    lines = []
    for z in slices:
        for value in (1, 2):
            depth = ndimage.distance_transform_cdt(np.pad(wanted[z - 1] == value, 1))[1:-1, 1:-1]
            places = np.argwhere(depth >= room)
            for y, x in places[:: max(1, len(places) // count)][:count]:
                lines.append(
                    f"setSlice({z}); makeRectangle({x - room + 1}, {y - room + 1}, {2 * room - 1}, {2 * room - 1});"
                )
                lines.append(f'run("Paint labels", "action=class_{value}");')
    return lines


def test_a_preview_that_nobody_waits_for_is_given_up(place, monkeypatch, capsys):
    """After Esc the macro touches the lease no more; features of a large stack would go on for minutes."""
    monkeypatch.setattr(_lease, "LEASE_S", 0.3)
    volume = place / "large.tif"
    write_volume(make_volume(np.random.default_rng(0).integers(0, 255, (60, 700, 700)).astype(np.uint8)), volume)
    labels = np.zeros((60, 700, 700), np.uint8)
    labels[::3, :300], labels[::3, 400:] = 1, 2
    write_volume(make_volume(labels), place / "labels.tif")
    lease = place / "gone.lease"
    paths = (f"volume={volume}", f"labels={place / 'labels.tif'}", f"output={place / 'never.tif'}", f"lease={lease}")
    macro_call.main(["preview", *paths, "slice=3"])
    assert "ended from outside" in capsys.readouterr().out
    assert not (place / "never.tif").exists()


def test_every_command_stands_in_the_readme_and_in_ascii():
    """ImageJ reads macros as Latin-1; a command that nobody reads of is not there."""
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in MENU:
        assert command == "Without Python" or f"*{command}*" in readme
    for file in (ROOT / "macros" / "menu").iterdir():
        assert file.read_bytes().isascii()
