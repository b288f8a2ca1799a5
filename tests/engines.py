"""Both engines for tests: one Spark a process, kept small, and what is equal between their results."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipelines.lake import spark_session
from pipelines.lake.configured import EngineChoice
from pipelines.lake.engines import EngineError
from tests.machine import lacking, module

SMALL = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    # Over a few rows, compiling a query takes longer than running it.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.memory": "1g",
}
SPARK = EngineChoice("spark", "local[2]", SMALL)


def need_spark() -> None:
    """Skip, or fail under CI, where there is no Java or no pyspark."""
    module("pyspark")
    try:
        spark_session.java()
    except EngineError as error:
        lacking(str(error))


def same(value: Any) -> Any:
    """A value as both engines may write it: whole numbers of any type are one, and NaN is itself."""
    if isinstance(value, Decimal | float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return str(value)
        return int(value) if value == int(value) else float(value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, dict):
        return {name: same(one) for name, one in value.items()}
    return [same(one) for one in value] if isinstance(value, list) else value


def rows(table: pa.Table) -> Counter[str]:
    """The rows of a table, in no order."""
    return Counter(repr([same(value) for value in row.values()]) for row in table.to_pylist())
