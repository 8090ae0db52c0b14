"""Rows that DuckDB computes over a dbt project's events and seeds: one line of JSON for each query of a folder.

Usage: expected_tables.py PROJECT QUERIES
"""

import json
import pathlib
import sys

import duckdb

project, queries = map(pathlib.Path, sys.argv[1:])
db = duckdb.connect()
for events in sorted(project.glob("events/*.jsonl")):
    db.execute(f"create table {events.stem} as select * from read_json('{events}', format='newline_delimited')")
for seed in sorted(project.glob("seeds/*.csv")):
    db.execute(f"create table {seed.stem} as select * from read_csv('{seed}', all_varchar=true)")


def text(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


for query in sorted(queries.glob("*.sql")):
    rows = sorted(",".join(map(text, row)) for row in db.execute(query.read_text()).fetchall())
    print(json.dumps({"table": query.stem, "rows": rows}))
