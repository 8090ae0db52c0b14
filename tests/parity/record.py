"""Asks Spark for the answer of each case in cases/*.sql and writes them to answers/*.jsonl, a line for each case.

Run by tests/parity/record, which brings the pyspark of requirements.txt. Spark runs as dbt-spark projects of today expect
it: spark.sql.ansi.enabled=false, and UTC as the session's time zone.
"""

import datetime
import decimal
import json
import logging
import os
import pathlib
import sys
import tempfile
import time

os.environ["TZ"] = "UTC"
time.tzset()

from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import Row, SparkSession  # noqa: E402
from pyspark.sql import types as t  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def cases(path):
    """The cases of a file: a line each; a line that begins with a blank goes on with the one before."""
    found = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.strip() or line.startswith("--"):
            continue
        if line[0].isspace() and found:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def query(case):
    """A case as a query: an expression is the one column v of one row."""
    return case if case.split(None, 1)[0].lower() in ("select", "with", "values") else f"select {case} as v"


def plain(value, data_type):
    """A value as JSON that no reader rounds: decimals and times are texts, structs and arrays lists, maps lists of pairs."""
    if value is None:
        return None
    if isinstance(data_type, (t.FloatType, t.DoubleType)):
        return repr(value)
    if isinstance(data_type, t.DecimalType):
        assert isinstance(value, decimal.Decimal)
        with decimal.localcontext(prec=60):
            return format(value.quantize(decimal.Decimal(1).scaleb(-data_type.scale)), "f")
    if isinstance(data_type, (t.TimestampType, t.TimestampNTZType)):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
    if isinstance(data_type, t.DateType):
        assert isinstance(value, datetime.date)
        return value.isoformat()
    if isinstance(data_type, t.BinaryType):
        return bytes(value).hex()
    if isinstance(data_type, t.ArrayType):
        return [plain(v, data_type.elementType) for v in value]
    if isinstance(data_type, t.MapType):
        return [[plain(k, data_type.keyType), plain(v, data_type.valueType)] for k, v in value.items()]
    if isinstance(data_type, t.StructType):
        assert isinstance(value, Row)
        return [plain(v, f.dataType) for v, f in zip(value, data_type.fields)]
    if isinstance(data_type, (t.DayTimeIntervalType, t.YearMonthIntervalType, t.CalendarIntervalType)):
        raise TypeError(f"{data_type.simpleString()} has no canonical form; compare it with another in the case")
    return value


def answer(spark, case):
    """What Spark says to a case."""
    try:
        frame = spark.sql(query(case))
        columns = [[f.name, f.dataType.simpleString()] for f in frame.schema.fields]
        rows = [[plain(v, f.dataType) for v, f in zip(row, frame.schema.fields)] for row in frame.collect()]
    except PySparkException as error:
        return {"sql": case, "error": error.getCondition() or type(error).__name__}
    return {"sql": case, "columns": columns, "rows": rows}


def main():
    themes = sys.argv[1:] or sorted(path.stem for path in (HERE / "cases").glob("*.sql"))
    warehouse = tempfile.mkdtemp(prefix="sluice-parity-")
    settings = {
        "spark.master": "local[1]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.ansi.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": warehouse,
        "spark.sql.crossJoin.enabled": "true",
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
    }
    builder = SparkSession.builder.appName("parity")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    logging.disable(logging.CRITICAL)  # the errors are answers
    (HERE / "answers").mkdir(exist_ok=True)
    for theme in themes:
        lines = []
        for case in cases(HERE / "cases" / f"{theme}.sql"):
            try:
                lines.append(json.dumps(answer(spark, case), ensure_ascii=False))
            except Exception as error:
                raise SystemExit(f"{theme}: {case}: {error!r}") from error
        (HERE / "answers" / f"{theme}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{theme}: {len(lines)} answers")
    (HERE / "answers" / "version").write_text(spark.version + "\n", encoding="utf-8")
    spark.stop()


main()
