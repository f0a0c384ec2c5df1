"""`discordianai init`: asks for what a bot needs, tries it, and writes it where it belongs."""

import argparse
import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from discordianai.cli import EX_CONFIG, proxies, service
from discordianai.cli.common import say
from discordianai.cli.configuration import (
    Configuration,
    ConfigurationFolder,
    Manager,
    available_port,
    endpoint,
    folder_is_shared,
    folder_of,
    parse_changes,
)
from discordianai.cli.prompts import NoTerminal, Prompts
from discordianai.cli.secret_dialog import NotAccepted, SecretDialog, Try
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.operations.checks.liveness import reached_at
from discordianai.operations.units.locations import UnitError
from discordianai.settings.document import SettingsError
from discordianai.settings.file import searched, validate
from discordianai.settings.secret_sources import DATABASE_PASSWORD, DISCORD_TOKEN, key_of
from discordianai.settings.tables import Settings

if TYPE_CHECKING:
    from discordianai.cli import Commands

PORTAL = "https://discord.com/developers/applications"
KEY_PAGES = {
    "openai": ("OpenAI", "https://platform.openai.com/api-keys"),
    "perplexity": ("Perplexity", "https://www.perplexity.ai/account/api/keys"),
}
MANAGERS = (Manager.NONE, Manager.USER, Manager.SYSTEM)


def add_to(commands: "Commands") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "init",
        help="set the bot up by answering questions",
        description="Ask for the bot's token and the providers' keys, try each of them, and write"
        " settings.toml and the secrets. Nothing is overwritten, so it can be run again. It does not ask for"
        " what an option or the environment (DISCORD_TOKEN, OPENAI_API_KEY, ...) provides; without a"
        " terminal it asks nothing.",
    )
    parser.add_argument(
        "--service",
        type=Manager,
        choices=list(Manager),
        help="what starts the bot: you (none), systemd for you, or systemd for the machine",
    )
    parser.add_argument(
        "--settings", type=Path, metavar="PATH", help="instead of ./settings.toml, without a service"
    )
    for name, words in {
        "token": "the bot's token",
        "openai-key": "OpenAI's key",
        "perplexity-key": "Perplexity's key",
        "endpoint-key": "the key of --endpoint",
        "database-password": "the password of a PostgreSQL database",
    }.items():
        parser.add_argument(f"--{name}-file", type=Path, metavar="FILE", help=f"a file with {words}")
    parser.add_argument("--endpoint", metavar="URL", help="base_url of another OpenAI-compatible provider")
    parser.add_argument("--endpoint-name", metavar="NAME", help="its name in the settings")
    parser.add_argument("--endpoint-model", metavar="MODEL", help="its model")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another key of settings.toml, such as operations.port=8081; may be repeated",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="store everything untried: ask neither Discord nor the providers",
    )
    parser.set_defaults(command=_init)


def _init(options: argparse.Namespace) -> int:
    terminal = Prompts()
    try:
        setup = Setup(options, terminal)
        setup.run()
    except (NoTerminal, UnitError) as error:
        say(str(error))
        return 1
    except NotAccepted:
        say("Nothing was stored for it. Correct it, or store it untried with --offline.")
        return EX_CONFIG
    return 0


