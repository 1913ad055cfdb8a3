"""Lengths of time as people say them."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def clock(seconds: float) -> str:
    """As a clock counts: 0:07, 12:40, 3:05:00."""
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def roughly(seconds: float) -> str:
    """In one unit, as exactly as an estimate deserves: 7 s, 40 s, 3 min, 2.5 h, 12 days."""
    if seconds < 1:
        return "1 s"
    if seconds < 1.5 * _MINUTE:
        return f"{_rounded(seconds)} s"
    if seconds < 1.5 * _HOUR:
        return f"{_rounded(seconds / _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"{_rounded(seconds / _HOUR)} h"
    return f"{seconds / _DAY:,.0f} days"


def _rounded(number: float) -> str:
    """Halves below 5, whole numbers below 20, then fives."""
    unit = 0.5 if number < 5 else 1 if number < 20 else 5
    return f"{round(number / unit) * unit:g}"
