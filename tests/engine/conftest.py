"""No test reads or fills the cache of the person who runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("GOODFIT_CACHE")
    os.environ["GOODFIT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["GOODFIT_CACHE"]
    else:
        os.environ["GOODFIT_CACHE"] = before
