"""Numbers of bytes and spans of time as users write them."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)},
}
_FACTORS = {unit.lower(): factor for unit, factor in _UNITS.items()}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_bytes(text: str) -> int:
    """Return the bytes of `512KiB`, `10MiB` or `1.5GB`; upper and lower case are the same.

    A number without a unit, or with half of one (`10M`), is refused: what it means differs from tool to tool.

    Raises:
        ValueError: says what would be right.
    """
    match = _BYTES.fullmatch(text.strip())
    factor = None if match is None else _FACTORS.get(match[2].lower())
    if match is None or factor is None:
        raise ValueError(f"'{text}' is no number of bytes with its unit ({', '.join(_UNITS)}): write 10MiB")
    return int(Fraction(match[1]) * factor)


def show_bytes(count: int) -> str:
    """Return what `parse_bytes` takes for a number of bytes, in the largest unit that leaves a whole number."""
    unit, factor = max(
        ((unit, factor) for unit, factor in _UNITS.items() if "i" in unit and count and not count % factor),
        key=lambda item: item[1],
        default=("B", 1),
    )
    return f"{count // factor}{unit}"


def parse_seconds(text: str) -> float:
    """Return the seconds of `90s`, `30m`, `24h` or `7d`; only nothing, `0`, needs no unit.

    Raises:
        ValueError: says what would be right.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None and text.strip() != "0":
        raise ValueError(f"'{text}' is no span of time with its unit ({', '.join(_SECONDS)}): write 24h")
    return 0.0 if match is None else float(match[1]) * _SECONDS[match[2]]
