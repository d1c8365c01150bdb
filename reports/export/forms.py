"""The forms of an export: JSON, a Python module to vendor, CSV, Markdown, Parquet."""

from __future__ import annotations

import base64
import csv
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports.export import gate
from reports.export.table import column_rows, rows
from suite.errors import UsageError

MOST_BYTES = 2_000_000  # of the module
_WIDTH = 110  # characters a line of the packed table
_SIGNS = {"yes": "✓", "no": "✗", "unknown": "?"}

Table = dict[str, Any]


def to_json(table: Table) -> bytes:
    """Return the table as JSON, a line a column and an answer."""
    parts = []
    for name, value in table.items():
        lines = isinstance(value, list) and value
        body = "[\n" + ",\n".join(map(_compact, value)) + "\n]" if lines else _compact(value)
        parts.append(f"{json.dumps(name)}: {body}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def to_python(table: Table) -> bytes:
    """Return a module that answers from the table. Raises `UsageError` where it would be too large to vendor."""
    packed = base64.b85encode(zlib.compress(_compact(table).encode(), 9)).decode()
    lines = "\n".join(packed[i : i + _WIDTH] for i in range(0, len(packed), _WIDTH))
    source = Path(gate.__file__).read_text(encoding="utf-8")
    text = source.replace('PACKED = ""\n', f'PACKED = r"""\n{lines}\n"""\n', 1).encode()
    if len(text) > MOST_BYTES:
        raise UsageError(f"the module would have {len(text)} bytes, more than {MOST_BYTES}; name fewer records")
    return text


def to_csv(table: Table) -> bytes:
    """Return a line an opcode, target and toolchain."""
    out = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows(table):
        if writer is None:
            writer = csv.DictWriter(out, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return out.getvalue().encode()


def to_markdown(table: Table) -> bytes:
    """Return a table a toolchain: a row an opcode, a column a target; `*` says that a GPU of the target was asked."""
    lines: list[str] = []
    for toolchain in dict.fromkeys(column["toolchain"] for column in table["columns"]):
        columns = [column for column in table["columns"] if column["toolchain"] == toolchain]
        found = [{row["opcode"]: _sign(row) for row in column_rows(table, column)} for column in columns]
        head = ["opcode", *(column["target"] for column in columns)]
        lines += [f"### {toolchain}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        for opcode in table["opcodes"]:
            if any(opcode in column for column in found):
                lines.append(f"| `{opcode}` | " + " | ".join(column.get(opcode, "") for column in found) + " |")
        lines.append("")
    legend = "✓ every case accepted  ✗ none  ? they differ  * a GPU of this target was asked, else the assembler alone"
    return "\n".join([*lines, legend, ""]).encode()


def to_parquet(table: Table) -> bytes:
    """Return the rows of the CSV as Parquet. Raises `UsageError` where `pyarrow` is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install -r requirements-parquet.txt") from None
    out = io.BytesIO()
    writer = None
    for column in table["columns"]:
        batch = pyarrow.Table.from_pylist(list(column_rows(table, column)))
        if batch.num_rows:
            writer = writer or pyarrow.parquet.ParquetWriter(out, batch.schema, compression="zstd")
            writer.write_table(batch)
    if writer is None:
        raise UsageError("the records hold no cell to export")
    writer.close()
    return out.getvalue()


FORMS: dict[str, Callable[[Table], bytes]] = {
    "json": to_json,
    "python": to_python,
    "csv": to_csv,
    "markdown": to_markdown,
    "parquet": to_parquet,
}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _sign(row: dict[str, Any]) -> str:
    return _SIGNS[row["supported"]] + ("*" if row["evidence"] == "hardware" else "")
