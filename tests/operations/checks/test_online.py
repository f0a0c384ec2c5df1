"""Discord and the providers are asked: the sandbox's own, over real sockets."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trio

from discordianai.discord.shard_range import parse
from discordianai.operations.checks.discord_check import judge_intents, judge_shards, judge_starts
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.operations.checks.online import ask_all
from discordianai.sandbox.certificates import Authority, make_authority
from discordianai.sandbox.discord import DiscordOptions
from discordianai.sandbox.http import ServerOptions
from discordianai.sandbox.launcher import Sandbox, open_sandbox
from discordianai.sandbox.providers import ServiceOptions
from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.chat.foreign_service import ForeignService
from discordianai.sandbox.providers.model_catalog import OPENAI
from discordianai.sandbox.providers.provider_faults import Fault, FaultKind
from discordianai.settings import file as settings_file
from tests.operations.checks.builders import about, everything, subjects
from tests.transport.connect_proxy import ConnectProxy, open_proxy

FAST = ServiceOptions(first_token=0.01, between_tokens=0.001)
SECRETS = ("sandbox-token", "sandbox-key")
BAD = (CheckStatus.WARNING, CheckStatus.PROBLEM)


@dataclass(frozen=True)
class Scene:
    """The sandbox, and the question how it does."""

    sandbox: Sandbox

    async def ask(
        self, changes: Mapping[str, Mapping[str, object]] | None = None, seconds: float = 10.0
    ) -> list[Finding]:
        """All findings; no secret is among them, whatever they are."""
        self.sandbox.write_settings(changes)
        settings = settings_file.load(self.sandbox.settings, {})
        findings = await ask_all(settings, seconds)
        assert not any(secret in everything(findings) for secret in SECRETS)
        return findings


Stage = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def stage(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Opens a `Scene`, whose authority this process trusts."""
    for name in ("SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    @asynccontextmanager
    async def open_scene(
        discord: DiscordOptions | None = None,
        providers: ServiceOptions = FAST,
        server: ServerOptions | None = None,
    ) -> AsyncIterator[Scene]:
        opened = open_sandbox(
            tmp_path, authority=authority, discord=discord, providers=providers, server=server
        )
        async with opened as sandbox:
            yield Scene(sandbox)

    return open_scene


async def test_where_all_is_well_everything_is_told(stage: Stage) -> None:
    async with stage() as scene:
        findings = await scene.ask()
        requests = [*scene.sandbox.openai.requests, *scene.sandbox.perplexity.requests]
    assert subjects(findings, *BAD) == set()
    assert about(findings, "discord bot").found == "it is discordianai"
    assert about(findings, "discord starts").figures == {"remaining": 1000, "total": 1000}
    assert {"discord connection", "discord gateway", "clock"} <= subjects(findings, CheckStatus.OK)
    for name, model in (("openai", "gpt-6-luna"), ("perplexity", "fast")):
        assert about(findings, f"{name} connection").figures["protocol"] == "HTTP/2"
        answer = about(findings, f"{name} answer")
        assert (answer.figures["model"], answer.figures["protocol"]) == (model, "HTTP/2")
    assert len(requests) == 2


async def test_a_provider_stops_after_the_first_token(stage: Stage) -> None:
    async with stage() as scene:
        await scene.ask()
        with trio.fail_after(5):
            while scene.sandbox.openai.in_flight:  # noqa: ASYNC110  # a service tells nobody
                await trio.sleep(0.01)
        assert scene.sandbox.openai.cut_by_client == 1


async def test_a_rejected_token_is_told_once_and_no_start_would_help(stage: Stage) -> None:
    async with stage() as scene:
        findings = await scene.ask({"discord": {"token": "another-token"}})
    assert about(findings, "discord").fatal
    assert "Reset Token" in about(findings, "discord").advice
    assert "another-token" not in everything(findings)
    assert about(findings, "openai answer").verdict is CheckStatus.OK


@pytest.mark.parametrize(
    ("fault", "verdict", "said", "advice"),
    [
        (Fault.wrong_key(), CheckStatus.PROBLEM, "the key is rejected", "replace the rejected key"),
        (Fault.quota(), CheckStatus.PROBLEM, "the account has no credit left", "top it up at OpenAI"),
        (Fault.rate_limited(), CheckStatus.WARNING, "at its limit right now", "[rate_limits.openai]"),
        (
            Fault(FaultKind.STATUS, status=503),
            CheckStatus.PROBLEM,
            "OpenAI is having trouble right now",
            "status page",
        ),
        (
            Fault(FaultKind.STATUS, status=400, param="reasoning_effort"),
            CheckStatus.PROBLEM,
            "reasoning_effort",
            "[providers.openai]",
        ),
        (Fault(FaultKind.CUT), CheckStatus.PROBLEM, "The connection to OpenAI was lost", "try again"),
    ],
)
async def test_an_answer_that_does_not_come_is_told_with_what_to_do(
    stage: Stage, fault: Fault, verdict: CheckStatus, said: str, advice: str
) -> None:
    async with stage() as scene:
        scene.sandbox.openai.outage = fault
        findings = await scene.ask()
    finding = about(findings, "openai answer")
    assert finding.verdict is verdict
    assert said in finding.found
    assert advice in finding.advice
    assert about(findings, "perplexity answer").verdict is CheckStatus.OK
    assert about(findings, "openai connection").verdict is CheckStatus.OK


async def test_a_wrong_key_is_rejected_by_the_provider_itself(stage: Stage) -> None:
    async with stage() as scene:
        findings = await scene.ask({"providers.perplexity": {"api_key": "a-wrong-key"}})
    assert "PERPLEXITY_API_KEY" in about(findings, "perplexity answer").advice
    assert "a-wrong-key" not in everything(findings)


async def test_a_model_that_is_not_known_is_told_by_its_name(stage: Stage) -> None:
    async with stage() as scene:
        findings = await scene.ask({"providers.openai": {"model": "gpt-unheard-of"}})
    assert "the model gpt-unheard-of does not exist" in about(findings, "openai answer").found
    assert about(findings, "openai answer").verdict is CheckStatus.PROBLEM


async def test_a_server_without_http2_is_told_with_the_reason(stage: Stage) -> None:
    async with stage(server=ServerOptions(alpn=("http/1.1",))) as scene:
        findings = await scene.ask()
    finding = about(findings, "openai connection")
    assert finding.verdict is CheckStatus.OK
    assert finding.found.endswith("HTTP/1.1, because the server does not offer HTTP/2")
    assert about(findings, "openai answer").figures["protocol"] == "HTTP/1.1"


async def test_settings_beyond_what_the_account_allows_are_told(stage: Stage) -> None:
    async with stage(providers=ServiceOptions(first_token=0.01, requests_per_minute=60)) as scene:
        findings = await scene.ask()
    told = [finding for finding in findings if finding.subject == "openai limits"]
    assert [finding.verdict for finding in told] == [CheckStatus.WARNING, CheckStatus.OK]
    assert told[0].found == "requests_per_minute is 500, and the account allows 60"
    assert told[0].advice == "requests_per_minute = 60 in [rate_limits.openai]"


async def test_a_burst_beyond_what_an_account_allows_in_a_second_is_told(stage: Stage) -> None:
    """Perplexity's headers say so; with them, the shipped settings fit a new account."""
    async with stage() as scene:
        fitting = await scene.ask()
        beyond = await scene.ask({"rate_limits.perplexity": {"requests_per_minute": 50, "burst": 5}})
    found = about(fitting, "perplexity limits")
    assert (found.verdict, found.figures["allowed"]) == (CheckStatus.OK, 1)
    found = about(beyond, "perplexity limits")
    assert (found.verdict, found.advice) == (CheckStatus.WARNING, "burst = 1 in [rate_limits.perplexity]")


async def test_an_interface_that_is_not_there_is_told_with_the_keys_that_name_it(stage: Stage) -> None:
    """A dialect is never guessed from an answer."""
    async with stage() as scene:
        findings = await scene.ask({"providers.openai": {"dialect": "agent", "model": "perplexity/sonar"}})
    finding = about(findings, "openai answer")
    assert finding.verdict is CheckStatus.PROBLEM
    assert finding.advice == "check base_url and dialect in [providers.openai]"


@pytest.mark.parametrize(
    ("days", "verdict", "said"),
    [
        (16, CheckStatus.PROBLEM, "gpt-5-mini is shut down in 16 days, on {day}"),
        (29, CheckStatus.PROBLEM, "gpt-5-mini is shut down in 29 days, on {day}"),
        (45, CheckStatus.WARNING, "gpt-5-mini is shut down in 45 days, on {day}"),
        (-3, CheckStatus.PROBLEM, "gpt-5-mini was to be shut down on {day}"),
    ],
)
async def test_a_model_that_will_end_is_told_with_the_days_left(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, days: int, verdict: CheckStatus, said: str
) -> None:
    """A problem from 30 days on; the day is in the provider's list of models."""
    day = (datetime.now(UTC).date() + timedelta(days)).isoformat()
    monkeypatch.setitem(OPENAI, "gpt-5-mini", replace(OPENAI["gpt-5-mini"], shutdown_date=day))
    async with stage() as scene:
        both = {"model": "gpt-6-luna", "more_models": ["gpt-5-mini"]}
        findings = await scene.ask({"providers.openai": both})
    finding = about(findings, "openai model")
    assert (finding.verdict, finding.found) == (verdict, said.format(day=day))
    assert finding.advice == "choose another model in [providers.openai] before that"
    assert finding.figures["days_left"] == days


async def test_each_model_in_use_is_asked_as_the_bot_asks(stage: Stage) -> None:
    """The same instructions, identifier of the person, tools, effort and a picture; the text is no secret."""
    async with stage() as scene:
        both = {"model": "gpt-6-luna", "more_models": ["gpt-6.1-terra"], "reasoning_effort": "low"}
        findings = await scene.ask(
            {"providers.openai": both, "assistant": {"instructions": "Answer in rhymes."}}
        )
        usual, further = scene.sandbox.openai.requests
        (searching,) = scene.sandbox.perplexity.requests
    assert about(findings, "openai answer").figures["model"] == "gpt-6-luna"
    assert about(findings, "openai answer (gpt-6.1-terra)").verdict is CheckStatus.OK
    assert (usual["model"], further["model"]) == ("gpt-6-luna", "gpt-6.1-terra")
    assert usual["instructions"] == "Answer in rhymes."
    assert usual["reasoning"] == {"effort": "low"}
    assert len(usual["safety_identifier"]) == 32
    assert [tool["name"] for tool in usual["tools"]] == ["web_search"]
    assert "tools" not in further  # by name, the bot offers none
    assert usual["input"][0]["content"][1]["image_url"].startswith("data:image/png;base64,")
    assert searching["instructions"].startswith("Answer in rhymes.")


async def test_the_dialect_and_the_headers_are_told(stage: Stage) -> None:
    """Which dialect is spoken, and why; and what the provider says of its limits."""
    async with stage() as scene:
        foreign = {
            "providers.foreign": {**scene.sandbox.with_foreign["providers.foreign"], "dialect": "auto"}
        }
        findings = await scene.ask(foreign)
    assert about(findings, "openai dialect").found == "responses, as set in [providers.openai]"
    assert about(findings, "foreign dialect").found == "chat, the default for the host 127.0.0.1"
    assert "x-ratelimit-limit-requests: 500" in about(findings, "openai headers").found
    assert about(findings, "foreign headers").found == "no rate limit in them: [rate_limits] alone counts"


@pytest.mark.parametrize(
    ("message", "param"), [("tools are not supported", "tools"), ("Werkzeuge kann ich nicht", None)]
)
async def test_tools_that_are_refused_are_told(stage: Stage, message: str, param: str | None) -> None:
    """The answer comes without them, as for the bot; the finding says what that means."""
    async with stage() as scene:
        scene.sandbox.openai.misbehave(Fault(FaultKind.STATUS, status=400, param=param, message=message))
        findings = await scene.ask()
        asked = list(scene.sandbox.openai.requests)
    assert ["tools" in request for request in asked] == [
        True,
        False,
        False,
    ]  # what is refused, then the answer
    finding = about(findings, "openai tools")
    assert finding.verdict is CheckStatus.WARNING
    assert finding.found.startswith("gpt-6-luna refuses function tools")
    assert "tools = false in [providers.openai]" in finding.advice
    assert about(findings, "openai answer").verdict is CheckStatus.OK


async def test_pictures_that_are_refused_are_told(stage: Stage) -> None:
    """The sandbox's local model reads none, and its settings say that it does."""
    async with stage() as scene:
        foreign = {**scene.sandbox.with_foreign["providers.foreign"], "images": True}
        findings = await scene.ask({"providers.foreign": foreign})
    finding = about(findings, "foreign images")
    assert finding.verdict is CheckStatus.PROBLEM
    assert finding.found == "local-model refuses images: people who send one get no answer from Foreign"
    assert "images = false in [providers.foreign]" in finding.advice
    assert about(findings, "foreign answer").verdict is CheckStatus.OK


async def test_a_wrong_base_path_is_told_with_the_usual_mistake(stage: Stage) -> None:
    async with stage() as scene:
        url = scene.sandbox.openai.url.removesuffix("/v1")
        findings = await scene.ask({"providers.openai": {"base_url": url}})
    finding = about(findings, "openai answer")
    assert finding.verdict is CheckStatus.PROBLEM
    assert finding.found.startswith("the address does not offer this API")
    assert finding.found.endswith(url.removeprefix("https://"))
    assert finding.advice.endswith("[providers.openai]; most addresses end in a version, such as /v1")


async def test_a_model_that_is_gone_is_told_with_what_is_listed(stage: Stage) -> None:
    """Similar names first: most often, it is a mistyped one."""
    async with stage() as scene:
        foreign = {**scene.sandbox.with_foreign["providers.foreign"], "model": "local-modell"}
        openai = {"model": "gpt-5-nano"}
        findings = await scene.ask({"providers.foreign": foreign, "providers.openai": openai})
    for name, model, other in (
        ("foreign", "local-modell", "it lists local-model"),
        ("openai", "gpt-5-nano", "gpt-5-mini"),
    ):
        finding = about(findings, f"{name} answer")
        assert finding.verdict is CheckStatus.PROBLEM
        assert f"the model {model} does not exist" in finding.found
        assert other in finding.advice


async def test_a_404_for_a_model_is_not_taken_for_a_wrong_path(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some endpoints answer alike to both; their list of models tells."""

    async def refuse(*_: object) -> None:
        raise ApiError(404, message="404 page not found")

    monkeypatch.setattr(ForeignService, "_complete", refuse)
    async with stage() as scene:
        foreign = scene.sandbox.with_foreign["providers.foreign"]
        there = await scene.ask({"providers.foreign": foreign})
        gone = await scene.ask({"providers.foreign": {**foreign, "model": "llama9"}})
    assert "the address does not offer this API" in about(there, "foreign answer").found
    assert "the model llama9 does not exist" in about(gone, "foreign answer").found


async def test_a_slow_endpoint_is_told(stage: Stage) -> None:
    """From half of the time after which the bot gives up."""
    async with stage(providers=replace(FAST, first_token=0.3)) as scene:
        slow = {"first_token_timeout": 0.5, "read_timeout": 0.5}
        findings = await scene.ask({"providers.openai": slow})
    finding = about(findings, "openai answer")
    assert finding.verdict is CheckStatus.WARNING
    assert finding.found.endswith("the bot gives up after 0.5 s")
    assert "choose a faster model" in finding.advice
    assert about(findings, "perplexity answer").verdict is CheckStatus.OK


async def test_a_third_provider_is_asked_as_the_others_are(stage: Stage) -> None:
    """By its table alone."""
    async with stage() as scene:
        findings = await scene.ask(scene.sandbox.with_foreign)
    assert about(findings, "foreign connection").verdict is CheckStatus.OK
    assert about(findings, "foreign answer").verdict is CheckStatus.OK
    assert about(findings, "foreign answer").figures["model"] == "local-model"


@pytest.mark.slow
async def test_one_that_hangs_is_told_in_time_and_hides_no_other(stage: Stage) -> None:
    async with stage() as scene:
        scene.sandbox.openai.misbehave(Fault(FaultKind.SLOW, seconds=60))
        scene.sandbox.openai.options = ServiceOptions(first_token=60)
        began = trio.current_time()
        findings = await scene.ask(seconds=5.0)
        assert trio.current_time() - began < 20
    assert about(findings, "openai answer").found == "no answer within 5 s"
    assert subjects(findings, *BAD) == {"openai answer"}


async def test_a_server_that_never_finishes_the_handshake_hides_no_other(stage: Stage) -> None:
    async with stage(server=ServerOptions(handshake_delay=30)) as scene:
        findings = await scene.ask(seconds=3.0)
    assert about(findings, "openai connection").verdict is CheckStatus.PROBLEM
    assert about(findings, "perplexity connection").verdict is CheckStatus.PROBLEM
    assert about(findings, "discord bot").verdict is CheckStatus.OK


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/api/v10", "127.0.0.1:1: Connection refused"),
        ("http://discord.invalid/api/v10", "the name discord.invalid cannot be resolved"),
    ],
)
async def test_a_discord_that_cannot_be_reached_is_told_with_the_reason(
    stage: Stage, address: str, said: str
) -> None:
    async with stage() as scene:
        findings = await scene.ask({"discord": {"api_url": address}})
    assert about(findings, "discord connection").found == said
    assert about(findings, "discord").found == "Discord could not be reached: ConnectError"
    assert about(findings, "openai answer").verdict is CheckStatus.OK


async def test_a_discord_that_is_ill_is_told_for_what_it_did_not_answer(stage: Stage) -> None:
    async with stage() as scene:
        scene.sandbox.discord.fail_next("/gateway/bot", 500)
        findings = await scene.ask()
    assert about(findings, "discord").found == "Discord answers 500 to /gateway/bot"
    assert about(findings, "discord bot").verdict is CheckStatus.OK


async def test_an_authority_that_is_not_trusted_is_told(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage() as scene:
        make_authority().write_ca(tmp_path / "other.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        findings = await scene.ask()
    assert "is not trusted" in about(findings, "openai connection").found
    assert "SSL_CERT_FILE" in about(findings, "openai connection").advice
    assert "openai answer" not in subjects(findings, *CheckStatus)


async def test_a_provider_is_reached_through_the_proxy_as_the_bot_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP/2 in a tunnel for both questions; Discord's gateway bypasses it."""
    async with stage() as scene, open_proxy(ConnectProxy(wants=("me", "secret"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        findings = await scene.ask()
        openai = scene.sandbox.openai.url.removeprefix("https://")
        assert proxy.tunnels.count(openai.partition("/")[0]) == 2
    connection = about(findings, "openai connection")
    assert f"through the proxy http://127.0.0.1:{proxy.port}, accepted a connection in" in connection.found
    assert connection.figures["protocol"] == "HTTP/2"
    assert about(findings, "openai answer").figures["protocol"] == "HTTP/2"
    assert subjects(findings, *BAD) == set()
    assert "secret" not in everything(findings)


async def test_a_proxy_that_takes_no_connection_is_told_without_its_password(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:1")
    async with stage() as scene:
        findings = await scene.ask()
    assert about(findings, "openai connection").found == (
        "the proxy http://127.0.0.1:1 cannot be reached: Connection refused"
    )
    assert "secret" not in everything(findings)


async def test_a_clock_that_is_wrong_is_told(stage: Stage) -> None:
    async with stage(providers=ServiceOptions(first_token=0.01, clock_ahead=300)) as scene:
        scene.sandbox.discord.advance(300)
        findings = await scene.ask()
    clock = about(findings, "clock")
    assert clock.verdict is CheckStatus.PROBLEM
    assert clock.found == "300 s behind discord, openai, perplexity"


async def test_what_has_no_secret_is_not_asked(stage: Stage, tmp_path: Path) -> None:
    async with stage() as scene:
        reading = settings_file.examine(scene.sandbox.settings, {})
        assert reading.settings is not None
        without = reading.settings.model_copy(
            update={"discord": replace(reading.settings.discord, token=None)}
        )
        findings = await ask_all(without, 10.0)
    told = subjects(findings, *CheckStatus)
    assert {subject for subject in told if subject.startswith("discord")} == {"discord connection"}
    assert scene.sandbox.discord.counters.refused == []


async def test_intents_that_are_granted_are_told(stage: Stage) -> None:
    async with stage(discord=DiscordOptions(application_flags=1 << 19 | 1 << 14)) as scene:
        finding = about(await scene.ask(), "discord intents")
    assert finding.verdict is CheckStatus.OK
    assert finding.figures == {"presence": False, "server_members": True, "message_content": True}


async def test_to_respond_to_mentions_needs_the_content_of_messages(stage: Stage) -> None:
    async with stage(discord=DiscordOptions(application_flags=1 << 14)) as scene:
        finding = about(await scene.ask({"discord": {"respond_to": "mentions"}}), "discord intents")
    assert finding.fatal
    assert "switch on Message Content Intent at https://discord.com/developers/applications" in finding.advice
    assert 'respond_to = "commands"' in finding.advice


@pytest.mark.parametrize(
    ("flags", "fatal", "said"),
    [
        (0, True, "the settings need the intent message content, which is turned off"),
        (1 << 18, False, "message content is switched on"),
        (1 << 19, False, "message content is switched on, for a bot in less than 100 servers"),
        (1 << 12, True, "the settings need the intent message content, which is turned off"),
    ],
)
def test_an_intent_that_the_settings_need_has_to_be_granted(flags: int, fatal: bool, said: str) -> None:
    finding = judge_intents(flags, frozenset({"message content"}))
    assert finding.fatal is fatal
    assert finding.found == said


@pytest.mark.parametrize(
    ("left", "verdict"), [(1000, CheckStatus.OK), (150, CheckStatus.WARNING), (49, CheckStatus.PROBLEM)]
)
def test_few_starts_that_are_left_are_told(left: int, verdict: CheckStatus) -> None:
    assert judge_starts({"remaining": left, "total": 1000, "reset_after": 3_600_000}).verdict is verdict


@pytest.mark.parametrize(
    ("left", "verdict"), [(1000, CheckStatus.OK), (210, CheckStatus.WARNING), (65, CheckStatus.PROBLEM)]
)
def test_a_start_takes_an_identify_for_each_shard(left: int, verdict: CheckStatus) -> None:
    """And the last fifty are kept."""
    finding = judge_starts({"remaining": left, "total": 1000, "reset_after": 3_600_000}, 64)
    assert finding.verdict is verdict
    assert "a start of the bot takes 64" in finding.found


@pytest.mark.parametrize(
    ("recommended", "shards", "verdict", "words"),
    [
        (1, 1, CheckStatus.OK, "1 shard"),
        (1, "auto", CheckStatus.OK, '"auto": 1 shard, as Discord recommends'),
        (16, "auto", CheckStatus.OK, '"auto": 16 shards, as Discord recommends; a start takes 75 s'),
        (16, 16, CheckStatus.OK, "16 shards; a start takes 75 s"),
        (16, "0-3/16", CheckStatus.OK, "16 shards, of which this process runs 0-3/16; a start takes 15 s"),
        (3, 1, CheckStatus.WARNING, "1 shard; Discord recommends 3"),
        (16, "0-3/4", CheckStatus.WARNING, "4 shards; Discord recommends 16"),
        (2, 4, CheckStatus.OK, "4 shards; a start takes 15 s"),
        (2, 16, CheckStatus.WARNING, "16 shards; Discord recommends 2"),
    ],
)
def test_shards_are_compared_with_what_discord_recommends(
    recommended: int, shards: int | str, verdict: CheckStatus, words: str
) -> None:
    """Too few will be refused; far too many make each start longer."""
    finding = judge_shards(recommended, parse(shards), 1)
    assert (finding.verdict, finding.found) == (verdict, words)
    assert ("set shards" in finding.advice) is (recommended in {3, 16} and verdict is CheckStatus.WARNING)


def test_a_bucket_of_shards_of_its_own_makes_the_start_short() -> None:
    """With `max_concurrency` 16 all sixteen identify at the same time."""
    assert judge_shards(16, parse(16), 16).found == "16 shards"
    assert judge_shards(16, parse("0-3/16"), 2).found.endswith("a start takes 5 s")


async def test_a_401_of_a_proxy_says_nothing_about_the_token(stage: Stage) -> None:
    """A page that wants a login of its own: nobody has to set a new token for it."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n<p>Log in</p>")

    async with trio.open_nursery() as nursery, stage() as scene:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        found = everything(await scene.ask({"discord": {"api_url": f"http://127.0.0.1:{port}/api/v10"}}))
        nursery.cancel_scope.cancel()
    assert "rejects" not in found
    assert "Discord answers 401 to /gateway/bot" in found
