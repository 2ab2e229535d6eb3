"""The command ``zestor``: its verbs, and the one place where errors become exit codes.

Exit codes: 0 done, 1 the requested condition was not met, 2 bad input or configuration, 3 cannot serve or connect, 130
interrupted. Messages for users go to standard error, results to standard output; the traceback of an error that ends
the command is shown with ``--debug`` only.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

from zestor_controller import __version__
from zestor_controller.cli.logs import configure_logging, report_error
from zestor_controller.errors import ApiError, ConfigError, SchemaError, TransportError, ZestorError

__all__ = ["cli", "main"]

# Verbs are imported when they are used, so that `zestor --help` returns at once.
_VERBS: Final = {
    "apiserver": ("zestor_controller.cli.apiserver", "apiserver", "Run an embedded API server, without controllers."),
    "chart": ("zestor_controller.cli.chart", "chart", "A Helm chart from an operator's code, kept in step with it."),
    "crd": ("zestor_controller.cli.crd", "crd", "Custom resource definitions from models."),
    "dev": ("zestor_controller.cli.dev", "dev", "Run an operator on an embedded cluster and show what happens."),
    "rbac": ("zestor_controller.cli.rbac", "rbac", "The rights that an operator needs, and whether they are granted."),
    "run": ("zestor_controller.cli.run", "run", "Run an operator against a cluster."),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _VERBS.get(cmd_name)
        if entry is None:
            return None
        module, name, _ = entry
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, entry[2]) for name, entry in sorted(_VERBS.items())])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zestor")
@click.option("--debug", is_flag=True, help="Show tracebacks in full, and log everything.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
)
def cli(debug: bool, log_format: str, log_level: str) -> None:
    """Write Kubernetes controllers in Python; run them with or without a cluster."""
    configure_logging(debug=debug, json_lines=log_format == "json", level=log_level)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code.

    Args:
        arguments: the command line without the program's name; the process's own unless given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        cli.main(arguments, prog_name="zestor", standalone_mode=False)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BaseExceptionGroup as group:
        return _report(_innermost(group), debug)
    except Exception as error:  # whatever it is, the user gets one line and a code
        return _report(error, debug)
    return 0


def _innermost(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        # Ours says more than what it brought down with it.
        group = next((e for e in group.exceptions if isinstance(e, ZestorError)), group.exceptions[0])
    return group


def _report(error: BaseException, debug: bool) -> int:
    if debug:
        raise error
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, ConfigError | SchemaError):
        report_error(str(error))
        return 2
    if isinstance(error, TransportError | ApiError):
        report_error(str(error))
        return 3
    if isinstance(error, OSError):
        report_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return 3
    text = " ".join(str(error).split())
    report_error(f"{type(error).__name__}: {text}; run again with --debug for the traceback")
    return 1


if __name__ == "__main__":
    main()
