"""Rules for docs/schemas, the schemas of what `--json` writes, and the tables that docs/json.md makes of them."""

import json
from collections.abc import Iterator
from typing import Any

from .tree import Finding, Tree

DIRECTORY = "docs/schemas"
DOCUMENT = "docs/json.md"
MARK = "<!-- From docs/schemas, by `Scripts/tidy --json`. -->\n"
SHARED = "shared"
FIRST = ("failure",)  # what every command may write comes before the commands
CLOSED = ("additionalProperties", "unevaluatedProperties")
Schema = dict[str, Any]


class Schemas:
    """The files of docs/schemas, by their names without `.json`."""

    def __init__(self, tree: Tree) -> None:
        self.files: dict[str, Schema] = {}
        self.broken: list[Finding] = []
        for file in tree.below(DIRECTORY, "json"):
            try:
                self.files[file.path.rpartition("/")[2].removesuffix(".json")] = json.loads(file.text)
            except ValueError as error:
                self.broken.append(file.found(1, f"is not JSON: {error}"))

    def target(self, file: str, reference: str) -> tuple[str, str, Schema]:
        """The file, the name and the schema that a reference leads to; an empty schema if that is not there."""
        other, _, name = reference.partition("#/$defs/")
        found = other.removesuffix(".json") or file
        return found, name, self.files.get(found, {}).get("$defs", {}).get(name, {})

    def resolved(self, file: str, schema: Schema) -> tuple[str, Schema]:
        """A schema without the reference that it consists of; its own words go first."""
        for option in schema.get("anyOf", []):
            if "$ref" in option:
                where, found = self.resolved(file, option)
                return where, {**found, "description": schema.get("description", found.get("description"))}
        if "$ref" not in schema:
            return file, schema
        where, _, found = self.target(file, schema["$ref"])
        return where, {**found, **{key: value for key, value in schema.items() if key != "$ref"}}

    def kind(self, file: str, schema: Schema) -> str:
        """The type of a value, apart from `null`."""
        kinds = self.resolved(file, schema)[1].get("type", "")
        return kinds if isinstance(kinds, str) else next((kind for kind in kinds if kind != "null"), "null")


def schema_findings(tree: Tree) -> list[Finding]:
    """What is not strict, not described, or not as docs/json.md says; one name for two things."""
    schemas = Schemas(tree)
    if not schemas.files:
        return schemas.broken
    found = list(schemas.broken)
    kinds: dict[str, tuple[str, str]] = {}
    for name, schema in schemas.files.items():
        path = f"{DIRECTORY}/{name}.json"
        for place, part, is_open in objects(schema):
            if not is_open and not any(key in part for key in CLOSED):
                found.append(Finding(path, 1, f"{place}: say `additionalProperties: false`"))
            for key, value in part.get("properties", {}).items():
                if not schemas.resolved(name, value)[1].get("description"):
                    found.append(Finding(path, 1, f"{place}.{key}: describe it"))
                kind = schemas.kind(name, value)
                known, where = kinds.setdefault(key, (kind, name))
                if kind != known:
                    found.append(Finding(path, 1, f"{key} is {kind} here and {known} in {where}.json: one name for one "
                                                  "thing"))
        found += [Finding(path, 1, f"{reference} leads nowhere, or to an object that is open where it stands")
                  for reference, is_closed in references(schema)
                  if not schemas.target(name, reference)[2]
                  or not is_closed and is_object_without_end(schemas.target(name, reference)[2])]
    document = tree.file(DOCUMENT)
    if document is None or document.text.partition(MARK)[2] != printed_schemas(tree):
        found.append(Finding(DOCUMENT, 1, "is not as docs/schemas says: run `Scripts/tidy --json`"))
    return found


def is_object_without_end(schema: Schema) -> bool:
    """Whether it leaves to others which further keys there are."""
    return "properties" in schema and not any(key in schema for key in CLOSED)


