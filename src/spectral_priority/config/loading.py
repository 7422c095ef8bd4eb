"""Read a study file: one YAML document, checked whole, with messages that name the field and what is allowed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import InputError
from .study import Study

CONFIG_KEYS = ("study", "data_root")
"""What `--config` may set."""

MERGE = "tag:yaml.org,2002:merge"
"""The key `<<` of YAML, by which a recipe says only in what it differs from another."""


class _NoDuplicates(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which YAML would silently take the last of."""


def _mapping(loader: _NoDuplicates, node: yaml.MappingNode) -> dict:
    given: set[Any] = set()
    for key_node, _ in node.value:
        key = key_node.value if key_node.tag == MERGE else loader.construct_object(key_node, deep=True)
        if key in given:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is given twice", key_node.start_mark
            )
        given.add(key)
    loader.flatten_mapping(node)  # the keys of `<<: *another` come first, so that those given here win
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


_NoDuplicates.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def nearest(name: str, known: list[str]) -> str:
    """Return the hint for a name that is not known.

    >>> nearest("stduy", ["study", "data_root"])
    "did you mean 'study'?"
    >>> nearest("x", ["study", "data_root"])
    'one of: study, data_root'
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(known)}"


def load_study(path: str | Path) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : path
        YAML file.

    Raises
    ------
    InputError
        With every fault found in the file, each with its field.
    """
    path = Path(path)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_NoDuplicates)
    except FileNotFoundError:
        studies = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise InputError(
            path, "there is no such study file", nearest(path.stem, studies) if studies else "a YAML file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(path, f"can't be read as YAML ({' '.join(str(error).split())})") from None
    return parse_study(document, where=str(path))


def parse_study(document: Any, where: str = "study") -> Study:
    """Check a study that was read into plain mappings; `where` names it in messages."""
    if not isinstance(document, Mapping):
        raise InputError(
            where, f"found {type(document).__name__}", "a mapping that starts with study: <name>"
        )
    try:
        return Study.model_validate(document)
    except ValidationError as error:
        faults = [_fault(fault, document) for fault in error.errors()]
        raise InputError(where, "\n  ".join(["", *faults]) if len(faults) > 1 else faults[0]) from None


def _fault(fault: Mapping[str, Any], document: Mapping) -> str:
    steps = [step for place, step in enumerate(fault["loc"]) if not _is_tag(place, fault["loc"], document)]
    field = ".".join(str(step) for step in steps)
    kind, context, message = fault["type"], fault.get("ctx", {}), fault["msg"]
    if kind == "extra_forbidden":
        return f"{field}: unknown key; {nearest(str(steps[-1]), _keys_beside(steps))}"
    if kind == "missing":
        return f"{field}: is missing"
    if kind == "value_error":
        text = str(context.get("error", message))
        return f"{field}: {text}" if field else text
    if kind in ("union_tag_invalid", "literal_error"):
        allowed = context.get("expected_tags") or context.get("expected")
        tag = context.get("tag", fault["input"])
        name = field + ".kind" if kind == "union_tag_invalid" else field
        known = [word.strip().strip("'") for word in allowed.replace(" or ", ", ").split(",")]
        return f"{name}: found {tag!r}; {nearest(str(tag), known)} (allowed: {', '.join(known)})"
    if kind == "union_tag_not_found":
        return f"{field}.kind: is missing"
    return f"{field}: found {_shown(fault['input'])}; {message[0].lower() + message[1:]}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_tag(place: int, location: tuple, document: Any) -> bool:
    """Is a step of pydantic's path the name of a union's member rather than a key of the file?"""
    step = location[place]
    for earlier in location[:place]:
        try:
            document = document[earlier]
        except (KeyError, IndexError, TypeError):
            continue
    if not isinstance(step, str) or not isinstance(document, Mapping) or step in document:
        return False
    named = location[place - 1]  # an instance without `measure` is named after its measure
    return document.get("kind", document.get("measure", named)) == step


def _keys_beside(steps: list) -> list[str]:
    """The valid keys of the section that a path's last step stands in."""
    found: set[str] = set()
    _collect(Study, [str(step) for step in steps[:-1]], found)
    return sorted(found)


def _collect(annotation: Any, steps: list[str], found: set[str]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        if not steps:
            found.update(fields)
        elif steps[0] in fields:
            _collect(fields[steps[0]].annotation, steps[1:], found)
        return
    arguments = getattr(annotation, "__args__", ())
    origin = getattr(annotation, "__origin__", None)
    if origin in (dict, tuple) and steps:  # the step is a key or an index of the collection
        steps = steps[1:]
    for argument in arguments:
        _collect(argument, steps, found)


def choose_study(config: Mapping[str, Any], configfiles: list, folder: Path) -> tuple[Path, str | None]:
    """Find the study file that a Snakemake command line asks for.

    Parameters
    ----------
    config : mapping
        What `--config` gave.
    configfiles : list of paths
        What `--configfile` gave.
    folder : path
        The project's config/ folder.

    Returns
    -------
    path, data_root
        The study file; the `data_root` of the command line, or None.

    Raises
    ------
    InputError
        For any key other than `study` and `data_root`, so that a misspelt one can't run the demo.
    """
    for key in config:
        if key not in CONFIG_KEYS:
            raise InputError("--config", f"unknown key {key!r}; {nearest(key, list(CONFIG_KEYS))}")
    if len(configfiles) > 1:
        raise InputError("--configfile", f"found {len(configfiles)} files", "one: a study stands alone")
    if configfiles and "study" in config:
        raise InputError("--config study", "given together with --configfile", "one of the two")
    if configfiles:
        path = Path(configfiles[0])
    elif "study" in config:
        name = str(config["study"])
        path = folder / "config.yaml" if name == "demo" else folder / "studies" / f"{name}.yaml"
        if not path.exists():
            known = ["demo", *sorted(file.stem for file in (folder / "studies").glob("*.yaml"))]
            raise InputError(
                "--config study",
                f"found {name!r}; {nearest(name, known)}",
                f"the studies in {folder}: {', '.join(known)}",
                "or give a study file of your own with --configfile <file>",
            )
    else:
        path = folder / "config.yaml"
    root = config.get("data_root")
    return path, None if root is None else str(root)


def find_study(asked: str | None, results: Path, folder: Path) -> Path:
    """Find the study file that a program is asked for.

    Parameters
    ----------
    asked : str or None
        A study file, the name of a study in config/, or of one that has results (a file of the user's own); None: the
        demo.
    results : path
        The folder `results`.
    folder : path
        The project's config/ folder.

    Raises
    ------
    InputError
        Where there is none.
    """
    if asked is None:
        return choose_study({}, [], folder)[0]
    if Path(asked).is_file():
        return Path(asked)
    resolved = results / asked / "config.yaml"
    try:
        return choose_study({"study": asked}, [], folder)[0]
    except InputError:
        if resolved.is_file():
            return resolved
    raise InputError(
        "--study", f"found {asked!r}", f"a study file, the name of one in config/, or of one with {resolved}"
    )


def canonical(options: Any) -> str:
    """Return options as JSON with sorted keys: equal options give equal text.

    >>> canonical({"b": 1, "a": (1, 2)})
    '{"a":[1,2],"b":1}'
    """
    if isinstance(options, BaseModel):
        options = options.model_dump(mode="json")
    return json.dumps(options, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
