"""Read one TIFF file, whoever wrote it; tifffile does the decoding, the checks before it are ours."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import ParameterError, ReadError
from ._calibration import Calibration, description_items, from_imagej, from_resolution
from ._history import Note, from_text
from ._ifd import walk
from ._lazy import Raw, voxels
from ._ome import from_ome, ome_description
from ._stack import Stack, describe
from ._tiff_pages import TiffPages, check_channel, one_channel
from ._vendor import acquisition, calibrated, read_vendor

Progress = Callable[[float], None]

#: Most bytes that one stored byte can become, by TIFF compression code. zstd and all rarer ones count as `_MOST`.
_GROWTH = {1: 1, 5: 1400, 8: 1032, 32946: 1032, 50013: 1032, 32773: 64}
_MOST_GROWTH = 2**15
#: Axes (tifffile's letters) that may be the one along which slices are stacked: depth, time (ImageJ stacks often say
#: so by mistake), "image" and "other".
_STACKED = "ZTIQ"


def read_tiff(path: Path, mmap: bool, progress: Progress | None, channel: int | None = None) -> Stack:
    """Read or map one TIFF file; of one in colour the `channel` named.

    Raises
    ------
    ReadError : no such file, no TIFF, broken, truncated, or no grey volume.
    """
    with _tifffile_errors(path):
        headers = _check_headers(path)
        # A companion file of an OME set is never opened unasked: what a path names is what is read.
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            items = description_items(tiff.pages.first.description)
            series = _series(path, tiff, headers, items)
            data = _voxels(path, tiff, series, mmap, progress, channel=channel)
            calibration, note = _calibration(tiff, items)
    if note.origin is not None and not items:
        calibration = calibration._replace(origin=note.origin)
    return Stack(str(path), data, calibration, note.history)


@contextlib.contextmanager
def _tifffile_errors(path: Path) -> Iterator[None]:
    """Turn whatever decoding a broken file raises into one ReadError, with tifffile's own words in its detail."""
    words = _Words()
    logger = logging.getLogger("tifffile")
    logger.addFilter(words)
    try:
        yield
    except ReadError as error:
        error.detail = error.detail or words.text()
        raise
    except ParameterError:
        raise
    except FileNotFoundError as error:
        raise ReadError(f"there is no file {path}; check the name") from error
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror or error}", detail=words.text()) from error
    except MemoryError as error:
        raise ReadError(f"{path} does not fit into memory; read it with mmap=True or crop it first") from error
    except Exception as error:
        raise ReadError(
            f"{path} is a broken TIFF file ({error}); save it anew from the program that made it", detail=words.text()
        ) from error
    finally:
        logger.removeFilter(words)


class _Words(logging.Filter):
    """Keep tifffile's warnings for the error's detail rather than let them run across the user's screen."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        self.lines.append(record.getMessage())
        return False

    def text(self) -> str:
        return "\n".join(self.lines)


def _broken(path: Path, what: str) -> NoReturn:
    raise ReadError(f"{path} is truncated or broken: {what}; copy it again or save it anew")


def _check_headers(path: Path) -> str:
    """Walk the chain of headers; give its fault, with which an ImageJ stack (one header for all) may still be whole."""
    with path.open("rb") as file:
        chain = walk(file)
        file.seek(0)
        packed = file.read(4) == b"PK\x03\x04"
    if packed:
        raise ReadError(f"{path} is a zip archive, of which none is read, be it of slices or a Zarr; unpack it first")
    if chain is None:
        raise ReadError(f"{path} is not a TIFF file, and its ending is none of the other formats that are read")
    if chain.length == 0:
        _broken(path, chain.fault)
    return chain.fault


def _series(path: Path, tiff: tifffile.TiffFile, fault: str, items: dict[str, str]) -> tifffile.TiffPageSeries:
    """Pick the one image of the file, after making sure that the file can hold it."""
    promised = int(items.get("images", "1")) if items.get("images", "1").isdecimal() else 1
    if fault and not _one_header_for_all(tiff, promised):
        _broken(path, fault)
    if len(tiff.series) != 1:
        shapes = [describe(series.shape, series.dtype) for series in tiff.series]
        raise ReadError(
            f"{path} holds {len(shapes)} images ({', '.join(shapes[:4])}{', ...' if len(shapes) > 4 else ''}) and a "
            "volume needs slices of one size and dtype; save the one you mean to a file of its own"
        )
    series = tiff.series[0]
    held = _slices(series)
    if promised > held:
        _broken(path, f"its description promises {promised} slices and it holds {held}")
    _check_size(path, series)
    return series


def _one_header_for_all(tiff: tifffile.TiffFile, promised: int) -> bool:
    """Tell whether this is an ImageJ stack with all voxels behind its first header, so that later ones don't count."""
    page = tiff.pages.first
    whole = page.is_final and page.dataoffsets[0] + promised * page.nbytes <= tiff.filehandle.size
    return promised > 1 and bool(whole)


