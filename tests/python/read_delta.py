"""Prints a Delta table's rows in a canonical form, read by a program that had no part in writing it.

    read_delta.py TABLE [--engine duckdb|deltalake] [--columns a,b] [--sum]

TABLE is a folder or an hdfs:// address. Rows come as JSON objects, one a line, sorted as text; with --sum, as one object
with their number and a checksum that does not depend on their order.

Who reads what:

* `deltalake`: delta-rs follows the log, PyArrow reads the Parquet files.
* `duckdb`: this script follows the log (`snapshot`), DuckDB reads the Parquet files and the log's checkpoints. DuckDB has
  an extension that reads Delta itself, but it is downloaded from a server that is not a package registry, so it is not
  used. What this misses: DuckDB's own reading of the log. A table on HDFS is copied to a local folder first.

A table feature that `snapshot` does not know is an error and never ignored.
"""

import argparse
import datetime
import decimal
import hashlib
import json
import os
import shutil
import sys
import tempfile
import urllib.parse

import duckdb
import pyarrow as pa

READER_VERSION_MAX = 3
READER_FEATURES = {"timestampNtz"}  # changes the type of a column, and nothing about how files are read
EPOCH = datetime.datetime(1970, 1, 1)
ROWS_PER_BATCH = 65_536


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--engine", choices=["duckdb", "deltalake"], default="duckdb")
    parser.add_argument("--columns", help="comma-separated; all when left out")
    parser.add_argument("--sum", action="store_true", help="the number of rows and a checksum instead of rows")
    arguments = parser.parse_args()
    columns = arguments.columns.split(",") if arguments.columns else None
    batches = (with_duckdb if arguments.engine == "duckdb" else with_deltalake)(arguments.table, columns)
    if arguments.sum:
        count, total = 0, 0
        for line in lines(batches):
            count += 1
            total += int.from_bytes(hashlib.sha256(line.encode()).digest()[:16], "big")
        print(json.dumps({"rows": count, "checksum": f"{total % 2**128:032x}"}))
    else:
        for line in sorted(lines(batches)):
            print(line)


def with_deltalake(table, columns):
    from deltalake import DeltaTable

    dataset = DeltaTable(table).to_pyarrow_dataset()
    yield from dataset.to_batches(columns=columns, batch_size=ROWS_PER_BATCH)


def with_duckdb(table, columns):
    with tempfile.TemporaryDirectory(prefix="sluice-read-") as copy:
        if "://" in table:
            download(table, copy)
            table = copy
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        schema, partition_columns, files = snapshot(connection, table)
        names = columns or [field["name"] for field in schema]
        types = {field["name"]: field["type"] for field in schema}
        for name in names:
            if name not in types:
                sys.exit(f"table {table} has no column {name!r}; it has {', '.join(types)}")
        for path, partition in files:
            wanted = ", ".join(
                constant(partition.get(name), types[name]) + " AS " + quoted(name)
                if name in partition_columns
                else quoted(name)
                for name in names
            )
            yield from connection.execute(
                f"SELECT {wanted} FROM read_parquet(?, hive_partitioning = false)", [path]
            ).to_arrow_reader(ROWS_PER_BATCH)


def snapshot(connection, table):
    """A table's columns, its partition columns, and its files with their partition values, by the Delta protocol."""
    log = os.path.join(table, "_delta_log")
    if not os.path.isdir(log):
        sys.exit(f"there is no Delta table at {table}")
    names = sorted(os.listdir(log))
    metadata, protocol, files = None, None, {}

    def apply(action):
        nonlocal metadata, protocol
        if action.get("metaData"):
            metadata = action["metaData"]
        if action.get("protocol"):
            protocol = action["protocol"]
        if action.get("remove"):
            files.pop(action["remove"]["path"], None)
        if action.get("add"):
            files[action["add"]["path"]] = action["add"]

    checkpoint = max((name.split(".")[0] for name in names if name.endswith(".parquet")), default=None)
    if checkpoint:
        parts = [os.path.join(log, name) for name in names if name.startswith(checkpoint) and name.endswith(".parquet")]
        reader = connection.execute("SELECT * FROM read_parquet(?)", [parts]).to_arrow_reader(ROWS_PER_BATCH)
        for batch in reader:
            for action in batch.to_pylist():
                if action.get("sidecar"):
                    sys.exit(f"table {table} has a checkpoint of version 2, which this reader does not know")
                for kind, name in (("add", "partitionValues"), ("metaData", "configuration")):
                    if action.get(kind):  # a Parquet map comes as pairs
                        action[kind][name] = dict(action[kind][name] or [])
                apply(action)
    expected = int(checkpoint) + 1 if checkpoint else 0
    for name in names:
        if not name.endswith(".json") or len(name) != 25 or int(name[:20]) < expected:
            continue
        if int(name[:20]) != expected:
            sys.exit(f"table {table}: version {expected} is missing from the log")
        expected += 1
        with open(os.path.join(log, name), encoding="utf-8") as commit:
            for line in commit:
                apply(json.loads(line))
    check_features(table, metadata, protocol, files)
    schema = json.loads(metadata["schemaString"])["fields"]
    paths = [(os.path.join(table, urllib.parse.unquote(path)), add["partitionValues"]) for path, add in files.items()]
    return schema, metadata["partitionColumns"], sorted(paths, key=lambda file: file[0])


