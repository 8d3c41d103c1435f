"""Samples that stay on disk: some rows of a raw file, in an order, gathered as they are asked for."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Index = npt.NDArray[np.int64]
CHUNK = 8 << 20
"""Bytes that one step over all samples takes."""


class Mapped:
    """Rows of a raw file, chosen by `index`, as far as an array's users need it to look like one.

    Its pages are the system's to keep or to drop, so it may be larger than the memory. A slice, or a choice of rows,
    is a plain array of its own.
    """

    def __init__(self, file: Path, stored: int, shape: tuple[int, ...], dtype: Any, index: Index) -> None:
        """`stored` rows of `shape` and `dtype` lie in the file from its start; `index` (N,) says which these are.

        The file is opened here, and stays open: it may be deleted afterwards.
        """
        self.file, self.stored, self.index = file, stored, index
        self.shape: tuple[int, ...] = (len(index), *shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._rows: Array | None = self._open()

    def _open(self) -> Array:
        shape = (self.stored, *self.shape[1:])
        if not self.stored:
            return np.zeros(shape, self.dtype)
        return np.asarray(np.memmap(self.file, self.dtype, "r", shape=shape))

    @property
    def ndim(self) -> int:
        """Axes, that of the samples among them."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all of the samples would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: Any) -> Array:
        """The chosen samples as an array in memory; `key` chooses among the samples alone."""
        if self._rows is None:  # it came from another process
            self._rows = self._open()
        found: Array = self._rows[self.index[key]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def pick(self, rows: Index) -> Mapped:
        """A choice of these samples, still on disk."""
        chosen = copy(self)
        chosen.index = self.index[rows]
        chosen.shape = (len(chosen.index), *self.shape[1:])
        chosen._rows = self._rows
        return chosen

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_rows": None}


Samples = Array | Mapped
"""Samples in memory, or on disk."""


def pick(x: Samples, rows: Index) -> Samples:
    """The samples at these rows: a copy of those in memory, a choice of those on disk."""
    return x.pick(rows) if isinstance(x, Mapped) else x[rows]


def steps(x: Samples) -> list[slice]:
    """Slices that walk over all samples, some megabytes at a time."""
    each = max(1, CHUNK // max(1, x.nbytes // max(1, len(x))))
    return [slice(start, start + each) for start in range(0, len(x), each)]
