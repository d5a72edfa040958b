"""CQL2 text, the OGC's filter language, as Arrow expressions that Parquet scans push down."""

import datetime as dt
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final, NoReturn, TypeAlias

import cql2
import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.contract.kinds import is_number
from rasteret_assets.errors import ConfigError
from rasteret_assets.stages.json_values import Json

_DAY_US: Final = 86_400 * 10**6

_EXACT: Final = 1 << 53
"""From here on the parser's doubles stand for several whole numbers."""

_Operator: TypeAlias = Callable[[pc.Expression, pc.Expression], pc.Expression]

_COMPARISONS: Final[Mapping[str, _Operator]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "t_after": operator.gt,
    "t_before": operator.lt,
    "t_equals": operator.eq,
}
_ARITHMETIC: Final[Mapping[str, _Operator]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_CONDITIONS: Final = frozenset({"and", "or", "not", "isnull", "between", "in", "like"})
_SUPPORTED: Final = (
    "comparisons, AND, OR, NOT, BETWEEN, IN, LIKE, IS NULL, CASEI, T_AFTER, T_BEFORE, T_EQUALS, "
    "+ - * /, TIMESTAMP('…'), DATE('…')"
)


def parse_filter(text: str) -> pc.Expression:
    """Return the Arrow expression of a CQL2 text filter (OGC 21-065r2).

    It speaks of a source's own column names; names with other characters than letters,
    digits, `_`, `.` and `:` stand in double quotes. As in SQL, and in Arrow, a comparison
    with null is null, and only rows for which the whole is true are kept.

    Columns of timestamps without a zone can be compared with days, `DATE('2024-05-31')`, and
    with midnights, `TIMESTAMP('2024-05-31T00:00:00Z')`; Arrow refuses other instants there.

    Raises
    ------
    ConfigError
        If the text is not CQL2 (it says where), or uses what has no Arrow expression: spatial
        and array predicates, other functions.

    Examples
    --------
    >>> print(parse_filter("eo:cloud_cover < 20 AND platform = 'landsat-9'"))
    ((eo:cloud_cover < 20) and (platform == "landsat-9"))
    """
    try:
        node = cql2.parse_text(text).to_json()
    except cql2.ParseError as error:
        msg = f"the filter {text!r} is not CQL2: {_position(str(error))}"
        raise ConfigError(msg) from error
    return _Translator(text).condition(node)


def _position(message: str) -> str:
    """Return the parser's message, which draws the place over lines, in one line."""
    place = re.search(r"--> (\d+):(\d+)", message)
    expected = message.rpartition("= ")[2].strip()
    return f"line {place[1]}, column {place[2]}: {expected}" if place else expected


def _day_of(value: pa.Scalar) -> pa.Scalar:
    """Return a midnight as its day: Arrow compares days with timestamps of any zone, or none."""
    midnight = pa.types.is_timestamp(value.type) and value.value % _DAY_US == 0
    return value.cast(pa.timestamp("us")).cast(pa.date32()) if midnight else value


class _Translator:
    """Turns the nodes of one filter into expressions."""

    def __init__(self, text: str) -> None:
        self._text = text

    def condition(self, node: Json) -> pc.Expression:
        """Return the expression of a node that is true or false."""
        if isinstance(node, bool):
            return pc.scalar(node)
        if not isinstance(node, dict):
            self._refuse(f"{node!r} is a value, not a condition")
        if "property" in node:
            return pc.field(str(node["property"]))
        op, args = self._call(node)
        if op in _COMPARISONS:
            left, right = (self._operand(arg) for arg in args)
            return _COMPARISONS[op](left, right)
        if op not in _CONDITIONS:
            self._unsupported(op)
        if op in ("and", "or", "not"):
            return self._logical(op, [self.condition(arg) for arg in args])
        return self._predicate(op, args)

    def _logical(self, op: str, parts: Sequence[pc.Expression]) -> pc.Expression:
        if op == "not":
            return ~parts[0]
        return reduce(operator.and_ if op == "and" else operator.or_, parts)

    def _predicate(self, op: str, args: Sequence[Json]) -> pc.Expression:
        value = self._operand(args[0])
        if op == "isnull":
            return value.is_null()
        if op == "between":
            return (value >= self._operand(args[1])) & (value <= self._operand(args[2]))
        if op == "like":
            return self._like(args[0], args[1])
        found = value.isin(self._list(args[1]))
        # is_in says false of null; SQL says null, which matters under a NOT.
        return found | (value.is_null() & pc.scalar(pa.scalar(None, pa.bool_())))

    def _list(self, node: Json) -> pa.Array:
        values = [self._literal(one) for one in node] if isinstance(node, list) else []
        if any(pa.types.is_floating(one.type) for one in values):
            values = [one.cast(pa.float64()) if is_number(one.type) else one for one in values]
        if len({one.type for one in values}) != 1:
            self._refuse("IN needs a list of literals of one kind")
        return pa.array(values)

    def _like(self, value: Json, pattern: Json) -> pc.Expression:
        """Return a match with `%` and `_`; `casei` on both sides takes letters of either case."""
        fold = False
        if isinstance(pattern, dict) and pattern.get("op") == "casei":
            fold, pattern = True, self._call(pattern)[1][0]
        if not isinstance(pattern, str):
            self._refuse("LIKE needs a pattern in single quotes on its right")
        # Cast: the kernel takes no dictionary-encoded text.
        text = self._operand(value).cast(pa.string())
        return pc.match_like(text, pattern, ignore_case=fold)

    def _operand(self, node: Json) -> pc.Expression:
        """Return the expression of a node that has a value: a property, a literal, a sum."""
        if not isinstance(node, dict) or "timestamp" in node or "date" in node:
            return pc.scalar(_day_of(self._literal(node)))
        if "property" in node:
            return pc.field(str(node["property"]))
        op, args = self._call(node)
        if op in _ARITHMETIC:
            left, right = (self._operand(arg) for arg in args)
            if op == "/":  # not cut to whole numbers, as Arrow would
                left = left.cast(pa.float64())
            return _ARITHMETIC[op](left, right)
        if op == "casei":
            if isinstance(args[0], str):
                return pc.scalar(args[0].lower())
            return pc.utf8_lower(self._operand(args[0]).cast(pa.string()))
        return self.condition(node)

    def _literal(self, node: Json) -> pa.Scalar:
        if node is None:
            self._refuse("nothing equals NULL; use IS NULL")
        if isinstance(node, dict) and ("timestamp" in node or "date" in node):
            return self._instant(node)
        if isinstance(node, dict | list):
            self._refuse(f"{json.dumps(node)} is no literal")
        if isinstance(node, bool | str):
            return pa.scalar(node)
        if abs(node) >= _EXACT:
            self._refuse(f"{node:.0f} is too large to be exact; write it in an Arrow expression")
        return pa.scalar(int(node) if float(node).is_integer() else node)

    def _instant(self, node: Mapping[str, Json]) -> pa.Scalar:
        text = str(node.get("timestamp", node.get("date")))
        try:
            if "date" in node:
                return pa.scalar(dt.date.fromisoformat(text), pa.date32())
            value = dt.datetime.fromisoformat(text)
        except ValueError as error:
            msg = f"{text!r} is no {next(iter(node))}: {error}"
            self._refuse(msg, error)
        return pa.scalar(value, pa.timestamp("us", "UTC"))

    def _call(self, node: Mapping[str, Json]) -> tuple[str, Sequence[Json]]:
        op, args = node.get("op"), node.get("args")
        if not isinstance(op, str) or not isinstance(args, list):
            self._refuse(f"{json.dumps(node)} has no place here")
        return op.lower(), args

    def _unsupported(self, op: str) -> NoReturn:
        instead = ""
        if op.startswith("s_"):
            instead = "; select by place with the Collection's own bbox and geometry arguments"
        elif op.startswith("t_"):
            instead = "; compare with TIMESTAMP('…') and BETWEEN"
        self._refuse(f"{op} is not supported{instead}; there are {_SUPPORTED}")

    def _refuse(self, what: str, cause: Exception | None = None) -> NoReturn:
        msg = f"the filter {self._text!r}: {what}"
        raise ConfigError(msg) from cause