class Setup:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, terminal: Prompts) -> None:
        self._options = options
        self._terminal = terminal
        self._say = terminal.say
        self._configuration = Configuration(self._choose_folder())
        self._folder = self._configuration.folder
        self._secrets = SecretDialog(self._configuration, terminal, offline=options.offline)

    def run(self) -> None:
        """Go through it from the beginning to the command that starts the bot."""
        if not self._options.offline:
            proxies.require()
        self._configuration.change(parse_changes(self._options.set))
        self._tell_what_is_there()
        self._token()
        for name in KEY_PAGES:
            self._key(name)
        self._endpoint()
        self._need_a_provider()
        self._database_password()
        self._write_settings()
        if self._folder.manager.bot is not None:
            self._install()
        self._finish()

    # Where

    def _choose_folder(self) -> ConfigurationFolder:
        manager = self._options.service
        if manager is not None and manager is not Manager.NONE and self._options.settings is not None:
            raise SettingsError("--settings: a service has its settings in its own folder; leave it out")
        if manager is None:
            manager = Manager.NONE
            if self._terminal.interactive and self._options.settings is None:
                manager = self._ask_manager()
        folder = folder_of(manager, self._options.settings)
        if manager is Manager.SYSTEM and os.geteuid() != 0:
            raise UnitError(f"a service of the machine is set up by root: sudo {_program()} init")
        if folder_is_shared(folder.settings.parent):
            raise SettingsError(
                f"{folder.settings.parent.absolute()} can be written to by everyone: choose another folder"
            )
        return folder

    def _ask_manager(self) -> Manager:
        self._say("How will the bot be started?")
        has_systemd = shutil.which("systemctl") is not None
        note = "" if has_systemd else "; there is no systemd here"
        here, of_user, of_system = (folder_of(manager).settings for manager in MANAGERS)
        choices = (
            f"by you, in a terminal or a container: {here.absolute()}",
            f"by systemd, while you are logged in or always: {of_user}{note}",
            f"by systemd, as a protected service of this machine (needs root): {of_system}{note}",
        )
        return MANAGERS[self._terminal.choose("Number", choices)]

    def _tell_what_is_there(self) -> None:
        file = self._folder.settings.absolute()
        if self._configuration.is_new:
            self._say(f"Settings: {file} (new)")
        else:
            self._say(f"Settings: {file} (exists, stays as it is)")

    # Secrets

    def _token(self) -> None:
        if self._configuration.has(DISCORD_TOKEN):
            self._secrets.look_again("Bot's token", DISCORD_TOKEN, self._accepts_token)
            return
        self._say(f"\nBot's token: open {PORTAL}, choose your application")
        self._say("(New Application, if there is none), page Bot, Reset Token.")
        given = self._secrets.given(DISCORD_TOKEN, self._options.token_file)
        self._secrets.take(DISCORD_TOKEN, given, self._accepts_token, option="--token-file", needed=True)

    def _key(self, name: str) -> None:
        secret, (label, page) = key_of(name), KEY_PAGES[name]
        if self._configuration.has(secret):
            self._secrets.look_again(f"{label} key", secret, self._accepts_key(name))
            return
        given = self._secrets.given(secret, getattr(self._options, f"{name}_key_file"))
        if given or self._terminal.interactive:
            self._say(f"\n{label} key: {page}{'' if given else ' (Enter: do without)'}")
            self._secrets.take(
                secret, given, self._accepts_key(name), option=f"--{name}-key-file", needed=False
            )

    def _accepts_token(self, settings: Settings) -> bool:
        # Imported here: they take longer than all of the rest.
        from discordianai.discord.commands.invitation import link
        from discordianai.operations.checks.trial import try_token

        self._quiet(settings)
        self._say("Asking Discord ...")
        findings, application = try_token(settings)
        self._tell(findings)
        if application is None:
            return False
        self._say(f"Add the bot to a server: {link(application)}")
        return True

    def _accepts_key(self, name: str) -> Try:
        def accepts(settings: Settings) -> bool:
            from discordianai.operations.checks.trial import failed, refuses_images, try_provider

            self._quiet(settings)
            self._say(f"Asking {settings.record(name).label} ...")
            findings = try_provider(settings, name)
            self._tell(findings)
            if refuses_images(findings) and self._configuration.is_new:
                self._configuration.change({"providers": {name: {"images": False}}})
                self._say(f"  images = false will be in [providers.{name}].")
            return not failed(findings)

        return accepts

    def _quiet(self, settings: Settings) -> None:
        from discordianai.operations import logs

        logs.configure(replace(settings.logging, level="ERROR"))  # what matters is said here

    def _tell(self, findings: list[Finding]) -> None:
        for finding in findings:
            word = "ok" if finding.verdict is CheckStatus.OK else str(finding.verdict).upper()
            self._say(f"  {word}: {finding.subject}: {finding.found}")
            if finding.advice:
                self._say(f"    -> {finding.advice}")

    # Another provider

    def _endpoint(self) -> None:
        options = self._options
        url: str = options.endpoint or ""
        if not url and not self._configuration.is_new:
            self._say(f"\nAnother provider is a table [providers.NAME] of {self._folder.settings}:")
            self._say("`discordianai settings` shows how it looks.")
        elif not url and self._terminal.interactive:
            self._say("\nAnother provider: any OpenAI-compatible address, such as http://127.0.0.1:11434/v1")
            url = self._terminal.ask("Its address (Enter: none)")
        while url:
            try:
                self._add_endpoint(url)
            except SettingsError as error:
                if not self._terminal.interactive or options.endpoint or not self._configuration.is_new:
                    raise
                for problem in error.problems:
                    self._say(problem)
                url = self._terminal.ask("Its address (Enter: none)")
            else:
                return

    def _add_endpoint(self, url: str) -> None:
        validate(endpoint("local", url, "any"))  # before more is asked about it
        name = self._options.endpoint_name or self._answer("Its name", _name_of(url))
        model = self._options.endpoint_model or self._answer("Its model", "")
        if not model:
            by = "type" if self._terminal.interactive else "--endpoint-model tells"
            raise SettingsError(f"the model is missing: {by} the name that the provider knows it by")
        self._configuration.change(endpoint(name, url, model))
        secret = key_of(name)
        if self._configuration.has(secret):
            return
        given = self._secrets.given(secret, self._options.endpoint_key_file)
        accepts = self._accepts_key(name)
        if given or self._terminal.interactive:
            self._say("Its key (Enter: it needs none)")
            self._secrets.take(secret, given, accepts, option="--endpoint-key-file", needed=False)
        if self._configuration.has(secret) or self._options.offline:
            return
        if not accepts(self._configuration.settings) and not self._terminal.interactive:
            raise NotAccepted

    def _answer(self, question: str, default: str) -> str:
        return self._terminal.ask(question, default) if self._terminal.interactive else default

    def _need_a_provider(self) -> None:
        while not self._configuration.settings.configured:
            if not self._terminal.interactive:
                raise NoTerminal(
                    "no provider is set up: use --openai-key-file, --perplexity-key-file or --endpoint"
                )
            self._say("\nThe bot needs at least one of them.")
            for name in KEY_PAGES:
                self._key(name)
            self._endpoint()

    # The database

    def _database_password(self) -> None:
        url, secret = self._configuration.settings.conversations.url, DATABASE_PASSWORD
        if url is None:
            return
        self._say(f"\nDatabase: {url}")
        if self._configuration.has(secret):
            self._secrets.look_again("Its password", secret, self._accepts_password)
            return
        given = self._secrets.given(secret, self._options.database_password_file)
        if given or self._terminal.interactive:
            self._say("Its password (Enter: it needs none, or ~/.pgpass has it)")
            option = "--database-password-file"
            self._secrets.take(secret, given, self._accepts_password, option=option, needed=False)
        if self._configuration.has(secret) or self._options.offline:
            return
        if not self._accepts_password(self._configuration.settings) and not self._terminal.interactive:
            raise NotAccepted

    def _accepts_password(self, settings: Settings) -> bool:
        from discordianai.operations.checks.trial import failed, try_database

        self._quiet(settings)
        self._say("Asking PostgreSQL ...")
        findings = try_database(settings)
        self._tell(findings)
        return not failed(findings)

    # The end

    def _write_settings(self) -> None:
        if not self._configuration.is_new:
            return
        operations = self._configuration.settings.operations
        port = available_port(operations.host, operations.port) if operations.port else 0
        if port and port != operations.port:
            self._say(
                f"\nPort {operations.port} is taken on this machine: the status page will be on {port}."
            )
            self._configuration.change({"operations": {"port": port}})
        self._configuration.save_settings()
        self._say(f"\nWritten: {self._folder.settings}")

    def _install(self) -> None:
        bot = self._folder.manager.bot
        assert bot is not None  # noqa: S101  # for mypy: run() has looked
        prepared = service.prepare(bot, self._folder.settings)
        if prepared.hindered:
            raise UnitError("\n".join(prepared.hindered))
        for line in service.write_units(prepared):
            self._say(line)
        for doubt in prepared.doubts:
            self._say(doubt)

    def _finish(self) -> None:
        operations = self._configuration.settings.operations
        self._say("\nDone. To check everything again: " + self._command("check --online"))
        if operations.port:
            host = reached_at(operations.host)
            self._say(f"While the bot runs, http://{host}:{operations.port} shows its status.")
        if self._folder.manager is Manager.USER:
            self._say("To keep it running while you are logged out: loginctl enable-linger")
        self._say("If Discord does not show the commands at once, reload it (Ctrl+R).")
        self._say("Start the bot:")
        self._say(f"  {self._start()}")

    def _start(self) -> str:
        bot = self._folder.manager.bot
        if bot is None:
            return self._command("run")
        return f"{bot.places.systemctl} daemon-reload && {bot.places.systemctl} enable --now {bot.unit}"

    def _command(self, words: str) -> str:
        found = next((file for file in searched() if file.exists()), None)
        file = self._folder.settings
        named = found is not None and found.absolute() == file.absolute()
        return f"{_program()} {words}{'' if named else f' --settings {shlex.quote(str(file))}'}"


def _name_of(url: str) -> str:
    """A name for the provider at that address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    labels = [label for label in host.split(".") if label.isalpha() and label not in {"api", "www", "com"}]
    return labels[0].lower() if labels and host != "localhost" else "local"


def _program() -> str:
    """How the operator has called this program."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m discordianai"
    found = shutil.which(called.name)
    if found is not None and Path(found).resolve() == called.resolve():
        return called.name
    return shlex.quote(str(called))
