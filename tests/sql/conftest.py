"""One Spark for all tests of this folder, an empty warehouse for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_spark import LocalSpark, Warehouse, local_spark


@pytest.fixture(scope="package")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSpark]:
    """Spark without Kafka, HDFS or a Thrift server."""
    with local_spark(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture
def warehouse(spark: LocalSpark, tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return spark.warehouse(tmp_path)
