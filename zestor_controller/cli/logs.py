"""Log records as text or JSON, with the part of a traceback that the author of an operator can act on.

Invariant: a record that carries an exception is never printed without its type, its message and the frames outside this
package. Frames of this package are left out, except with ``--debug``. Nothing else of a traceback is shortened: causes,
contexts and the members of an exception group are kept, with one exception: the cause of a ``ZestorError`` that this
package raised is left out if it has no frame in a file of the user's, because the error's message says it.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
import sysconfig
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeAlias

import zestor_controller
from zestor_controller.errors import ZestorError

__all__ = ["JsonFormatter", "TextFormatter", "configure_logging", "outside_frames", "report_error", "traceback_text"]

PACKAGE: Final = str(Path(zestor_controller.__file__).parent) + "/"
# Where installed packages and the standard library are.
LIBRARIES: Final = ("<frozen ", *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
HIDDEN: Final = "  (every frame is in zestor_controller: run again with --debug to see them)\n"
# What these libraries log at INFO is about themselves.
QUIET: Final = ("asyncio", "aiohttp", "kubernetes", "urllib3")
# The attributes of every record; what a record has beside them was passed in `extra`.
STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
OBJECT: Final = ("controller", "namespace", "object")
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logging(*, debug: bool, json_lines: bool, level: str) -> None:
    """Send every record of the process to standard error.

    Args:
        debug: log everything, and show tracebacks in full.
        json_lines: one JSON document a record, Python warnings included, instead of text.
        level: the lowest level that is logged, unless `debug`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(full=debug) if json_lines else TextFormatter(full=debug))
    logging.basicConfig(level=logging.DEBUG if debug else level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(json_lines)
    threading.excepthook = _log_thread
    if not debug:
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)


def report_error(message: str) -> None:
    """Write the error that ends the command: a record where logs are JSON, else a line for the user."""
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers):
        logging.getLogger("zestor").error("%s", message)
    else:
        sys.stderr.write(f"zestor: {message}\n")


def _log_thread(args: threading.ExceptHookArgs) -> None:
    """Log the exception that ended a thread, in the format of all other records."""
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return  # as threading's own hook does
    name = args.thread.name if args.thread is not None else "?"
    logging.getLogger("threading").error("thread %s ended with an exception", name, exc_info=args.exc_value)


class TextFormatter(logging.Formatter):
    """One line a record, which names the controller and the object where they are known, then the traceback.

    Args:
        full: show the frames of this package too.
    """

    def __init__(self, *, full: bool = False) -> None:
        super().__init__("%(asctime)s  %(levelname)-7s %(message)s", "%H:%M:%S")
        self._full = full

    def format(self, record: logging.LogRecord) -> str:
        """A record as text."""
        # A copy: what another handler's formatter has cached in the record is not ours to show or to replace.
        record = copy.copy(record)
        record.exc_text = None
        controller, namespace, name = (getattr(record, key, None) for key in OBJECT)
        if controller and name:
            where = f"{namespace}/{name}" if namespace else name
            record.msg, record.args = f"{controller} {where}: {record.getMessage()}", ()
        return super().format(record)

    def formatException(self, ei: ExcInfo) -> str:
        """An exception as text."""
        return traceback_text(ei[1], full=self._full) if ei[1] is not None else ""


class JsonFormatter(logging.Formatter):
    """One JSON document a record; the controller and the object have controller-runtime's keys.

    Args:
        full: show the frames of this package too.
    """

    def __init__(self, *, full: bool = False) -> None:
        super().__init__()
        self._full = full

    def format(self, record: logging.LogRecord) -> str:
        """A record as JSON."""
        document: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for key, value in record.__dict__.items():
            if key in STANDARD or (key in OBJECT and not value):
                continue
            key = "name" if key == "object" else key
            document[f"extra_{key}" if key in document else key] = value
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            document["error"] = "".join(traceback.format_exception_only(error)).strip()
            document["traceback"] = traceback_text(error, full=self._full)
        if record.stack_info:
            document["stack"] = record.stack_info
        return json.dumps(document, default=str)


def traceback_text(error: BaseException, *, full: bool = False) -> str:
    """An exception with its causes, without the frames of this package.

    Args:
        error: the exception.
        full: keep the frames of this package.
    """
    shown = traceback.TracebackException.from_exception(error)
    if not full:
        _shorten(shown, error)
    return "".join(shown.format()).rstrip("\n")


def outside_frames(error: BaseException) -> traceback.StackSummary:
    """The frames of an exception that are neither in this package nor in the import machinery, outermost first."""
    return _outside(traceback.extract_tb(error.__traceback__))


def _outside(stack: traceback.StackSummary) -> traceback.StackSummary:
    return traceback.StackSummary.from_list(
        [frame for frame in stack if not frame.filename.startswith((PACKAGE, "<frozen "))]
    )


def _shorten(shown: traceback.TracebackException, error: BaseException) -> None:
    """Leave out the frames of this package, in an exception and in all that it is chained to."""
    stack = shown.stack
    shown.stack = _outside(stack)
    raised_here = bool(stack) and stack[-1].filename.startswith(PACKAGE)
    if stack and not shown.stack:
        # TracebackException prints no header for a stack of None.
        shown.stack = None  # type: ignore[assignment]
        if not isinstance(error, ZestorError):
            shown.__notes__ = [*(shown.__notes__ or ()), HIDDEN.strip("\n")]
    if raised_here and isinstance(error, ZestorError):
        if not _leads_to_users_code(shown.__cause__):
            shown.__cause__ = None
        if not _leads_to_users_code(shown.__context__):
            shown.__context__ = None
    for linked, source in ((shown.__cause__, error.__cause__), (shown.__context__, error.__context__)):
        if linked is not None and source is not None:
            _shorten(linked, source)
    if isinstance(error, BaseExceptionGroup):
        for inner, member in zip(shown.exceptions or (), error.exceptions, strict=False):
            _shorten(inner, member)


def _leads_to_users_code(shown: traceback.TracebackException | None) -> bool:
    """Whether an exception, or what it is chained to, has a frame that is neither ours nor a library's."""
    while shown is not None:
        if any(not frame.filename.startswith((PACKAGE, *LIBRARIES)) for frame in shown.stack or ()):
            return True
        shown = shown.__cause__ or shown.__context__
    return False
