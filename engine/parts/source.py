"""Sources: where rows come from. `engine/data/` has one reader under the same name."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.parts.part import Count, Part, part, setting

PATH_HELP = "file, relative to the recipe's folder"
TARGET_HELP = "column to predict, or a list of columns"
FEATURES_HELP = "columns to predict from; left out: all but the target"
SIZE_HELP = "what images are scaled to, one number or [height, width]"
CHANNELS_HELP = "1 for grey, 3 for colour"


class Source(Part):
    """A place that rows are read from; `engine/data/` has one reader under the same name."""

    family: ClassVar[str] = "source"


@part
class Builtin(Source):
    """A small data set that comes with goodfit: digits, iris, wine, breast_cancer or diabetes."""

    name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"] = setting(help="which one")


class _Table(Source):
    """What tables in files share."""

    path: str = setting(help=PATH_HELP)
    target: str | list[str] = setting(help=TARGET_HELP)
    features: list[str] | None = setting(None, help=FEATURES_HELP)
    size: Count | list[Count] | None = setting(None, help=f"for an image column: {SIZE_HELP}")
    channels: Literal[1, 3] | None = setting(None, help=f"for an image column: {CHANNELS_HELP}")


@part
class CSV(_Table):
    """A table in a text file with a header line, its columns parted by commas."""


@part
class Parquet(_Table):
    """A table in a Parquet file."""


@part
class NPZ(Source):
    """Arrays in a NumPy archive: `x` and `y`, or `x_train`, `y_train`, `x_val`, `y_val`, `x_test`, `y_test`.

    Features are (N, D), or images (N, H, W) or (N, C, H, W); uint8 is read as [0, 1].
    """

    path: str = setting(help=PATH_HELP)
    features: str = setting("x", help="name of the array of features")
    target: str = setting("y", help="name of the array of targets")


@part
class NPY(Source):
    """Two arrays in NumPy files, one of features and one of targets.

    Features are (N, D), or images (N, H, W) or (N, C, H, W); uint8 is read as [0, 1].
    """

    features: str = setting(help="file of the features, relative to the recipe's folder")
    target: str = setting(help="file of the targets, relative to the recipe's folder")


@part
class ImageFolder(Source):
    """Image files, in one subfolder a class.

    Subfolders that are all named train, validation (or val) and test are parts of the data, each with a subfolder a
    class, and `split` is not needed for them. Folders in a class's folder are searched too; hidden files are not.
    """

    path: str = setting(help="folder, relative to the recipe's folder")
    size: Count | list[Count] = setting(help=SIZE_HELP)
    channels: Literal[1, 3] = setting(3, help=CHANNELS_HELP)