def _slices(series: tifffile.TiffPageSeries) -> int:
    sizes = [size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXS"]
    return int(np.prod(sizes, dtype=np.int64))


def _check_size(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Refuse a header that asks for more than the file can hold, before a byte of it is allocated."""
    size = series.keyframe.parent.filehandle.size
    if series.dataoffset is not None:
        if series.dataoffset + series.nbytes > size:
            _broken(path, f"its voxels end at byte {series.dataoffset + series.nbytes} and the file at {size}")
        return
    stored = 0
    for page in series.pages:
        if page is None:
            _broken(path, "some of its slices are in other files or nowhere")
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > size:
            _broken(path, f"its voxels end at byte {max(ends)} and the file at {size}")
        stored += sum(page.databytecounts)
    growth = _GROWTH.get(int(series.keyframe.compression), _MOST_GROWTH)
    bits = series.keyframe.bitspersample / (8 * series.dtype.itemsize)
    if stored > size or stored * growth < series.nbytes * min(1.0, bits):
        _broken(path, f"its header asks for {series.nbytes} bytes and the file holds {stored} at most")


def _voxels(
    path: Path, tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, mmap: bool, progress: Progress | None,
    *, channel: int | None,
) -> NDArray[np.generic]:  # fmt: skip
    """Give the voxels as (z, y, x), mapped where asked for and possible."""
    if series.dtype.kind not in "buif":
        raise ReadError(f"{path} holds {series.dtype} and a volume real numbers; save its magnitude or real part")
    _check_axes(path, series)
    samples = series.shape[series.axes.index("S")] if "S" in series.axes else 1
    if channel is not None:
        check_channel(path, channel, samples)
    if series.dataoffset is None:
        return _packed(path, series, mmap, progress, samples=samples, channel=channel)
    data = _contiguous(path, tiff.byteorder, series, series.dataoffset, mmap)
    if samples > 1:
        data = one_channel(path, np.moveaxis(data, series.axes.index("S"), -1), channel)
    return data.reshape((-1, *_plane(series)))


def _packed(
    path: Path, series: tifffile.TiffPageSeries, mmap: bool, progress: Progress | None,
    *, samples: int, channel: int | None,
) -> NDArray[np.generic]:  # fmt: skip
    """Read compressed, tiled or scattered slices one by one."""
    shape = (series.size // (samples * series.sizes["height"] * series.sizes["width"]), *_plane(series))
    source = TiffPages(path, shape, series.dtype, per_page=shape[0] // len(series.pages), channel=channel)
    if mmap:
        source[0:1, :, :]  # what cannot be decoded at all is said at once
    return voxels(source, mmap=mmap, progress=progress)


def _plane(series: tifffile.TiffPageSeries) -> tuple[int, int]:
    return series.sizes["height"], series.sizes["width"]


def _check_axes(path: Path, series: tifffile.TiffPageSeries) -> None:
    longer = [(axis, size) for axis, size in zip(series.axes, series.shape, strict=True) if size > 1]
    stacked = [axis for axis, _ in longer if axis not in "YXS"]
    if len(stacked) > 1 or not set(stacked) <= set(_STACKED):
        sizes = ", ".join(f"{axis}: {size}" for axis, size in longer)
        raise ReadError(
            f"{path} has more than the axes z, y, x ({sizes}; C = channels, T = times); "
            "save one channel and time to a file of its own"
        )


def _contiguous(
    path: Path, byteorder: Literal["<", ">"], series: tifffile.TiffPageSeries, offset: int, mmap: bool
) -> NDArray[Any]:
    """Map or read voxels that lie in the file one behind the other as they are."""
    dtype: np.dtype[Any] = series.dtype.newbyteorder(byteorder)
    if mmap and dtype.isnative:
        return np.memmap(path, dtype, "r", offset=offset, shape=series.shape)
    return voxels(Raw(path, series.shape, dtype, offset), mmap=mmap)


def _calibration(tiff: tifffile.TiffFile, items: dict[str, str]) -> tuple[Calibration, Note]:
    """Read voxel size and history: ImageJ's, OME's, the microscope's or the plain tags."""
    page = tiff.pages.first
    x, y = (_fraction(page, name) for name in ("XResolution", "YResolution"))
    unit = int(page.tags.valueof("ResolutionUnit", 2))
    if items:
        info = (tiff.imagej_metadata or {}).get("Info", "")
        return from_imagej(items, x, y, unit), from_text(info if isinstance(info, str) else "")
    if tiff.is_ome and tiff.ome_metadata:
        return from_ome(tiff.ome_metadata), from_text(ome_description(tiff.ome_metadata))
    tags = read_vendor(tiff)
    if tags is not None:
        return calibrated(tags), Note(history=(acquisition(tags),))
    return from_resolution(x, y, unit), Note()


def _fraction(page: tifffile.TiffPage, name: str) -> Fraction | None:
    value = page.tags.valueof(name)
    return Fraction(*value) if isinstance(value, tuple) and len(value) == 2 and value[1] else None
