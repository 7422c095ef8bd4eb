"""The written form of the typed configuration: config/README.md and workflow/schemas/config.schema.json.

`python -m spectral_priority.config.reference` writes both; a test fails where they drift.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..store.atomic import write_text
from .study import Study

PROJECT = Path(__file__).resolve().parents[3]
SCHEMA, README = PROJECT / "workflow/schemas/config.schema.json", PROJECT / "config/README.md"

HEAD = """# Configuration

One study is one YAML file that stands alone. `config.yaml` is the demo; `studies/<name>.yaml` are the others.

| command | study |
|---|---|
| `snakemake --cores all` | `config/config.yaml`, the demo |
| `snakemake --cores all --config study=<name>` | `config/studies/<name>.yaml` |
| `snakemake --cores all --configfile my.yaml` | that file |

`--config data_root=<folder>` says where the data sets' files are on this machine (no result depends on it). Any
other `--config` key is refused, and so is any key of a study file that is not listed here. The study with every
default filled in is written to `results/<study>/config.yaml`.

Generated from the typed configuration by `make reference`; the schema for editors is
`workflow/schemas/config.schema.json`.
"""


def schema() -> dict[str, Any]:
    """Return the JSON schema of a study file."""
    made = Study.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    # `measure` may be left out (the instance's name stands for it), and an instance may be empty.
    instances = made["properties"]["measures"]["patternProperties"]
    for pattern, instance in instances.items():
        instances[pattern] = {"anyOf": [instance, {"type": "null"}]}
    return made


def readme() -> str:
    """Return config/README.md: a table per section, in the order in which sections are met."""
    whole = schema()
    waiting, seen, parts = [("Study", whole)], set(), [HEAD]
    while waiting:
        name, section = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        fields = section.get("properties", {})
        if fields:
            text = " ".join(section.get("description", "").split())
            parts.append(f"\n## {name}\n\n{text}\n\n{table_of(section, 'key')}")
        met = [reference for field in fields.values() for reference in _references(field)]
        waiting += [(reference, whole["$defs"][reference]) for reference in met]
    return "".join(parts)


def table_of(section: dict[str, Any], heading: str) -> str:
    """Return the keys of a section of the schema as a table: type, default, meaning."""
    rows = [f"| {heading} | type | default | meaning |", "|---|---|---|---|"]
    for key, field in section["properties"].items():
        default = (
            "required" if key in section.get("required", []) else f"`{json.dumps(field.get('default'))}`"
        )
        if len(default) > 60:
            default = "see below"
        text = " ".join(field.get("description", "").split()).replace("|", "\\|")
        rows.append(f"| `{key}` | {_type(field)} | {default} | {text} |")
    return "\n".join(rows) + "\n"


def _references(field: Any) -> list[str]:
    if isinstance(field, dict):
        here = [field["$ref"].rpartition("/")[2]] if "$ref" in field else []
        return here + [
            name for key, value in field.items() if key != "discriminator" for name in _references(value)
        ]
    if isinstance(field, list):
        return [name for value in field for name in _references(value)]
    return []


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_type(option) for option in field[key]))
    kind = field.get("type", "any")
    if kind == "array":
        inner = field.get("items") or next(iter(field.get("prefixItems", [])), {})
        return f"list of {_type(inner)}"
    if kind == "object" and "patternProperties" in field:
        return "name: " + " or ".join(_type(value) for value in field["patternProperties"].values())
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"name: {_type(field['additionalProperties'])}"
    bounds = [
        f"{sign} {field[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in field
    ]
    plain = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true/false"}
    return " ".join([plain.get(kind, kind), *bounds])


if __name__ == "__main__":
    write_text(SCHEMA, json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")
    write_text(README, readme())
