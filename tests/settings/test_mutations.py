"""Whatever is in the file: valid settings, or a sentence for each mistake that says where it is.

`pytest tests/settings/test_mutations.py --hypothesis-profile=thorough` tries 10,000 files instead of 200.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from discordianai.settings.document import SettingsError
from discordianai.settings.file import load
from discordianai.settings.keys import declared
from tests.examples import examples
from tests.settings.mutations import mutated

SHIPPED = Path("settings.toml").read_text(encoding="utf-8")
API_KEY = "sk-proj-" + "Abc0" * 10
WITH_KEY = SHIPPED.replace('# api_key = ""', f'api_key = "{API_KEY}"')
ENVIRONMENT = {"DISCORD_TOKEN": "token", "PERPLEXITY_API_KEY": "key"}
EXAMPLES = examples(200)

LINE = re.compile(r"(?:not valid TOML: |should be UTF-8, but a byte in )line (\d+)")
PATH = re.compile(r'((?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*")(?:\.(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"))*): ')
PART = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"')


def stands_in(document: Any, sentence: str) -> bool:
    """Whether the sentence begins with the path of something in the document, or of a key that is missing."""
    match = PATH.match(sentence)
    assert match, sentence
    parts = [tomllib.loads(f"x = {p}")["x"] if p[0] == '"' else p for p in PART.findall(match[1])]
    for length, part in enumerate(parts, 1):
        cut = part.endswith("…")
        if isinstance(document, dict):
            names = [name for name in document if name == part or (cut and name.startswith(part[:-1]))]
            document = document[names[0]] if names else None
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            document = None
        known = any(
            key.path[:length] == tuple(parts[:length])
            for key in declared()  # under its own name, not any
        )
        if document is None and not known:
            # Its absence is the mistake, in a table that the operator named.
            return part in {"output_price", "base_url", "model"}
    return True


def check(folder: Path, content: bytes) -> None:
    path = folder / "settings.toml"
    path.write_bytes(content)
    try:
        load(path, ENVIRONMENT)
    except SettingsError as error:
        problems = error.problems
    else:
        return
    assert problems
    for sentence in problems:
        assert sentence.isprintable(), sentence  # one line, and nothing that a terminal obeys
        assert API_KEY[:12] not in sentence
        if match := LINE.search(sentence):
            assert 1 <= int(match[1]) <= content.count(b"\n") + 1
        else:
            assert stands_in(tomllib.loads(content.decode("utf-8-sig")), sentence), sentence


@given(mutated(WITH_KEY))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_valid_or_told_where_it_is_not(tmp_path: Path, content: bytes) -> None:
    check(tmp_path, content)
