"""Augmentations: random changes of the training rows, each sample with draws of its own."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import field_validator, model_validator

from engine.parts.part import Count, Natural, Part, Shape, ShapeError, part, setting

ROTATION_STEP = 0.25
"""Degrees between two angles of RandomRotation, about: each angle that there is has a table of pixels."""


class Augmentation(Part):
    """A random change of a batch on its device; its draws come from (seed, epoch, part), row i for sample i.

    Images are augmented after bytes are scaled to [0, 1], and other numbers by the largest of the training images
    where that is above 1, and before mean and standard deviation are applied; rows of a table after they are scaled.
    """

    family: ClassVar[str] = "augmentation"
    images_only: ClassVar[bool] = True
    steady: ClassVar[bool] = False
    """Whether it is no random change: it then belongs to validation and prediction as well."""
    useful: ClassVar[str] = ""
    """What makes one useful that changes nothing."""

    def fits(self, shape: Shape) -> None:
        """Raise ShapeError where samples of this shape, channels first, cannot be changed so."""

    def idle(self, shape: Shape) -> bool:
        """Whether these settings change no sample of this shape."""
        return False


class _Sized(Augmentation):
    """What cuts a piece out of an image and gives it a size. Networks expect the images that validation has, so it is
    the image's own."""

    size: Count | list[Count] | None = setting(
        None, help="height and width of the result; left out: the image's own, and it can be no other"
    )

    @field_validator("size")
    @classmethod
    def _one_or_two(cls, size: int | list[int] | None) -> int | list[int] | None:
        if isinstance(size, list) and len(size) not in (1, 2):
            raise ValueError("size is one number, or two: [height, width]")
        return size

    def fits(self, shape: Shape) -> None:
        given = self.size if isinstance(self.size, list) else [self.size]
        if self.size is not None and tuple((given * 2)[:2]) != tuple(shape[-2:]):
            raise ShapeError(
                f"{self.type_name()} makes images of {' x '.join(map(str, (given * 2)[:2]))}, "
                f"but validation has them of {shape[-2]} x {shape[-1]}",
                "leave size out: it is then the image's own",
            )


class _Rectangle(Augmentation):
    """What draws a rectangle of random area and shape, by its own `scale` and `ratio`."""

    @field_validator("scale", check_fields=False)
    @classmethod
    def _shares(cls, scale: list[float]) -> list[float]:
        return in_order("scale", scale, 1)

    @field_validator("ratio", check_fields=False)
    @classmethod
    def _range(cls, ratio: list[float]) -> list[float]:
        return in_order("ratio", ratio)


def in_order(name: str, values: list[float], most: float = math.inf) -> list[float]:
    """A range of sizes; raises ValueError where it is none."""
    if len(values) != 2 or not 0 < values[0] <= values[1] <= most or math.isinf(values[1]):
        bound = f" and at most {most:g}" if math.isfinite(most) else ""
        raise ValueError(f"{name} is two numbers above 0{bound}, the smaller first, such as [0.5, 1.0]")
    return values


@part
class RandomRotation(Augmentation):
    """Turns each image about its centre by an angle of its own, drawn evenly from -degrees to degrees.

    Angles lie about 0.25 degrees apart, so that the pixels of each angle are looked up in a table. What comes from
    outside is `fill`. Shapes: (C, H, W), kept. Units: degrees, counter-clockwise.
    """

    useful: ClassVar[str] = "give degrees above 0"

    degrees: float = setting(10.0, help="largest angle, either way", ge=0, le=180, smaller="tamer", larger="wilder")
    interpolation: Literal["nearest", "bilinear"] = setting(
        "nearest",
        help="a pixel is the nearest of the image, or a mean of the nearest four: smoother, many times slower",
    )
    fill: float = setting(0.0, help="value of the corners; 0 is black, 1 white")

    @property
    def turns(self) -> int:
        """Angles on either side of 0."""
        return max(1, round(self.degrees / ROTATION_STEP)) if self.degrees else 0

    def idle(self, shape: Shape) -> bool:
        return self.degrees == 0


class _Flip(Augmentation):
    """What the two flips share."""

    useful: ClassVar[str] = "give p above 0"

    p: float = setting(0.5, help="share of images that are mirrored", ge=0, le=1)

    def idle(self, shape: Shape) -> bool:
        return self.p == 0


