"""Writes the table with which the readers are tested: one column of each type, in four versions.

    write_sample.py TABLE
"""

import datetime
import decimal
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

SCHEMA = pa.schema(
    {
        "k": pa.int64(),
        "name": pa.string(),
        "raw": pa.binary(),
        "ratio": pa.float64(),
        "at": pa.timestamp("us", "UTC"),
        "local": pa.timestamp("us"),
        "day": pa.date32(),
        "price": pa.decimal128(12, 3),
        "list": pa.list_(pa.int32()),
        "pair": pa.struct({"a": pa.int32()}),
    }
)


def row(*values):
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, values))], schema=SCHEMA)


utc = datetime.timezone.utc
table = sys.argv[1]
one = row(
    1,
    "ü'x",
    b"\x01\xff",
    0.5,
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=utc),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    datetime.date(2026, 1, 1),
    decimal.Decimal("1.25"),
    [1, None],
    {"a": 1},
)
two = row(2, None, None, float("nan"), None, None, datetime.date(2026, 1, 2))
three = row(3, "deleted", None, 0.0, None, None, datetime.date(2026, 1, 3))
four = row(
    4, "", b"", -0.0, datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=utc), None, None, decimal.Decimal("-0.001"), [], {"a": None}
)
write_deltalake(table, pa.concat_tables([one, three]), partition_by=["day"])
write_deltalake(table, two, mode="append")
DeltaTable(table).create_checkpoint()
write_deltalake(table, four, mode="append")
DeltaTable(table).delete("k = 3")
