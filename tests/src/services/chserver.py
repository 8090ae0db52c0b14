"""Runs ClickHouse's own HTTP and TCP servers out of libchdb.

    chserver.py LIBCHDB DATA_FOLDER HTTP_PORT TCP_PORT [--config-file=FILE ...]

The library's command line is clickhouse-local's, which can listen too; a query that never ends keeps it alive.
"""

import ctypes
import os
import signal
import sys

RTLD_DEEPBIND = 8  # the library brings its own allocator and C++ runtime

library, data, http_port, tcp_port = sys.argv[1:5]
signal.signal(signal.SIGTERM, signal.SIG_DFL)
query = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; "
    "SELECT sleepEachRow(3) FROM system.numbers SETTINGS max_block_size=1, max_execution_time=0 FORMAT Null"
)
arguments = [
    "clickhouse",
    "--query=" + query,
    "--listen_host=127.0.0.1",
    "--http_port=" + http_port,
    "--tcp_port=" + tcp_port,
    "--path=" + data,
    "--log-level=information",
    "--logger.console=1",
    *sys.argv[5:],
]
main = ctypes.CDLL(library, mode=os.RTLD_LAZY | RTLD_DEEPBIND).chdb_query_cmdline
main(len(arguments), (ctypes.c_char_p * len(arguments))(*[argument.encode() for argument in arguments]))