def objects(schema: Any, place: str = "", is_open: bool = False) -> Iterator[tuple[str, Schema, bool]]:
    """All schemas of objects in one, each with its place. Definitions may be open: what uses them closes them."""
    if isinstance(schema, list):
        for part in schema:
            yield from objects(part, place)
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        yield place or "the document", schema, is_open
    for key in ("anyOf", "allOf", "items", *CLOSED):
        yield from objects(schema.get(key), place)
    for key in ("properties", "$defs"):
        for name, part in schema.get(key, {}).items():
            yield from objects(part, f"{place}.{name}".lstrip("."), key == "$defs")


def references(schema: Any, is_closed: bool = False) -> Iterator[tuple[str, bool]]:
    """All references, each with whether further keys are refused where it stands."""
    if isinstance(schema, list):
        for part in schema:
            yield from references(part, is_closed)
    if not isinstance(schema, dict):
        return
    closed = any(key in schema for key in CLOSED)
    if isinstance(schema.get("$ref"), str):
        yield schema["$ref"], closed or is_closed
    for key, part in schema.items():
        if key in ("properties", "$defs"):
            for value in part.values():
                yield from references(value)
        else:
            yield from references(part, closed if key == "allOf" else False)


# What docs/json.md says


def printed_schemas(tree: Tree) -> str:
    """The tables of all documents, and of what they have in common."""
    schemas = Schemas(tree)
    commands = sorted(name for name in schemas.files if name not in (*FIRST, SHARED))
    parts = [section(schemas, name) for name in (*FIRST, *commands) if name in schemas.files]
    shared = schemas.files.get(SHARED, {}).get("$defs", {})
    parts += [f"\n### {name}\n\n{schema['description']}\n\n" + table(schemas, SHARED, schema)
              for name, schema in sorted(shared.items()) if "properties" in schema]
    return "".join(parts)


def section(schemas: Schemas, name: str) -> str:
    """What one file says."""
    schema = schemas.files[name]
    options = schema.get("anyOf", [schema])
    tables = "\nor\n\n".join(table(schemas, name, option) for option in options)
    return f"\n### {schema['title']}\n\n{schema['description']}\n\n{tables}"


def table(schemas: Schemas, file: str, schema: Schema) -> str:
    """The keys of an object, with those of the objects in it."""
    lines = ["| key | type | what it is |", "|---|---|---|"]
    for base in schema.get("allOf", []):
        lines += rows(schemas, *schemas.resolved(file, base), "")
    return "\n".join(lines + rows(schemas, file, schema, "")) + "\n"


def rows(schemas: Schemas, file: str, schema: Schema, before: str) -> list[str]:
    """A row for each key. An object of shared.json is named there, and written out once."""
    lines: list[str] = []
    for key, value in schema.get("properties", {}).items():
        where, found = schemas.resolved(file, value)
        kind, inner, place = written(schemas, file, value)
        if is_nullable(value):
            kind += " or `null`"
        absent = "" if key in schema.get("required", []) else ", or absent"
        lines.append(f"| `{before}{key}` | {kind}{absent} | {found['description']}{choices(found)} |")
        if inner is not None:
            end = "[]." if kind.startswith("array") else "."
            lines += rows(schemas, place or where, inner, before + key + end)
    return lines


def written(schemas: Schemas, file: str, value: Schema) -> tuple[str, Schema | None, str]:
    """The type of a value in words, and the object whose keys follow, with the file that it stands in."""
    for option in (value, *value.get("anyOf", [])):
        if "$ref" in option:
            where, name, found = schemas.target(file, option["$ref"])
            if where == SHARED and "properties" in found:
                return f"[{name}](#{name})", None, ""
    where, found = schemas.resolved(file, value)
    kind = schemas.kind(file, value)
    if kind == "array":
        words, inner, place = written(schemas, where, found["items"])
        return f"array of {words}", inner, place or where
    if kind == "object" and "properties" not in found:
        return f"object: {written(schemas, where, found['additionalProperties'])[0]} by name", None, ""
    return kind, found if kind == "object" else None, where


def is_nullable(value: Schema) -> bool:
    """Whether it can be `null`."""
    return "null" in value.get("type", []) or {"type": "null"} in value.get("anyOf", [])


def choices(schema: Schema) -> str:
    """The texts that a value can be."""
    texts = [text for text in schema.get("enum", []) if text is not None]
    return f" One of {', '.join(f'`{text}`' for text in texts)}." if texts else ""
