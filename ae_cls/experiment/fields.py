"""What each key of a chosen option means and may be, read from the models that check it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ae_cls.experiment.configs import Key

Schema = Mapping[str, Any]


def fields_of(schema: Schema, group: str, plain: Mapping[str, Any]) -> Iterator[Key]:
    """The keys of an option, those of its parts included, with default, meaning and range.

    Args:
        schema: of a command, as JSON schema; it has the group among its properties.
        group: dotted; where the option stands.
        plain: what the whole command composes to.
    """
    definitions = schema.get("$defs", {})
    node = schema
    for part in group.split("."):
        node, plain = _properties(node, definitions, plain)[part], plain[part]
    yield from _fields(node, definitions, plain, f"{group}.")


def _fields(
    schema: Schema, definitions: Schema, plain: Mapping[str, Any], above: str
) -> Iterator[Key]:
    for name, inner in _properties(schema, definitions, plain).items():
        value = plain.get(name)
        if isinstance(value, dict) and _properties(inner, definitions, value):
            yield from _fields(inner, definitions, value, f"{above}{name}.")
        elif name != "name":
            described = inner.get("description", "")
            meaning = "; ".join(filter(None, [described, allowed(inner, definitions)]))
            yield Key(above + name, as_typed(value), meaning)


def _properties(schema: Schema, definitions: Schema, plain: Mapping[str, Any]) -> Schema:
    """Of the member of a union that `name` chooses, where it is a union."""
    schema = _resolved(schema, definitions)
    if "discriminator" in schema:
        chosen = schema["discriminator"]["mapping"].get(plain.get("name"))
        return {} if chosen is None else _properties({"$ref": chosen}, definitions, plain)
    for member in schema.get("anyOf", ()):
        if found := _properties(member, definitions, plain):
            return found
    properties = schema.get("properties", {})
    only = properties.get("name", {}).get("const", plain.get("name"))
    return properties if only == plain.get("name") else {}


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    return definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def allowed(schema: Schema, definitions: Schema) -> str:
    """The values that a key may have, in words."""
    schema = _resolved(schema, definitions)
    if "anyOf" in schema:
        members = [allowed(member, definitions) for member in schema["anyOf"]]
        text = " or ".join(member for member in members if member != "null")
        return f"{text}, or null" if "null" in members else text
    if "enum" in schema or "const" in schema:
        *others, last = map(str, schema.get("enum", [schema.get("const")]))
        return f"{', '.join(others)} or {last}" if others else last
    kind = schema.get("type", "")
    if kind == "array":
        first = schema.get("items") or schema.get("prefixItems", [{}])[0]
        return f"list, each {allowed(first, definitions)}"
    if kind in {"integer", "number"}:
        return " ".join(["whole number" if kind == "integer" else "number", *_limits(schema)])
    is_path = schema.get("format") == "path"
    return "path" if is_path else _KINDS.get(kind, "")


_KINDS = {"boolean": "true or false", "string": "text", "null": "null", "object": "keys of yours"}


def _limits(schema: Schema) -> Iterator[str]:
    words = {
        "minimum": "from", "exclusiveMinimum": "above",
        "maximum": "to", "exclusiveMaximum": "below",
    }  # fmt: skip
    for limit, word in words.items():
        if limit in schema:
            yield f"{word} {schema[limit]:.10g}"


def as_typed(value: Any) -> str:
    """A value as it stands on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "..." if value == "???" else str(value)