def check_features(table, metadata, protocol, files):
    if metadata is None or protocol is None:
        sys.exit(f"table {table}: the log has no metaData or no protocol")
    unknown = set(protocol.get("readerFeatures") or []) - READER_FEATURES
    if protocol["minReaderVersion"] > READER_VERSION_MAX or unknown:
        sys.exit(f"table {table} needs what this reader does not know: {protocol}")
    if (metadata.get("configuration") or {}).get("delta.columnMapping.mode", "none") != "none":
        sys.exit(f"table {table} maps its columns' names, which this reader does not know")
    if any(add.get("deletionVector") for add in files.values()):
        sys.exit(f"table {table} has deletion vectors, which this reader does not know")


def constant(text, kind):
    """A partition value, which the log keeps as text, in SQL."""
    if text is None or text == "":
        return f"CAST(NULL AS {SQL_TYPES.get(kind, kind)})"
    if kind == "binary":
        return "encode('" + text.replace("'", "''") + "')"
    return "CAST('" + text.replace("'", "''") + f"' AS {SQL_TYPES.get(kind, kind)})"


SQL_TYPES = {
    "string": "VARCHAR", "long": "BIGINT", "integer": "INTEGER", "short": "SMALLINT", "byte": "TINYINT",
    "float": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN", "binary": "BLOB", "date": "DATE",
    "timestamp": "TIMESTAMPTZ", "timestamp_ntz": "TIMESTAMP",
}  # fmt: skip


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def download(table, folder):
    """Copies a table's folder with delta-rs' file system, the one that reaches HDFS without a Hadoop installation."""
    import pyarrow.fs
    from deltalake.fs import DeltaStorageHandler

    source = pyarrow.fs.PyFileSystem(DeltaStorageHandler(table))
    left = [""]
    while left:
        for entry in source.get_file_info(pyarrow.fs.FileSelector(left.pop())):
            target = os.path.join(folder, entry.path)
            if entry.type == pyarrow.fs.FileType.Directory:
                os.makedirs(target, exist_ok=True)
                left.append(entry.path)
            else:
                with source.open_input_stream(entry.path) as reader, open(target, "wb") as writer:
                    shutil.copyfileobj(reader, writer)


def lines(batches):
    for batch in batches:
        columns = [values(batch.column(index)) for index in range(batch.num_columns)]
        for row in zip(*columns):
            yield json.dumps(dict(zip(batch.schema.names, row)), ensure_ascii=False, separators=(",", ":"))


def values(column):
    """A column's values in canonical form: what JSON has no type for becomes text."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Not through datetime with a time zone: that asks for a time zone database.
        suffix = "Z" if kind.tz else ""
        micros = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).to_pylist()
        times = [None if value is None else EPOCH + datetime.timedelta(microseconds=value) for value in micros]
        return [time and time.isoformat("T", "microseconds") + suffix for time in times]
    return [canonical(value) for value in column.to_pylist()]


def canonical(value):
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # nan, inf and -inf are no JSON
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(inner) for inner in value]
    return value


if __name__ == "__main__":
    main()
    # All is said. PyArrow's threads, which may still hold delta-rs' file system, now and then abort the interpreter's own
    # way out ("terminate called without an active exception"), so it is not taken.
    sys.stdout.flush()
    os._exit(0)
