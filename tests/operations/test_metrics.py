"""The bot's metrics, as its records declare them."""

import re
from dataclasses import replace

from discordianai.discord.discord_statistics import Unacknowledged
from discordianai.metric import Latency
from discordianai.operations.metrics import declared, notable, read
from discordianai.operations.snapshot import Snapshot
from tests.operations.builders import provider, well

NAME = re.compile(r"[a-z][a-z0-9_]*")


def test_every_metric_has_a_name_of_its_own_and_a_help_text() -> None:
    names = [series.metric.name for series in declared()]
    assert len(names) == len({*names}) > 60
    for series in declared():
        assert NAME.fullmatch(series.metric.name)
        assert series.metric.help[0].isupper() or series.metric.help[0].isdigit()
        assert not series.metric.help.endswith(".")


def test_each_figure_has_as_many_labels_as_its_metric_and_is_of_its_kind() -> None:
    for series, rows in read(well()):
        figures = list(rows)
        assert figures, series.metric.name
        for labels, figure in figures:
            assert len(labels) == len(series.labels), series.metric.name
            assert isinstance(figure, Latency) is (series.kind == "histogram"), series.metric.name


def with_unprotected(count: int) -> Snapshot:
    return well(questions=replace(well().questions, unprotected=count))


def test_what_is_notable_is_told_where_it_is_not_0() -> None:
    late = "Acknowledgements that Discord did not accept (late): 1"
    assert notable(well()) == (late,)
    assert set(notable(with_unprotected(1200))) == {
        late,
        "Questions not stored, which a crash would have lost: 1,200",
    }
    refused = replace(provider(), dispatch=replace(provider().dispatch, refused=3))
    (told,) = set(notable(well(providers={"openai": refused}))) - {late}
    assert told.endswith("(openai): 3")


def test_between_two_snapshots_only_what_came_between_them_is_told() -> None:
    assert notable(with_unprotected(7), with_unprotected(5)) == (
        "Questions not stored, which a crash would have lost: 2",
    )
    assert notable(well(), well()) == ()
    before = well(discord=replace(well().discord, unacknowledged={Unacknowledged.FAILED: 2}))
    assert notable(well(), before) == ("Acknowledgements that Discord did not accept (late): 1",)