@part
class RandomHorizontalFlip(_Flip):
    """Mirrors each image left to right with probability p. Not for digits or letters.

    Shapes: (C, H, W), kept.
    """


@part
class RandomVerticalFlip(_Flip):
    """Mirrors each image top to bottom with probability p: for pictures without an up, such as those from above.

    Not for digits or letters. Shapes: (C, H, W), kept.
    """


@part
class RandomResizedCrop(_Sized, _Rectangle):
    """Cuts out a rectangle of random place, area and shape, and stretches it to the size of the image.

    The area is drawn evenly from `scale` shares of the image, the logarithm of width / height evenly from that of
    `ratio`; what does not fit is drawn again, after ten times the largest piece in the middle is taken.
    Shapes: (C, H, W), kept.

    Source: Szegedy et al., Going deeper with convolutions, arXiv:1409.4842.
    """

    useful: ClassVar[str] = "let scale begin below 1"

    scale: list[float] = setting([0.08, 1.0], help="smallest and largest area, as shares of the image's")
    ratio: list[float] = setting([3 / 4, 4 / 3], help="smallest and largest width / height")
    interpolation: Literal["nearest", "bilinear"] = setting(
        "bilinear", help="a pixel is a mean of the nearest four, or the nearest of the image: rougher, faster"
    )

    def idle(self, shape: Shape) -> bool:
        return self.scale[0] == 1 and self.ratio == [shape[-1] / shape[-2]] * 2


