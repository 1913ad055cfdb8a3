"""Damage for fuzzing: bytes changed anywhere, JSON that is still JSON and no longer what it was."""

import copy
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ae_cls.errors import AeClsError

ALLOWED = {2, 3, 5}
"""Exit codes of what strangers' files and words may lead to, beside 0."""
SOON = 20.0  # seconds, on a busy machine


def quick(examples: int) -> settings:
    """So many examples, or FUZZ_EXAMPLES of the environment; time is bounded by `only_refused`."""
    examples = int(os.environ.get("FUZZ_EXAMPLES", examples))
    unchecked = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, suppress_health_check=unchecked)


@contextmanager
def only_refused() -> Iterator[None]:
    """Within the body all goes well, or is refused with a code that is allowed, and soon."""
    begin = time.monotonic()
    try:
        yield
    except AeClsError as error:
        assert error.code in ALLOWED, error.block()
        assert "Traceback" not in error.block()
    assert time.monotonic() - begin < SOON


def _flipped(content: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)


def byte_damage() -> st.SearchStrategy[Callable[[bytes], bytes]]:
    """Ways to damage a file that is not empty."""
    places = st.integers(0, 2**20)
    pieces = st.binary(min_size=1, max_size=9) | st.sampled_from(
        [b"\0" * 64, b"\xff" * 9, b'"', b"{", b"[" * 99, b"NaN", b"1e999", b"\\ud800"]
    )
    return st.one_of(
        st.builds(lambda p, b: lambda c: _flipped(c, p, b), places, st.integers(0, 7)),
        st.builds(lambda p: lambda c: c[: p % (len(c) + 1)], places),
        st.builds(lambda p, x: lambda c: c[: p % len(c)] + x + c[p % len(c) :], places, pieces),
        st.builds(
            lambda p, x: lambda c: c[: p % len(c)] + x + c[p % len(c) + len(x) :], places, pieces
        ),
        st.builds(lambda p, q: lambda c: c[p % len(c) :] + c[: q % len(c)], places, places),
    )


_NUMBERS = [0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308]
_TEXTS = ["", "..", "../../x", "/etc/passwd", "a\0b", "\x1b[31m", "é" * 999, "auto", "null"]
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([*_NUMBERS, *_TEXTS]),
    st.integers(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-1, 3), max_size=3),
    st.just({"_target_": "os.system", "_args_": ["touch canary"]}),
    st.recursive(st.just(0), lambda inner: st.lists(inner, min_size=1, max_size=2), max_leaves=9),
)


def json_damage() -> st.SearchStrategy[Callable[[Any], Any]]:
    """Ways to change one value of a JSON tree, or to add or take a key."""
    return st.builds(
        lambda place, how, value: lambda tree: _changed(tree, place, how, value),
        st.integers(0, 2**20),
        st.sampled_from(["replace", "replace", "delete", "add", "wrap", "twice"]),
        _ODD,
    )


def _changed(tree: Any, place: int, how: str, value: Any) -> Any:
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    node, key = places[place % len(places)]
    match how:
        case "replace":
            node[key] = value
        case "delete":
            del node[key]
        case "add":
            node.update({"more": value}) if isinstance(node, dict) else node.append(value)
        case "wrap":
            node[key] = [node[key]]
        case "twice":
            node[key] = {"a": node[key], "b": node[key]}
    return tree


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys:
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def json_text(tree: Any) -> bytes:
    """As ae-cls spells it, so that no other reason to refuse it comes first."""
    text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")
