"""Many rows of a table as one statement of PostgreSQL, whose parameters are columns, as arrays: the server plans and
runs it once, whatever their number.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Dialect

from borsa.runtime.store import Statement, upsert

DIALECT: Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]


@lru_cache(1024)
def bulk(statement: Statement) -> str | None:
    """A statement for one row as one that takes arrays, one for each of its parameters: an insert of all columns, or an
    update by key; None for what is neither."""
    core = statement.core
    if isinstance(core, sa.Insert) and core.select is None:
        return _from_arrays(core, [column.name for column in core.table.columns])
    if isinstance(core, sa.Update) and isinstance(core.table, sa.Table):
        keys = [column.name for column in core.table.primary_key]
        rest = [column.name for column in core.table.columns if column.name not in keys]
        takes = [name for name, _ in statement.compiled(DIALECT)[1]]
        if takes == [*(f"new_{name}" for name in rest), *(f"key_{at}" for at in range(len(keys)))]:
            # the rows are there. A join that finds them could be planned while the table is small, and read all of it
            # when it is large; a conflict is found by the key's index always
            return _from_arrays(upsert(core.table, DIALECT).core, [*rest, *keys])
    return None


def _from_arrays(insert: Any, names: Sequence[str]) -> str:
    arrays = [sa.bindparam(f"a{at}", type_=ARRAY(insert.table.c[name].type)) for at, name in enumerate(names)]
    given = sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return Statement(insert.from_select(list(names), sa.select(*given.c))).compiled(DIALECT)[0]


def array(values: Iterable[Any]) -> str:
    """A column as PostgreSQL writes an array."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if value is None:
        return "NULL"
    if type(value) is bytes:
        return '"\\\\x' + value.hex() + '"'
    text: str = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
