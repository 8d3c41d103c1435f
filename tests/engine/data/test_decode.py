"""One image file as an array: size, channels, orientation, odd modes, and files that are none."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from engine.data.pixels import decode
from engine.data.pixels.decode import decoded

NOISE = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def content(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def test_an_image_of_the_size_keeps_its_pixels() -> None:
    found = decoded(content(Image.fromarray(NOISE)), 12, 10, 3)
    assert found.flags.c_contiguous and found.dtype == np.uint8
    assert np.array_equal(found, np.moveaxis(NOISE, -1, 0))
    grey = decoded(content(Image.fromarray(NOISE[..., 0])), 12, 10, 1)
    assert np.array_equal(grey, NOISE[None, ..., 0])


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I"]),
    st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"]),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([1, 3]),
    st.integers(1, 8),
)
def test_any_mode_and_format(mode: str, kind: str, height: int, width: int, channels: int, turn: int) -> None:
    if mode == "I":
        image = Image.fromarray(NOISE[..., 0].astype(np.int32) * 200)
    elif mode == "I;16":
        image = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(NOISE).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = turn
    try:
        file = content(image, kind, exif=exif)
    except (OSError, ValueError, KeyError, TypeError):
        return  # a format that cannot hold it
    found = decoded(file, height, width, channels)
    assert (found.shape, found.dtype) == ((channels, height, width), np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_camera_is_held_upright(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.new("RGB", (48, 32), "black")
    image.paste("white", (0, 0, 16, 16))
    file = content(image, kind, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("L"))
    found = decoded(file, *upright.shape, 1)[0]
    assert np.abs(found.astype(int) - upright).max() <= 2
    # scaled before it is turned, or after: the same
    small = decoded(file, upright.shape[0] // 8, upright.shape[1] // 8, 1)[0]
    expected = np.asarray(Image.fromarray(upright).resize(small.shape[::-1], Image.Resampling.BILINEAR))
    assert np.abs(small.astype(int) - expected).max() <= 12


def test_16_bits_become_8() -> None:
    wide = np.array([[0, 128, 129, 257, 40_000, 65_535]], dtype=np.uint16)
    found = decoded(content(Image.fromarray(wide)), 1, 6, 1)
    assert found.tolist() == [[[0, 0, 1, 1, 156, 255]]]


def test_transparent_is_white() -> None:
    image = Image.fromarray(np.dstack([NOISE, np.zeros((12, 10), np.uint8)]))
    assert (decoded(content(image), 12, 10, 3) == 255).all()
    palette = Image.fromarray(NOISE[..., 0]).convert("P")
    file = content(palette, transparency=int(np.asarray(palette)[3, 3]))
    assert decoded(file, 12, 10, 3)[:, 3, 3].tolist() == [255, 255, 255]


def test_a_large_photo_is_shrunk_while_it_is_decoded() -> None:
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8)[:, None, None], (1, 480, 3))
    file = content(Image.fromarray(ramp), "JPEG", quality=95)
    found = decoded(file, 32, 24, 3).astype(int)
    expected = np.asarray(Image.fromarray(ramp).resize((24, 32), Image.Resampling.BOX)).astype(int)
    assert np.abs(np.moveaxis(found, 0, -1) - expected).max() <= 3


def test_pixels_are_counted_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="9000 x 9000 pixels: more than 80 million"):
        decoded(bomb, 8, 8, 1)
    monkeypatch.setattr(decode, "MOST_PIXELS", 119)
    with pytest.raises(ValueError, match="10 x 12"):
        decoded(content(Image.fromarray(NOISE)), 8, 8, 3)


def test_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="floating-point"):
        decoded(content(Image.fromarray(NOISE[..., 0].astype(np.float32)), "TIFF"), 4, 4, 1)
    with pytest.raises(ValueError, match="16 bits"):
        decoded(content(Image.fromarray(np.full((3, 3), 70_000, np.int32)), "TIFF"), 4, 4, 1)
