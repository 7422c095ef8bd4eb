"""No text of a study reaches a shell unquoted: `; touch x` in every field is refused by name, or stays one word."""

import json
import os
import re
import subprocess

import pytest
import yaml
from hostile_text import HOSTILE, fields_of, skeletons, text_fields, with_value
from small_study import snakemake

from spectral_priority.config.loading import parse_study
from spectral_priority.config.study import Study
from spectral_priority.errors import InputError

pytestmark = pytest.mark.pipeline

STUB = '#!/bin/bash\nfor word in "$@"; do printf "%s\\0" "$word" >> "$RECORD"; done\n'
"""Takes the place of every program: writes its arguments down."""


def planted(document):
    """A study with hostile text in every field that takes it: the study, and the texts; all others are refused."""
    document = parse_study(document).model_dump(mode="json")
    taken = []
    for field in fields_of(parse_study(document)):
        for value in field.values:
            try:
                changed = with_value(document, field.path, value)
                parse_study(changed, "hostile.yaml")
            except InputError as error:
                assert str(field.path[-1]) in str(error), f"{field.path} is refused, but not by name"
            else:
                document = changed
                taken.append((field.path, value))
    kept = [value for path, value in taken if value_at(document, path) == value]
    return document, sorted({text for value in kept for text in texts(value)})


def value_at(document, path):
    for step in path:
        document = document[step]
    return document


def texts(value):
    """The hostile texts in a value, of mappings the keys too."""
    if isinstance(value, dict | list):
        return [
            text
            for item in [*value, *(value.values() if isinstance(value, dict) else ())]
            for text in texts(item)
        ]
    return [value] if HOSTILE in str(value) else []


def words_of(recorded):
    """Every text in the arguments that programs were given, also inside JSON."""
    found = set()
    for word in recorded.split("\0"):
        found.add(word)
        try:
            found.update(texts(json.loads(word)))
        except ValueError:
            continue
    return found


def test_every_field_of_text_is_tried():
    tried = {field.declared for document in skeletons() for field in fields_of(parse_study(document))}
    assert tried == text_fields(Study), "a kind of section is missing from hostile_text.py"


@pytest.mark.parametrize("document", skeletons(), ids=["all", "learned-first"])
def test_no_text_of_a_study_is_run_by_a_shell(document, tmp_path):
    document, hostile = planted(document)
    (tmp_path / "mini.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    printed = snakemake(tmp_path, "--dry-run", "--printshellcmds")
    commands = re.findall(r"^Shell command: (?!None$)(.*?)\n\n", printed, re.DOTALL | re.MULTILINE)
    assert len(commands) > 20 and sum("study_file.log" in command for command in commands) == 1

    (tmp_path / "bin").mkdir()
    stub, record = tmp_path / "bin/python", tmp_path / "record"
    stub.write_text(STUB)
    stub.chmod(0o755)
    for folder in (f"results/{document['study']}", f"results/logs/{document['study']}"):
        (tmp_path / folder).mkdir(parents=True)
    before = sorted(tmp_path.iterdir())
    env = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "RECORD": str(record)}
    env |= {"PROGRAMS": "programs", "DATA_ROOT": document["data_root"]}
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
    assert sorted(tmp_path.iterdir()) == sorted([*before, record]), "a text was run"
    written = yaml.safe_load((tmp_path / f"results/{document['study']}/config.yaml").read_text())
    assert written == parse_study(document).model_dump(mode="json", exclude={"data_root"})
    given = words_of(record.read_text())
    in_no_command = ("Study.question", ".text", "First.class_name")  # of these only the file above tells
    assert [text for text in hostile if not text.endswith(in_no_command) and text not in given] == []
