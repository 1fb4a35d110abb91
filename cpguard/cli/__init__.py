"""The command line: one verb a file, imported only when it is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from cpguard.errors import ConfigError, CpguardError, InputError, MissingExtraError

VERBS = ("check", "doctor", "models", "rewrite", "train")
USAGE, FAILURE = 2, 3


class _Lazy(click.Group):
    """A group that imports cpguard.cli.<verb> when the verb is used; its `command` is the verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(f"cpguard.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cpguard")
def cli() -> None:
    """Rewrite toxic LLM output instead of refusing it.

    \b
    cpguard rewrite "You idiot, the meeting is at 3 pm."
    cpguard check FILE.txt
    cpguard train smoke --output my-guard
    """  # noqa: D301 (click wants the character, not its name)


def main() -> None:
    """Run the command line; errors are one line on stderr.

    Exit codes: 0 fine, 1 something is flagged (check), 2 usage or configuration, 3 runtime failure.
    """
    try:
        cli()
    except CpguardError as exc:
        click.echo(f"cpguard: {exc}", err=True)
        sys.exit(USAGE if isinstance(exc, ConfigError | InputError | MissingExtraError) else FAILURE)
