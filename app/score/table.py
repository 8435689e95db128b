"""The columns of the table, and rows as an Arrow table. Knows no files."""

from collections.abc import Sequence

import pyarrow as pa

from app.score.chunks import Picture
from app.score.job import Job
from app.score.scorer import Row

_PROBABILITIES = pa.list_(pa.float64(), 10)
_DIGIT = [
    ("digit", pa.int8()),
    ("confidence", pa.float64()),
    ("abstained", pa.bool_()),
    ("reason", pa.string()),
    ("probabilities", _PROBABILITIES),
]
_READ_DIGIT = pa.struct([*_DIGIT, ("box", pa.list_(pa.int64(), 4))])
_LINE = pa.struct([("text", pa.string()), ("confidence", pa.float64()), ("digits", pa.list_(_READ_DIGIT))])
_MODEL = [("model", pa.string()), ("version", pa.int64())]

PREDICTIONS = pa.schema([("path", pa.string()), *_DIGIT, *_MODEL, ("error", pa.string())])
"""One digit of each picture: the fields of `/predict`."""
READINGS = pa.schema(
    [
        ("path", pa.string()),
        ("text", pa.string()),
        ("lines", pa.list_(_LINE)),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("truncated", pa.bool_()),
        *_MODEL,
        ("finder_version", pa.int64()),
        ("error", pa.string()),
    ]
)
"""All digits of each picture: the fields of `/read`."""


def schema_of(job: Job) -> pa.Schema:
    """Return the columns of a job's table."""
    return READINGS if job.read else PREDICTIONS


def make_table(job: Job, pictures: Sequence[Picture], rows: Sequence[Row]) -> pa.Table:
    """Return the rows of some pictures as a table. A row with an error has the path, the model and the error only."""
    shared = {"model": job.model, "version": job.version}
    schema = schema_of(job)
    columns: list[list[object]] = [[picture.path for picture in pictures]]
    columns += [[row.get(name, shared.get(name)) for row in rows] for name in schema.names[1:]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
