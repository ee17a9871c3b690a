"""A simulated FIB-SEM stack of a battery cathode with every defect known: drift, curtains, charging, noise and more."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..volume import Volume, make_volume, voxel_size
from . import _milling
from ._particles import pack, tile, tile_slice

#: Grey levels of 255: carbon-binder and pore, active material, the protective cap.
_DARK, _BRIGHT, _CAP = 70.0, 160.0, 205.0
#: Grey levels by which a phase varies inside.
_TEXTURE = 5.0
#: Point spread of the electron beam, standard deviation in pixels.
_BLUR = 0.8
#: Slices until what lies behind an open pore has lost 1/e of its brightness, and how much of it shines through.
_SHINE_DEPTH, _SHINE = 3.0, 0.45


@dataclass(frozen=True)
class Defects:
    """What went wrong on the way from the sample to the stack.

    Each defect has its own random stream, so that turning one off leaves the others as they were.

    Attributes
    ----------
    drift : step of a random walk of the field of view, pixels per slice along y and along x.
    jumps, jump : how many sudden moves, and by how many pixels.
    trend : slow drift from the first slice to the last, pixels along y (0.3 of it, bent, along x).
    curtain : standard deviation of the milling streaks as a share of the grey level.
    curtain_angle : degrees between the streaks and the y axis; positive: they run to the right on their way down.
    curtain_on : ``"gain"``: streaks multiply the grey level; ``"offset"``: they add the same everywhere.
    persistence : correlation of the streaks of neighbouring slices, 0..1.
    brightness : jitter, jumps and slopes of the brightness, as a share.
    charging : grey levels of charged tails behind edges.
    noise : standard deviation of white noise, grey levels of 255.
    outliers : share of slices that are spoilt.
    missing : slices that were milled but not imaged.
    """

    drift: float = 1.5
    jumps: int = 4
    jump: float = 8.0
    trend: float = 0.0
    curtain: float = 0.08
    curtain_angle: float = 0.0
    curtain_on: str = "gain"
    persistence: float = 0.7
    brightness: float = 0.03
    charging: float = 6.0
    noise: float = 6.0
    outliers: float = 0.02
    missing: int = 1


#: A stack as a perfect instrument would have taken it.
NO_DEFECTS = Defects(0.0, 0, 0.0, 0.0, 0.0, 0.0, "gain", 0.0, 0.0, 0.0, 0.0, 0.0, 0)


class FibsemPhantom(NamedTuple):
    """A simulated stack and its truth; `volume`, `clean` and `truth` have one grid."""

    #: uint8 stack as the instrument would give it.
    volume: Volume
    #: float32 grey levels without any defect, every slice in place.
    clean: Volume
    #: uint8 labels of the slices in place: 1 = active material, 2 = pore + carbon-binder (the cap is 0).
    truth: Volume
    #: (n, 2) voxels (y, x) to apply to each slice so that all lie as in `clean`.
    shifts: NDArray[np.float64]
    #: (n,) slices that were spoilt.
    outliers: NDArray[np.bool_]
    #: (n,) place of each slice in milled slices; a step of 2 is a missing slice.
    positions: NDArray[np.int64]


def make_fibsem(
    shape: tuple[int, int, int] = (48, 192, 192),
    *,
    geometry: Volume | None = None,
    voxel_nm: tuple[float, float, float] = (50.0, 50.0, 50.0),
    diameter_um: float = 2.8,
    active: float = 0.5,
    cap: int = 0,
    defects: Defects | None = None,
    seed: int = 0,
) -> FibsemPhantom:
    """Simulate a FIB-SEM stack whose every voxel, shift and defect is known.

    Pores that hold no carbon-binder are open: what lies behind them shines through, and moves with the slope of the
    pore from slice to slice, as in real stacks.

    Parameters
    ----------
    shape : slices, rows and columns of the stack.
    geometry : labels (1 = active material, everything else = not) to image instead of simulated particles; its shape
        and voxel size then count instead of `shape` and `voxel_nm`.
    voxel_nm : voxel size along z, y, x in nm.
    diameter_um : median particle diameter in um.
    active : volume fraction of active material asked for, 0..0.6.
    cap : rows of protective cap along the top edge, whose marks are the same in every slice; 0 = none.
    defects : what goes wrong; None = `Defects()`.
    seed : of every random choice.

    Returns
    -------
    FibsemPhantom.

    Raises
    ------
    ParameterError : a stack too small to be one, or defects that make no sense.
    """
    flaws = defects or Defects()
    if geometry is not None:
        shape = (geometry.shape[0] - flaws.missing, geometry.shape[1], geometry.shape[2])
        size = voxel_size(geometry).to("nm")
        voxel_nm = (size.z, size.y, size.x)
    _check(shape, active, cap, flaws)
    path = _milling.drift_path(
        shape[0], drift=flaws.drift, jumps=flaws.jumps, jump=flaws.jump, trend=flaws.trend, rng=_stream(seed, 1)
    )
    margin = int(np.ceil(np.abs(path).max())) + 8
    cover = _cover(
        shape, geometry, margin=margin, voxel_nm=voxel_nm, diameter_um=diameter_um, active=active,
        missing=flaws.missing, seed=seed,
    )  # fmt: skip
    stack = _Imaging(cover, path, margin=margin, cap=cap, flaws=flaws, seed=seed).run()
    step = {
        "operation": "make_fibsem", "engine": "native", "version": "simulated",
        "parameters": {
            "shape": list(shape), "voxel_nm": list(voxel_nm), "diameter_um": diameter_um, "active": active, "cap": cap,
            "seed": seed, "geometry": "given" if geometry is not None else "simulated", "defects": asdict(flaws),
        },
    }  # fmt: skip
    grey, clean, labels = (
        make_volume(data, spacing=voxel_nm, history=(step,)) for data in (stack.grey, stack.clean, stack.labels)
    )
    return FibsemPhantom(grey, clean, labels, path, stack.outliers, stack.positions)


def _check(shape: tuple[int, int, int], active: float, cap: int, flaws: Defects) -> None:
    if shape[0] < 2 or min(shape[1:]) < 32:
        raise ParameterError(f"a FIB-SEM stack needs 2 slices of 32 x 32 pixels or more, got {shape}")
    if not 0 < active <= 0.6 or not 0 <= cap < shape[1] // 2:
        raise ParameterError(f"active must lie in 0..0.6 and cap below half the rows, got {active=} and {cap=}")
    if flaws.curtain_on not in ("gain", "offset") or not 0 <= flaws.persistence < 1 or not 0 <= flaws.outliers < 0.5:
        raise ParameterError(
            f"curtain_on is 'gain' or 'offset', persistence 0..1, outliers 0..0.5, got {flaws.curtain_on!r}, "
            f"{flaws.persistence}, {flaws.outliers}"
        )


def _stream(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])


def _cover(
    shape: tuple[int, int, int],
    geometry: Volume | None,
    *,
    margin: int,
    voxel_nm: tuple[float, float, float],
    diameter_um: float,
    active: float,
    missing: int,
    seed: int,
) -> NDArray[np.uint8]:
    """Give the share of active material in each voxel (0..255) of the stack and of a margin for the drift to show."""
    if geometry is not None:
        full = np.where(np.asarray(geometry.data) == 1, np.uint8(255), np.uint8(0))
        return np.pad(full, ((0, 0), (margin, margin), (margin, margin)), mode="symmetric")
    wide = (shape[0] + missing, shape[1] + 2 * margin, shape[2] + 2 * margin)
    radius = diameter_um * 500 / voxel_nm[1]
    ratio = voxel_nm[0] / voxel_nm[1]
    return pack(wide, radius=radius, spread=0.3, fraction=active, depth_ratio=ratio, rng=_stream(seed, 2))


class _Imaging:
    """Image the slices one by one, the last first: what shines through a pore lies behind it."""

    def __init__(
        self, cover: NDArray[np.uint8], path: NDArray[np.float64], *, margin: int, cap: int, flaws: Defects, seed: int
    ) -> None:
        self._cover, self._path, self._margin, self._cap, self._flaws = cover, path, margin, cap, flaws
        count = len(path)
        inner = (count, cover.shape[1] - 2 * margin, cover.shape[2] - 2 * margin)
        self.grey = np.empty(inner, np.uint8)
        self.clean = np.empty(inner, np.float32)
        self.labels = np.empty(inner, np.uint8)
        self.positions = _positions(count, len(cover), _stream(seed, 3))
        self.outliers = _outliers(count, flaws.outliers, _stream(seed, 4))
        textures = _stream(seed, 5)
        self._in_bright = tile(textures, (2, 4, 4))
        self._in_dark = tile(textures, (0.7, 1.5, 1.5))
        self._open = tile(textures, (10, 20, 20))
        self._curtains = _milling.Curtains(flaws.persistence, flaws.curtain_angle, _stream(seed, 6))
        self._noise, self._charge, self._spoil = (_stream(seed, k) for k in (7, 8, 9))
        self._light = list(_milling.shading(count, flaws.brightness, _stream(seed, 10)))
        self._marks = _cap_marks(cap + margin, cover.shape[2], _stream(seed, 11)) if cap else None

    def run(self) -> _Imaging:
        behind = np.full(self._cover.shape[1:], 0.5, np.float32)
        number = len(self._path) - 1
        for z in range(len(self._cover) - 1, -1, -1):
            cover = self._cover[z].astype(np.float32) / 255
            scene = self._scene(z, cover, behind)
            streaks = self._curtains.next_slice(cover)
            if number >= 0 and self.positions[number] == z:
                self._take(number, scene, streaks, cover)
                number -= 1
            behind = cover + (1 - cover) * behind * np.float32(np.exp(-1 / _SHINE_DEPTH))
        return self

    def _scene(self, z: int, cover: _milling.Image, behind: _milling.Image) -> _milling.Image:
        """Give the grey levels of the bare sample."""
        shape = (cover.shape[0], cover.shape[1])
        is_open = np.clip(4 * (tile_slice(self._open, z, shape) - 0.4), 0, 1)
        dark = _DARK + _TEXTURE * 1.2 * tile_slice(self._in_dark, z, shape) * (1 - is_open)
        dark += is_open * ((_BRIGHT - _DARK) * _SHINE * behind - 25)
        bright = _BRIGHT + _TEXTURE * tile_slice(self._in_bright, z, shape)
        scene = cover * bright + (1 - cover) * dark
        if self._marks is not None:
            scene[: len(self._marks)] = self._marks
        return np.asarray(scene, np.float32)

    def _take(self, number: int, scene: _milling.Image, streaks: _milling.Image, cover: _milling.Image) -> None:
        """Take one slice: `clean` and labels in place, the grey one with all its defects."""
        inner = (slice(self._margin, scene.shape[0] - self._margin), slice(self._margin, scene.shape[1] - self._margin))
        self.clean[number] = _milling.move(scene, (0, 0), _BLUR)[inner]
        self.labels[number] = np.where(cover > 0.5, 1, 2)[inner]
        self.labels[number, : self._cap] = 0
        flaws = self._flaws
        base = scene if flaws.curtain_on == "gain" else np.float32((_DARK + _BRIGHT) / 2)
        streaky = scene + flaws.curtain * streaks * base + _milling.charging(cover, flaws.charging, self._charge)
        seen = _milling.move(streaky, (self._path[number, 0], self._path[number, 1]), _BLUR)[inner]
        self.grey[number] = self._develop(number, seen)

    def _develop(self, number: int, seen: _milling.Image) -> NDArray[np.uint8]:
        """Give the slice as the detector does: uneven light, now and then a spoilt slice, noise, whole grey levels."""
        factor, slope_y, slope_x = self._light[number]
        y, x = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in seen.shape)
        image = seen * (factor + slope_y * y[:, None] + slope_x * x[None])
        if self.outliers[number]:
            kind = _milling.SPOILT[int(self.outliers[:number].sum()) % len(_milling.SPOILT)]
            image = _milling.spoil(image, kind, self._spoil)
        image = image + self._flaws.noise * self._noise.standard_normal(image.shape, dtype=np.float32)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _positions(count: int, milled: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Leave out the missing slices, none of them at an end."""
    lost = rng.choice(np.arange(1, milled - 1), size=milled - count, replace=False)
    return np.setdiff1d(np.arange(milled), lost)


def _outliers(count: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    flags = np.zeros(count, np.bool_)
    flags[rng.choice(np.arange(1, count - 1), size=round(share * count), replace=False)] = True
    return flags


def _cap_marks(rows: int, columns: int, rng: np.random.Generator) -> _milling.Image:
    """Draw a protective cap: bright, grainy, with dark marks, the same in every slice."""
    marks = _CAP + 6 * tile(rng, (1, 2, 2), 128)[0]
    cap = np.tile(marks, (rows // 128 + 1, columns // 128 + 1))[:rows, :columns]
    for x in range(20, columns - 6, 60):
        cap[rows // 2 :, x : x + 5] = 120
    return np.asarray(cap, np.float32)
