"""The pages on monitoring and on pools, the dashboard and the alert rules name metrics that there are."""

import json
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from discordianai.operations.metrics import SnapshotCollector
from tests.docs.pages import ROOT, module
from tests.operations.builders import well

DOCS = ROOT / "docs"
METRIC = re.compile(r"\bdiscordianai_\w+")
SELECTOR = re.compile(r"\b(discordianai_\w+)\{([^}]*)\}")
FILES = ("monitoring.md", "connection-pooling.md", "prometheus-alerts.yml", "grafana-dashboard.json")
ADDED = {"instance", "job"}
"""Labels that Prometheus adds."""


@cache
def served() -> dict[str, dict[str, set[str]]]:
    """The label names and values of each sample's name that a bot with a busy hour behind it serves."""
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(well))
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


@cache
def reference() -> ModuleType:
    return module(DOCS / "metrics_reference.py")


def expressions(file: str) -> str:
    """The text in which metrics stand, as the site has it; of the dashboard, what its JSON says."""
    text: str = reference().put_in((DOCS / file).read_text(encoding="utf-8"))
    return "\n".join(_texts(json.loads(text))) if file.endswith(".json") else text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def unknown(text: str) -> list[str]:
    """Metrics that no bot serves; a histogram may be named without its suffix."""
    names = set(METRIC.findall(text))
    return sorted(name for name in names if not {name, f"{name}_bucket"} & served().keys())


def wrong_labels(text: str) -> list[str]:
    """Selectors by a label that the metric has not, or by a value that it never takes."""
    wrong = []
    for name, inside in SELECTOR.findall(text):
        for label, sign, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', inside):
            values = served().get(name, {}).get(label)
            wanted = value.split("|") if "~" in sign else [value]
            known = values is not None and (set(wanted) <= values or "$" in value)
            if label not in ADDED and not known:
                wrong.append(f'{name}{{{label}{sign}"{value}"}}')
    return wrong


@pytest.mark.parametrize("file", FILES)
def test_every_metric_that_is_named_is_served(file: str) -> None:
    text = expressions(file)
    assert len(METRIC.findall(text)) > 10
    assert unknown(text) == []


@pytest.mark.parametrize("file", FILES)
def test_metrics_are_selected_by_labels_that_they_have(file: str) -> None:
    assert wrong_labels(expressions(file)) == []


def test_the_page_has_a_row_of_every_metric_with_its_labels() -> None:
    page = expressions("monitoring.md")
    rows = dict(re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \| \S.+ \|$", page, re.MULTILINE))
    for name, labels in served().items():
        of = name if name in rows else re.sub("_(bucket|sum|count)$", "", name)
        assert {*re.findall(r"`(\w+)`", rows[of])} == {*labels} - {"le"}, name


def test_a_wrong_metric_or_label_would_be_noticed() -> None:
    assert unknown("rate(discordianai_requests[5m])") == ["discordianai_requests"]
    assert wrong_labels('discordianai_requests_total{outcom="cut"}') != []
    assert wrong_labels('discordianai_requests_total{outcome=~"cut|quote"}') != []


def test_every_alert_says_how_bad_it_is_and_of_which_bot() -> None:
    text = expressions("prometheus-alerts.yml")
    alerts = text.split("- alert: ")[1:]
    assert len(alerts) > 10
    for alert in alerts:
        assert re.search(r"severity: (page|ticket)\b", alert), alert
        assert re.search(r'summary: ".*\{\{ \$labels\.(instance|provider) \}\}', alert), alert
