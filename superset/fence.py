"""Allows SQL that reads tables, and functions that compute with what they are given. Pure: no server is called.

Functions that run Java or programs, or read files of the servers' machine (java_method, reflect, in_file, xpath,
from_xml and others), are in none of the lists. A function is allowed when sqlglot knows it as a typed expression of
standard SQL, or by its name here.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp

FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """
        approx_percentile array_distinct array_except array_max array_min array_position array_repeat
        array_union arrays_overlap bigint bin bit_and bit_count bit_or bit_xor boolean bround btrim
        cardinality cast conv count_min_sketch crc32 curdate date_part dateadd datepart decimal double e
        element_at every expm1 field find_in_set float floor_day floor_hour floor_minute floor_month
        floor_quarter floor_week floor_year format_number format_string from_csv from_json from_utc_timestamp
        hash hll_sketch_agg hll_sketch_estimate hll_union hypot ilike index inline_outer int isfalse
        isnotfalse isnotnull isnottrue isnull istrue json_array_length json_object_keys json_tuple likeall
        likeany listagg log1p make_date make_timestamp map_concat map_entries map_filter map_from_arrays
        map_values map_zip_with mask mean mid monotonically_increasing_id murmur_hash named_struct nanvl
        negative ngrams now nullifzero octet_length parse_url_tuple pmod positive printf quote range regexp
        regexp_substr rlike schema_of_csv schema_of_json sentences shiftleft shiftright shiftrightunsigned
        shuffle slice smallint some sort_array_by stack std timestamp_micros timestamp_millis
        timestamp_seconds tinyint to_csv to_timestamp to_timestamp_ltz to_timestamp_ntz to_unix_timestamp
        to_utc_timestamp to_varchar transform_keys transform_values try_add try_avg try_divide try_element_at
        try_multiply try_parse_json try_subtract try_sum try_to_date try_to_number try_to_timestamp
        try_url_decode url_decode url_encode version weekday width_bucket window xxhash64 zeroifnull zip_with
        """,
    )
)
EXPLAIN_OPTIONS = r"(?:(?:EXTENDED|FORMATTED|COST|CODEGEN|CBO|AST|DEPENDENCY|LOCKS|VECTORIZATION)\s+)*"


class Refused(Exception):
    """SQL that does more than read tables."""


def check(sql: str) -> None:
    """Raise Refused for a statement that does more than read tables, and sqlglot's ParseError for no statement."""
    for statement in filter(None, sqlglot.parse(sql, read="hive")):
        match statement:
            case exp.Command() if statement.name.upper() == "EXPLAIN":
                check(re.sub(EXPLAIN_OPTIONS, "", statement.expression.name.strip(), count=1, flags=re.IGNORECASE))
            case exp.Command() if statement.name.upper() == "SHOW":
                pass
            case exp.Query() | exp.Describe():
                _check_query(statement)
            case _:
                kind = statement.name if isinstance(statement, exp.Command) else statement.key
                raise Refused(f"only statements that read are allowed, not {kind.upper()}")


def _check_query(statement: exp.Expression) -> None:
    for node in statement.walk():
        if isinstance(node, exp.QueryTransform | exp.Command | exp.DML | exp.DDL) and not isinstance(node, exp.Query):
            raise Refused(f"{node.key} is not allowed in a query")
        if isinstance(node, exp.Anonymous) and node.name.lower() not in FUNCTIONS:
            raise Refused(f"the function {node.name} is not allowed; superset/fence.py lists those that are")
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):  # text.`/etc/passwd` reads a file
            parts = [part.name for part in node.parts]
            if not all(re.fullmatch(r"\w+", part) for part in parts):
                raise Refused(f"the table name {'.'.join(parts)} is not allowed: letters, digits and _ only")
