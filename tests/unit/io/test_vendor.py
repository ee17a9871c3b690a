"""Microscopes write pixel size and tilt into tags of their own: both are read, and what is not there is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

import fijibridge as fb
from fijibridge.errors import ParameterError, ReadError
from fijibridge.pipeline import replay
from fijibridge.volume import history, voxel_size

FEI = """[User]\r\nUser=supervisor\r\n[System]\r\nType=DualBeam\r\nSystemType=Helios\r\n[Scan]\r\nPixelWidth=8e-09\r
PixelHeight=8e-09\r\n[Stage]\r\nStageT=0.279253\r\n[EBeam]\r\nTiltCorrectionIsOn={on}\r
TiltCorrectionAngle={angle}\r\n"""
TESCAN = "[MAIN]\r\nDevice=LYRA3\r\nPixelSizeX=1.25e-8\r\nPixelSizeY=1.25e-8\r\n[SEM]\r\nStageTilt={tilt}\r\n"
ZEISS = (
    "\r\n0\r\n0\r\n0\r\n5e-009\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size =  12.5 nm\r\nAP_STAGE_AT_T\r\n"
    "Stage at T = 54.0 °\r\nDP_TILT_CORRECTION\r\nTilt Corrn. = {on}\r\nSV_SERIAL_NUMBER\r\nSerial No. = {name}\r\n"
)


def write(path: Path, code: int, text: str, slices: int = 1) -> Path:
    """Write slices as a microscope does: each a page, the tag on the first."""
    data = np.random.default_rng(0).integers(0, 255, (slices, 40, 48)).astype(np.uint8)
    raw = text.encode("cp1252") + b"\0"
    with tifffile.TiffWriter(path) as tiff:
        for z, image in enumerate(data):
            tiff.write(image, extratags=[(code, 2, len(raw), raw, True)] if z == 0 else [], metadata=None)
    return path


@pytest.mark.parametrize(
    ("code", "text", "pixel", "columns"),
    [
        (34682, FEI.format(on="yes", angle=0), 8.0, 52.0),
        (34118, ZEISS.format(on="Off", name="Auriga-39-01"), 12.5, 54.0),
        (50431, TESCAN.format(tilt=12.0), 12.5, 55.0),
    ],
    ids=["fei", "zeiss", "tescan"],
)
def test_the_pixel_size_and_the_angle_of_the_columns_come_from_the_tags(tmp_path, code, text, pixel, columns):
    """Nobody should have to type what the file says."""
    volume = fb.read_volume(write(tmp_path / "slice.tif", code, text))
    assert voxel_size(volume)[1:] == (pixel, pixel, "nm")
    (step,) = history(volume)
    assert step["operation"] == "acquire"
    assert step["parameters"]["columns_deg"] == columns
    sheared = fb.shear(volume, angle_deg="auto")
    assert voxel_size(sheared).y == pytest.approx(pixel / np.sin(np.deg2rad(columns)))


def test_a_real_slice_of_a_helios_is_read_with_its_tilt(shared_data):
    """Its holder is tilted by 36 degrees, so that the stage stands at 16 while the face is seen at 52."""
    (path,) = shared_data("fei_autoslice_tiff").glob("*.tif")
    volume = fb.read_volume(path)
    assert voxel_size(volume).y == pytest.approx(8.99306, abs=1e-5)
    (step,) = history(volume)
    assert step["version"] == "FEI Helios G4 UX DualBeam"
    assert step["parameters"] == {
        "maker": "FEI", "stage_tilt_deg": 16.0, "columns_deg": 52.0, "tilt_corrected": False,
    }  # fmt: skip
    assert voxel_size(fb.shear(volume, angle_deg="auto")).y == pytest.approx(8.99306 / np.sin(np.deg2rad(52)), abs=1e-4)


def test_the_tilt_outlives_operations_and_files_and_does_not_hinder_a_replay(tmp_path):
    """It is asked for at the end of a recipe, steps behind the reading."""
    volume = fb.read_volume(write(tmp_path / "slice.tif", 34682, FEI.format(on="no", angle=0)))
    fb.write_volume(fb.smooth(volume), tmp_path / "smooth.tif")
    again = fb.read_volume(tmp_path / "smooth.tif")
    sheared = fb.shear(again, angle_deg="auto")
    assert [step["operation"] for step in history(sheared)] == ["acquire", "smooth", "shear"]
    np.testing.assert_array_equal(replay(volume, history(sheared)).data, sheared.data)


def test_slices_of_a_folder_keep_the_tilt_and_ask_for_the_distance_of_slices(tmp_path):
    """It stands in no tag; a guess would be a wrong volume."""
    for z in range(3):
        write(tmp_path / f"slice{z}.tif", 34682, FEI.format(on="no", angle=0))
    with pytest.raises(ReadError, match="does not say how far apart they are"):
        fb.read_volume(tmp_path)
    volume = fb.read_volume(tmp_path, spacing=(20, 8, 8), units="nm")
    assert history(volume)[0]["parameters"]["columns_deg"] == 52.0


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        (34682, FEI.format(on="yes", angle=0.9), "stretch=False"),
        (34118, ZEISS.format(on="On", name="Auriga-39-01"), "stretch=False"),
        (34118, ZEISS.format(on="Off", name="Merlin-61-50").replace("54.0", "0.0"), "two columns"),
        (50431, "no ini at all [", "the file had none"),
        (270, "plain", "the file had none"),
    ],
    ids=["fei-corrected", "zeiss-corrected", "one-column", "broken", "plain"],
)
def test_auto_says_in_one_sentence_why_it_cannot(tmp_path, code, text, said):
    """A wrong angle would go unnoticed."""
    volume = fb.read_volume(write(tmp_path / "slice.tif", code, text))
    with pytest.raises(ParameterError, match=said):
        fb.shear(volume, angle_deg="auto")
