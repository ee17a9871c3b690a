"""What may be in a Zarr folder of somebody else's: files inside of it alone, and chunks that unpack to their own size.

Every read of a Zarr passes here: `open_node` opens the folder through a store that looks at each file first, and
`guarded` gives the same array with codecs that stop where a chunk ends. Codecs that run what they unpack (numcodecs has
one for pickles) are refused, as is whatever has no bound.
"""

from __future__ import annotations

import asyncio
import dataclasses
import stat
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.storage import LocalStore

from ..errors import ReadError
from ._outside import broken
from ._unpack import BOUNDED, unpack

#: Names that work on voxels or add a checksum: what comes out has the size of what goes in, or a few times that.
_PLAIN = {"bytes", "endian", "transpose", "shuffle", "delta", "fixedscaleoffset", "quantize", "bitround", "astype",
          "packbits", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"}  # fmt: skip
_DTYPES = ("dtype", "astype", "encode_dtype", "decode_dtype")
#: Bytes of a file of metadata, and of a shard's table of contents (16 for each chunk), at most.
_MOST_TEXT, _MOST_INDEX = 2**26, 2**28
#: Above so many chunks, they must have so many bytes: each costs some time, and a header may ask for any number.
_MANY, _SMALL = 2**16, 1024


def open_node(path: Path) -> Any:
    """Open a Zarr folder for reading; an array is `guarded` already.

    Raises
    ------
    ReadError : an array that `guarded` refuses.
    """
    node = zarr.open(store=_Inside(path, read_only=True), mode="r")
    return guarded(path, node) if isinstance(node, zarr.Array) else node


def guarded(path: Path, array: Any) -> Any:
    """Give the array with codecs that unpack no more than a chunk has.

    Raises
    ------
    ReadError : chunks that hold next to nothing each, shards of more chunks than can be, or codecs without a bound.
    """
    _check_count(path, array)
    metadata, itemsize = array.metadata, array.dtype.itemsize
    if metadata.zarr_format == 2:
        most = _most(array.chunks, itemsize)
        whole, filters = most, [_safe(path, codec, codec.get_config(), most) for codec in metadata.filters or ()]
        packer = metadata.compressor and _safe(path, metadata.compressor, metadata.compressor.get_config(), most)
        changed = dataclasses.replace(metadata, compressor=packer, filters=filters or None)
    else:
        grid = metadata.chunk_grid.chunk_shape
        codecs, index = _codecs(path, metadata.codecs, grid, itemsize)
        whole, changed = _most(grid, itemsize) + index, dataclasses.replace(metadata, codecs=codecs)
    array.store_path.store.most = whole
    inner = array._async_array
    return zarr.Array(zarr.AsyncArray(metadata=changed, store_path=inner.store_path, config=inner.config))


class _Inside(LocalStore):
    """A folder whose files are looked at before they are read: links to elsewhere, pipes and endless files are not."""

    most = _MOST_TEXT

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Read a file, or a part of it."""
        self._look(key)
        return await super().get(key, prototype, byte_range)

    def _look(self, key: str) -> None:
        file = self.root / key
        try:
            found = file.stat()
        except OSError:
            return  # a chunk that is not there is empty
        if stat.S_ISDIR(found.st_mode):
            return
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise ReadError(f"{self.root} keeps {key} outside of it; put the file itself into the folder")
        if not stat.S_ISREG(found.st_mode):
            broken(self.root, f"{key} is no file")
        if found.st_size > max(self.most, _MOST_TEXT):
            broken(self.root, f"{key} has {found.st_size} bytes, more than what it stands for can have")


class _Packer(BytesBytesCodec):
    """A codec of Zarr 3 that stops at the end of the chunk."""

    is_fixed_size = False

    def __init__(self, codec: Any, name: str, extra: int) -> None:
        self._codec, self._name, self._extra = codec, name, extra

    def to_dict(self) -> Any:
        """Describe the codec as the folder does."""
        return self._codec.to_dict()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Packed sizes are not known beforehand."""
        raise NotImplementedError

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        most = _most(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().itemsize) + self._extra
        made = await asyncio.to_thread(unpack, self._name, chunk_bytes.to_bytes(), most)
        return chunk_spec.prototype.buffer.from_bytes(made)


class _Packer2:
    """The same for Zarr 2, which takes whatever has these names."""

    codec_id = "guarded"

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most

    @classmethod
    def from_config(cls, config: Any) -> _Packer2:
        """Make one of what `get_config` gives."""
        return cls(config["name"], config["most"])

    def get_config(self) -> dict[str, Any]:
        """Describe it."""
        return {"id": self.codec_id, "name": self._name, "most": self._most}

    def encode(self, buf: Any) -> NoReturn:
        """Only reading is guarded."""
        raise NotImplementedError

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Unpack a chunk."""
        return unpack(self._name, bytes(buf), self._most)


def _most(shape: Any, itemsize: int) -> int:
    """Bytes that any stage on the way to a chunk may have: data that will not pack grow a little, filters widen."""
    return 2 * int(np.prod(shape, dtype=object)) * itemsize + 2**16


def _codecs(path: Path, codecs: Any, shape: tuple[int, ...], itemsize: int) -> tuple[list[Any], int]:
    """Guard the codecs of a chunk, those within its shards too; give the bytes of its tables of contents as well."""
    made, index = [], 0
    for codec in codecs:
        if hasattr(codec, "index_codecs"):
            index = 16 * int(np.prod([n // max(by, 1) for n, by in zip(shape, codec.chunk_shape, strict=True)]))
            if index > _MOST_INDEX:
                broken(path, f"its shards promise {index // 16} chunks each")
            inner, _ = _codecs(path, codec.codecs, codec.chunk_shape, itemsize)
            made.append(dataclasses.replace(codec, codecs=tuple(inner)))
        else:
            described = codec.to_dict()
            name, more = str(described["name"]).removeprefix("numcodecs."), described.get("configuration") or {}
            _check_codec(path, name, more)
            made.append(_Packer(codec, name, index) if name in BOUNDED else codec)
    return made, index


def _safe(path: Path, codec: Any, described: dict[str, Any], most: int) -> Any:
    name = str(described["id"])
    _check_codec(path, name, described)
    return _Packer2(name, most) if name in BOUNDED else codec


def _check_codec(path: Path, name: str, described: dict[str, Any]) -> None:
    kinds = {np.dtype(described[key]).kind for key in _DTYPES if described.get(key)}
    if name not in BOUNDED | _PLAIN or not kinds <= set("buif"):
        raise ReadError(f"{path} is packed with {name}, which may unpack to anything; save it anew with zstd or blosc")


def _check_count(path: Path, array: Any) -> None:
    size = int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize
    count = int(np.prod([-(-n // max(by, 1)) for n, by in zip(array.shape, array.chunks, strict=True)], dtype=object))
    if count > _MANY and size < _SMALL:
        raise ReadError(f"{path} has {count} chunks of {size} bytes each; save it anew in larger ones")