@part
class RandomCrop(_Sized):
    """Moves each image by a random whole number of pixels: pads it, and cuts its own size out at random.

    Shapes: (C, H, W), kept. Units: pixels. Usual for small pictures: padding 4 of 32 x 32.
    """

    useful: ClassVar[str] = "give padding, such as 4"

    padding: Natural | list[Natural] | None = setting(
        None, help="pixels put around the image: one number, [left and right, top and bottom], or all four from left on"
    )
    fill: float = setting(0.0, help="value of constant padding; 0 is black, 1 white")
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = setting(
        "constant", help="`fill`, the outermost pixel again, or the mirrored image, without or with its outermost pixel"
    )

    @field_validator("padding")
    @classmethod
    def _sides(cls, padding: int | list[int] | None) -> int | list[int] | None:
        if isinstance(padding, list) and len(padding) not in (1, 2, 4):
            raise ValueError("padding is one number, two or four")
        return padding

    @property
    def around(self) -> tuple[int, int, int, int]:
        """Padding at left, top, right, bottom."""
        given = self.padding if isinstance(self.padding, list) else [self.padding or 0]
        left, top, right, bottom = (given * (4 // len(given)))[:4]
        return left, top, right, bottom

    def fits(self, shape: Shape) -> None:
        super().fits(shape)
        left, top, right, bottom = self.around
        mirrors = self.padding_mode in ("reflect", "symmetric")
        for pad, side in ((max(left, right), shape[-1]), (max(top, bottom), shape[-2])):
            if pad > side - (self.padding_mode == "reflect"):
                image = f"an image of {shape[-2]} x {shape[-1]}"
                lacks = f"has no {pad} pixels to mirror" if mirrors else f"is left empty by {pad} pixels of padding"
                raise ShapeError(f"{image} {lacks}", "use less padding")

    def idle(self, shape: Shape) -> bool:
        return not any(self.around)


@part
class ColorJitter(Augmentation):
    """Changes brightness, contrast, saturation and hue of each image, in this order, by draws of its own.

    x the image in [0, 1], grey = 0.2989 R + 0.587 G + 0.114 B, f drawn evenly from [max(0, 1 - s), 1 + s], s the
    setting: brightness f x; contrast f x + (1 - f) mean(grey); saturation f x + (1 - f) grey; each cut to [0, 1].
    Hue, in HSV, moves by a share of the circle drawn from [-hue, hue]. Images that do not have three channels keep
    saturation and hue, and their grey is the mean of the channels. Shapes: (C, H, W), kept.
    """

    useful: ClassVar[str] = "give brightness or contrast above 0; saturation and hue need three channels"

    brightness: float = setting(0.0, help="how far the factor of the brightness lies from 1 at most", ge=0)
    contrast: float = setting(0.0, help="how far the factor of the contrast lies from 1 at most", ge=0)
    saturation: float = setting(0.0, help="how far the factor of the saturation lies from 1 at most", ge=0)
    hue: float = setting(0.0, help="largest turn of the hue, as a share of the whole circle", ge=0, le=0.5)

    def idle(self, shape: Shape) -> bool:
        return not (self.brightness or self.contrast or (shape[0] == 3 and (self.saturation or self.hue)))


@part
class RandomErasing(_Rectangle):
    """Paints over a rectangle of random place, area and shape in each image, with probability p.

    The area is drawn evenly from `scale` shares of the image, the logarithm of height / width evenly from that of
    `ratio`; what does not fit is drawn again, ten times at most. Shapes: (C, H, W), kept.

    Source: Zhong et al., Random erasing data augmentation, arXiv:1708.04896.
    """

    useful: ClassVar[str] = "give p above 0"

    p: float = setting(0.5, help="share of images that lose a piece", ge=0, le=1)
    scale: list[float] = setting([0.02, 0.33], help="smallest and largest area, as shares of the image's")
    ratio: list[float] = setting([0.3, 3.3], help="smallest and largest height / width")
    value: float | Literal["random"] = setting(
        0.0, help="what is painted: 0 is black, 1 white; `random` is normal noise of mean 0 and variance 1"
    )

    def idle(self, shape: Shape) -> bool:
        return self.p == 0 or 1 in shape[-2:]


@part
class GaussianNoise(Augmentation):
    """Adds normal noise to every value: x + std * e, e of mean 0 and variance 1.

    e is pieced together from a stock of 262,144 numbers that lie as normal ones do, at places drawn for each sample.
    Any shape, kept. Units of std: the brightest pixel is 1 (255 of bytes, else the largest value of the training
    images, or 1 where all are smaller) for images; standard deviations for columns that are standardised.
    """

    images_only: ClassVar[bool] = False
    useful: ClassVar[str] = "give std above 0"

    std: float = setting(0.1, help="standard deviation of the noise", ge=0, log=True, smaller="tamer", larger="wilder")
    clip: bool = setting(False, help="cut the result to [0, 1]; for images alone")

    def idle(self, shape: Shape) -> bool:
        return self.std == 0


@part
class Mixup(Augmentation):
    """Mixes every sample of a batch with another one, and their losses in the same shares.

    x = w x_i + (1 - w) x_j, loss = w L(y_i) + (1 - w) L(y_j), w from Beta(alpha, alpha) once a batch, j a random order
    of the batch; both are drawn from (seed, epoch, step). train_loss is the mixed loss, and stays above val_loss;
    the denominators of a weighted mean are mixed alike. Any shape, kept.

    Source: Zhang et al., mixup: beyond empirical risk minimization, arXiv:1710.09412.
    """

    images_only: ClassVar[bool] = False

    alpha: float = setting(
        1.0, help="shape of the shares: 1 draws them evenly", gt=0, log=True, smaller="mixes less", larger="mixes more"
    )


@part
class Normalize(Augmentation):
    """Takes a mean from every channel and divides it by a standard deviation: (x - mean) / std. Nothing is random.

    So that they fit the same network, it does so to validation, test and new rows as well. `data.normalize` comes
    after it, and is usually `none` then, which brings images of numbers above 1 back to their own scale.
    Shapes: (C, H, W), kept; mean and std: one number, or one a channel.
    """

    steady: ClassVar[bool] = True
    useful: ClassVar[str] = "give mean and std, or use data.normalize"

    mean: list[float] = setting(help="what is taken from each channel, in units of [0, 1]")
    std: list[float] = setting(help="what each channel is divided by, in units of [0, 1]")

    @model_validator(mode="after")
    def _as_many(self) -> Normalize:
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} means but {len(self.std)} standard deviations: give one of each")
        if not all(value > 0 for value in self.std):
            raise ValueError(f"a standard deviation in std is above 0, not {min(self.std):g}")
        return self

    def fits(self, shape: Shape) -> None:
        if len(self.mean) not in (1, shape[0]):
            raise ShapeError(
                f"{len(self.mean)} means and standard deviations, but images of {shape[0]} channel"
                f"{'s' * (shape[0] > 1)}",
                "give one of each, or one for every channel",
            )

    def idle(self, shape: Shape) -> bool:
        return set(self.mean) == {0.0} and set(self.std) == {1.0}
