"""Many image files as samples: decoded once, then read from the cache."""

from __future__ import annotations

import hashlib
import shutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.data.cache import cache_folder
from engine.data.errors import DataError
from engine.data.pixels.contents import cores, digests, in_words
from engine.data.pixels.store import Store
from engine.data.samples import Mapped

Progress = Callable[[str, int, int | None], None]
BATCH, SECONDS = 8 << 20, 1.0
"""Bytes, and seconds of work, that go to the cache at once: so much at most is lost when the process is killed."""
MOST_NAMED = 10
"""Bad files that a message names."""


@dataclass(frozen=True)
class Size:
    """What every image is brought to."""

    height: int
    width: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width


def size_of(source: Any) -> Size:
    """The size that a source with images says. Raises DataError where it says none, or no size."""
    size, channels = source.size, source.channels
    if size is None or channels is None:
        key = "size" if size is None else "channels"
        hint = "size: 64, or [height, width]" if size is None else "1 for grey, 3 for colour"
        raise DataError(f"images need a {key}" if key == "size" else "images need channels", hint, f"data.source.{key}")
    sides = [size, size] if isinstance(size, int) else list(size)
    if len(sides) != 2:
        raise DataError(f"size has {len(sides)} lengths", "one number, or [height, width]", "data.source.size")
    return Size(sides[0], sides[1], channels)


def read_images(root: Path, names: Sequence[str], size: Size, tell: Progress, key: str) -> tuple[Mapped, str]:
    """Images by their names relative to `root`, (N, channels, height, width) uint8 on disk, and the sha256 of the lines
    `sha256  name`.

    Raises DataError at `key` with every file that is no whole image; `tell` hears how far it has come, and may raise.
    """
    found = digests(root, names, lambda done: tell("loading", done, len(names)))
    bad = {name: sha for name, sha in zip(names, found, strict=True) if isinstance(sha, str)}
    shas = [sha if isinstance(sha, bytes) else b"" for sha in found]
    from engine.data.pixels.decode import RULE

    folder = cache_folder() / "images" / f"{size.channels}x{size.height}x{size.width}-{RULE}"
    store = Store(folder, size.shape)
    try:
        rows = store.find(shas)
        missing = {sha: name for name, sha, row in zip(names, shas, rows.tolist(), strict=True) if row < 0 and sha}
        if missing:
            _check_room(folder, len(missing) * int(np.prod(size.shape)))
            bad |= _decode(root, missing, size, store, tell, len(names))
            rows = store.find(shas)
    except OSError as error:
        raise DataError(
            f"decoded images cannot be kept in {folder}: {in_words(error)}", "GOODFIT_CACHE names another folder", key
        ) from None
    for name, sha, row in zip(names, shas, rows.tolist(), strict=True):
        if row < 0 and name not in bad and sha in missing:
            bad[name] = bad.get(missing[sha], "it could not be kept")
    if bad:
        raise _unreadable({name: bad[name] for name in names if name in bad}, len(names), key)
    lines = "".join(f"{sha.hex()}  {name}\n" for name, sha in zip(names, shas, strict=True))
    return store.samples(rows), hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _decode(
    root: Path, missing: dict[bytes, str], size: Size, store: Store, tell: Progress, total: int
) -> dict[str, str]:
    """Decode files into the store; those that could not be, and why. What is done is kept, also where `tell` raises."""
    bad: dict[str, str] = {}
    keys: list[bytes] = []
    held: list[npt.NDArray[np.uint8]] = []
    batch = max(1, BATCH // int(np.prod(size.shape)))
    before, last = total - len(missing), time.monotonic()

    def keep() -> None:
        if keys:
            store.add(keys, np.stack(held))
            keys.clear()
            held.clear()

    try:
        for done, (sha, name, pixels) in enumerate(_each(root, missing, size), 1):
            if isinstance(pixels, str):
                bad[name] = pixels
            else:
                keys.append(sha)
                held.append(pixels)
            if len(keys) >= batch or time.monotonic() > last + SECONDS:
                keep()
                last = time.monotonic()
            tell("decoding", before + done, total)
    finally:
        keep()
    store.sync()
    return bad


def _each(
    root: Path, missing: dict[bytes, str], size: Size
) -> Iterator[tuple[bytes, str, npt.NDArray[np.uint8] | str]]:
    """Each file's pixels, or why there are none, in order: decoded by several threads, a few ahead of the reader."""
    from PIL import Image

    workers = cores()
    waiting: deque[tuple[bytes, str, Future[npt.NDArray[np.uint8] | str]]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter(
            "ignore", Image.DecompressionBombWarning
        )  # the pixels are counted before they are decoded
        try:
            for sha, name in missing.items():
                waiting.append((sha, name, pool.submit(_pixels, root / name, sha, size)))
                if len(waiting) > 8 * workers:
                    first, its_name, future = waiting.popleft()
                    yield first, its_name, future.result()
            for first, its_name, future in waiting:
                yield first, its_name, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pixels(path: Path, sha: bytes, size: Size) -> npt.NDArray[np.uint8] | str:
    from PIL import UnidentifiedImageError

    from engine.data.pixels.decode import decoded

    try:
        content = path.read_bytes()
        if not content:
            return "it is empty"
        if hashlib.sha256(content).digest() != sha:
            return "it changed while it was read"
        return decoded(content, size.height, size.width, size.channels)
    except UnidentifiedImageError:
        return "it is no image, or none that Pillow knows"
    except MemoryError:
        return "it does not fit into the memory"
    except Exception as error:  # decoders of damaged files raise whatever they stumble over
        words = " ".join(in_words(error).split())
        return f"it is damaged ({words[:80]})" if not isinstance(error, ValueError | OSError) else words[:100]


def _check_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(folder).free
    if needed > free:
        unit, scale = ("GB", 1e9) if needed >= 1e9 else ("MB", 1e6)
        raise DataError(
            f"decoded, the images take {needed / scale:.1f} {unit}, and {folder} has {free / scale:.1f} {unit} left",
            "make data.source.size smaller, free some space, or name another folder by GOODFIT_CACHE",
            "data.source.size",
        )


def _unreadable(bad: dict[str, str], total: int, key: str) -> DataError:
    shown = "; ".join(f"{name}: {why}" for name, why in list(bad.items())[:MOST_NAMED])
    more = f"; and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
    several = f"{len(bad)} of {total} images cannot be used" if len(bad) > 1 else "an image cannot be used"
    return DataError(
        f"{several}: {shown}{more}", "mend them or take them out; those that are decoded already stay so", key
    )
