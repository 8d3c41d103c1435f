"""Writes `engine/data/builtin/*.npz` from scikit-learn's copies of well-known data sets.

scikit-learn is a development tool only: run this in an environment of its own,

    python -m venv /tmp/sets && /tmp/sets/bin/pip install scikit-learn
    /tmp/sets/bin/python scripts/make_builtin_data.py

Each file holds `x` (rows by features), `y` (numbers, or the class names as text), `features` and `target`
(column names).
The bytes do not depend on the day: the archive's entries carry a fixed date.
"""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from sklearn import datasets

FOLDER = Path(__file__).resolve().parent.parent / "engine" / "data" / "builtin"


def plain(name: str) -> str:
    """`sepal length (cm)` as a column name: `sepal_length`."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"\(.*?\)", "", name.lower())).strip("_")


def write(name: str, **arrays: np.ndarray) -> None:
    """One compressed archive that is the same bytes every time."""
    with zipfile.ZipFile(FOLDER / f"{name}.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(entry, buffer.getvalue())
    print(name, arrays["x"].shape, (FOLDER / f"{name}.npz").stat().st_size)


def classes(name: str, target: str, names: list[str] | None = None, dtype: type = np.float64) -> None:
    """A classification set: `y` is each row's class name."""
    loaded = getattr(datasets, f"load_{name}")()
    names = names or [str(item) for item in loaded.target_names]
    write(
        name,
        x=loaded.data.astype(dtype),
        y=np.array([names[index] for index in loaded.target]),
        features=np.array([plain(str(item)) for item in loaded.feature_names]),
        target=np.array([target]),
    )


FOLDER.mkdir(parents=True, exist_ok=True)
classes("digits", "digit", dtype=np.uint8)
classes("iris", "species")
classes("wine", "cultivar", ["1", "2", "3"])
classes("breast_cancer", "diagnosis")
diabetes = datasets.load_diabetes(scaled=False)
write(
    "diabetes",
    x=diabetes.data.astype(np.float64),
    y=diabetes.target.astype(np.float64),
    features=np.array(list(diabetes.feature_names)),
    target=np.array(["progression"]),
)
