"""Tables and lists that users write: encoding, delimiter, header, decimal comma and units in one
place.

Nothing is guessed and nothing dropped: a value that is not understood is refused by row, column and
value.
"""

from hespotex.common.user_table.numbers import is_decimal_comma, parse_number
from hespotex.common.user_table.rows import normal, read_user_rows
from hespotex.common.user_table.table import BLANK, UserTable, read_user_table
from hespotex.common.user_table.text import read_user_text

__all__ = [
    "BLANK",
    "UserTable",
    "is_decimal_comma",
    "normal",
    "parse_number",
    "read_user_rows",
    "read_user_table",
    "read_user_text",
]
