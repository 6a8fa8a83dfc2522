"""Runner.read_table: a table read by a child that opens no model and may start no thread."""

import csv
import datetime
import decimal
import io
from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from registry.reports import Unusable, table
from registry.runner.frames import Frame
from registry.sandbox import ModelRefused, SandboxError


@pytest.fixture
def read(real_runner, artifact):
    def read(content):
        return real_runner.read_table(artifact(content), deadline=20)

    return read


def as_parquet(columns, **options):
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def test_it_works(read):
    assert read("a,b\n1,x\n2,\n") == {
        "columns": {"a": ["1", "2"], "b": ["x", ""]},
        "rows": 2,
        "read": 2,
        "typed": False,
        "dates": [],
    }


@pytest.mark.parametrize(
    "content",
    [
        b"a;b\n1;x\n",
        b"a\tb\n1\tx\n",
        b"a|b\r\n1|x\r\n",
        b"\xef\xbb\xbfa,b\n1,x\n",
        "a,b\n1,x\n".encode("utf-16"),
        b'"a","b"\n"1","x"\n',
        b"a , b\n\n1,x\n\n",
        b"a,b\n1,x",
    ],
)
def test_the_dialects_of_csv(read, content):
    assert read(content)["columns"] == {"a": ["1"], "b": ["x"]}


def test_quoted_values_keep_what_is_in_them(read):
    file = io.StringIO()
    csv.writer(file).writerows([["a,b", 'c"d'], ["1\n2", "  é  "]])

    assert read(file.getvalue())["columns"] == {"a,b": ["1\n2"], 'c"d': ["  é  "]}


def test_the_first_5000_rows_are_read(read):
    of_csv = read("a\n" + "1\n" * 6000)
    of_parquet = read(as_parquet({"a": np.arange(6000)}))

    assert (of_csv["rows"], of_csv["read"]) == (6000, 5000)
    assert (of_parquet["rows"], of_parquet["read"]) == (6000, 5000)
    assert of_parquet["columns"]["a"] == list(range(5000))


def test_of_a_wide_table_fewer(read):
    found = read(as_parquet({f"c{i}": np.arange(1500) for i in range(1000)}))

    assert (found["rows"], found["read"]) == (1500, 1000)


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_parquet_in_each_compression(read, compression):
    found = read(as_parquet({"a": [1, None, 3]}, compression=compression))

    assert found["typed"]
    assert found["columns"] == {"a": [1, None, 3]}


def test_the_types_of_parquet_become_plain(read):
    day, moment = (
        datetime.date(2024, 1, 31),
        datetime.datetime(2024, 1, 31, 12, tzinfo=datetime.UTC),
    )
    columns = {
        "float": [1.5, float("nan"), float("inf")],
        "truth": [True, None, False],
        "word": pa.array(["u", None, "u"]).dictionary_encode(),
        "day": [day] * 3,
        "moment": pa.array([moment] * 3, pa.timestamp("ns", tz="Europe/Berlin")),
        "decimal": [decimal.Decimal("1.5")] * 3,
        "list": [[1], [2], [3]],
        "large": pa.array([2**63] * 3, pa.uint64()),
    }

    found = read(as_parquet(columns))

    assert found["dates"] == ["day", "moment"]
    assert found["columns"] == {
        "float": [1.5, None, "inf"],
        "truth": [True, None, False],
        "word": ["u", None, "u"],
        "day": ["2024-01-31"] * 3,
        "moment": ["2024-01-31T12:00:00"] * 3,
        "decimal": [1.5] * 3,
        "list": ["[1]", "[2]", "[3]"],
        "large": [2.0**63] * 3,
    }


def test_a_data_frame_of_pandas(read):
    frame = pd.DataFrame({"x": pd.Categorical(["a", None]), "n": pd.array([1, None], "Int64")})

    assert read(frame.to_parquet())["columns"] == {"x": ["a", None], "n": [1, None]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The table is empty: its first line must name the columns."),
        (b"a,b\n", "The table has no rows below its header."),
        (b"a,b\n1,2\n1\n", "Row 2 has 1 values, the header names 2 columns."),
        (b"a,a\n1,2\n", "Two columns of the table are named a."),
        (b"a\n\xe9\n", "The table is neither Parquet nor UTF-8 text (line 2). Save it as CSV in"),
        (b"a\n\0\n", "The table is neither Parquet nor CSV: it holds binary zeros."),
        (b"PK\x03\x04\xff", "The table is neither Parquet nor UTF-8 text (line 1)."),
        (b"a\n" + b"x" * 200_000, "Line 2 is no CSV: field larger than field limit (131072)."),
        (b",".join(b"%d" % i for i in range(2001)) + b"\n1\n", "The table has 2001 columns; at"),
        (b"PAR1" + b"\0" * 50, "The Parquet file cannot be read: Parquet magic bytes not found"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(read, content, reason):
    with pytest.raises(ModelRefused) as caught:
        read(content)

    assert caught.value.code == "sample_unreadable"
    assert caught.value.reason.startswith(reason)


def test_broken_parquet_harms_nobody(read):
    whole = as_parquet({"a": np.arange(1000), "b": ["x"] * 1000})
    random = np.random.default_rng(0)

    for _ in range(40):
        broken = bytearray(whole)
        for position in random.integers(4, len(whole) - 4, 8):
            broken[position] = random.integers(0, 256)
        with suppress(SandboxError):
            read(bytes(broken))

    assert read(whole)["read"] == 1000


def test_a_bomb_is_refused(read):
    bomb = as_parquet({"a": ["x" * 1_000_000] * 500}, compression="zstd")
    assert len(bomb) < 100_000

    with pytest.raises(ModelRefused) as caught:
        read(bomb)

    assert caught.value.code == "sample_unreadable"


@pytest.mark.parametrize(
    "told",
    [
        b"[]",
        b"not json",
        b"{}",
        b'{"columns": {"a": [1]}, "rows": 1, "read": 2, "dates": []}',
        b'{"columns": {"a": [1]}, "rows": 9, "read": 2, "dates": []}',
        b'{"columns": {"a": [[1]]}, "rows": 1, "read": 1, "dates": []}',
        b'{"columns": {"a": [1], "a\\u200b": [1]}, "rows": 1, "read": 1, "dates": []}',
        b'{"columns": {}, "rows": 1, "read": 1, "dates": []}',
        b'{"columns": {"a": [1]}, "rows": true, "read": 1, "dates": []}',
    ],
)
def test_a_report_of_another_shape_is_refused(told):
    with pytest.raises(Unusable):
        table(Frame({}, memoryview(told)))
