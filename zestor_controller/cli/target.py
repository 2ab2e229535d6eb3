"""Loading an operator: a file, a folder, or ``module:attr``.

Invariant: importing a user's file is the only code of theirs that runs here; whatever it raises becomes one message
that names the file and the line and shows the frames of the user's files; all frames are shown with ``--debug`` only.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from zestor_controller.cli.logs import outside_frames
from zestor_controller.cli.search import operator_file, warn_of_shadowing
from zestor_controller.controller import Controller
from zestor_controller.errors import ConfigError, ZestorError
from zestor_controller.manager import Manager
from zestor_controller.objects import CustomResource

__all__ = ["Place", "Target", "find_target", "forget_modules", "load_target", "source_files"]


NOT_SOURCES: Final = ("site-packages", "node_modules", "__pycache__")


@dataclass(frozen=True, slots=True)
class Target:
    """A loaded operator.

    Attributes:
        name: what the user called it.
        manager: the module's ``manager``, or one made of all its controllers; None for a module of models only.
        models: its custom resource classes, in the order of their names.
        folder: where its files are; manifests are looked for there.
    """

    name: str
    manager: Manager | None
    models: list[type[CustomResource[Any, Any]]]
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operator is, before any of its code has run.

    Attributes:
        name: what the user called it.
        file: its file; None where it is a module's name.
        attribute: what to look for in it; empty for the default.
    """

    name: str
    file: Path | None
    attribute: str = ""

    @property
    def folder(self) -> Path | None:
        """The folder of its file."""
        return self.file.parent if self.file is not None else None


def find_target(text: str) -> Place:
    """Find an operator without importing it.

    Args:
        text: a file, a folder, or ``module`` or ``module:attr``.

    Raises:
        ConfigError: there is no such thing, or a folder has no operator or several.
    """
    path = Path(text)
    if path.is_dir():
        return Place(text, operator_file(path))
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise ConfigError(f"{text}: no such file")
        return Place(text, path)
    name, _, given = text.partition(":")
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{text}: no such file or folder, and no module's name")
    return Place(text, None, given)


def load_target(text: str | Place) -> Target:
    """Import an operator.

    Args:
        text: a file, a folder, ``module`` or ``module:attr``; or where :func:`find_target` has found it.

    Raises:
        ConfigError: there is no such thing, or importing it failed.
    """
    place = find_target(text) if isinstance(text, str) else text
    if place.file is not None:
        warn_of_shadowing(place.file)
        return _target(place.name, _import_file(place.file), "", place.folder)
    if "" not in sys.path:
        sys.path.append("")  # for good: what a function of the operator imports later is looked for there too
    name = place.name.partition(":")[0]
    module = _guarded(place.name, lambda: importlib.import_module(name))
    folder = Path(module.__file__).parent if module.__file__ else None
    return _target(place.name, module, place.attribute, folder)


def source_files(folder: Path) -> list[Path]:
    """The Python files under a folder, without installed packages and hidden folders."""
    found: list[Path] = []
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in NOT_SOURCES]
        found += [Path(where) / name for name in files if name.endswith(".py")]
    return sorted(found)


def forget_modules(folder: Path) -> None:
    """Let every module whose source is under a folder be imported anew."""
    sources = {str(path.resolve()) for path in source_files(folder)}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        ours = name == "__main__" or name.partition(".")[0] == "zestor_controller"
        if file and not ours and str(Path(file).resolve()) in sources:
            del sys.modules[name]


def _import_file(file: Path) -> ModuleType:
    # Its own name, so that its siblings can import it; but never that of another module. Its folder is last on the
    # path, so that a sibling called like a module of the standard library does not hide that one.
    name = file.stem
    known = getattr(sys.modules.get(name), "__file__", None)
    if (
        not name.isidentifier()
        or name in sys.stdlib_module_names
        or (name in sys.modules and known != str(file.absolute()))
    ):
        name = f"zestor_target_{file.resolve().parent.name}_{file.stem}".replace("-", "_").replace(".", "_")
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader

    def execute() -> ModuleType:
        loader.exec_module(module)
        return module

    return _guarded(str(file), execute)


def _guarded(name: str, load: Any) -> ModuleType:
    try:
        module: ModuleType = load()
    except SyntaxError as error:
        raise ConfigError(f"{error.filename or name}:{error.lineno}: {error.msg}") from error
    except SystemExit as error:
        raise ConfigError(
            f"{name}: exits while being imported; put the call under `if __name__ == '__main__':`"
        ) from error
    except Exception as error:  # the user's module may raise anything
        frames = outside_frames(error)
        own = [frame for frame in frames if "site-packages" not in frame.filename]
        where = f"{own[-1].filename}:{own[-1].lineno}" if own else name
        text = " ".join(str(error).split())
        message = text if isinstance(error, ZestorError) else f"{type(error).__name__}: {text}"
        raise ConfigError(f"{where}: {message}\n{''.join(frames.format())}".rstrip()) from error
    return module


def _target(name: str, module: ModuleType, attribute: str, folder: Path | None) -> Target:
    found = getattr(module, attribute or "manager", None)
    controllers = [value for value in vars(module).values() if isinstance(value, Controller)]
    models = {
        value: None
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, CustomResource) and value.__dict__.get("__kind__") is not None
    }
    manager: Manager | None = None
    if isinstance(found, Manager):
        manager = found
    elif isinstance(found, Controller):
        manager = Manager(found)
    elif found is not None and attribute:
        raise ConfigError(f"{name}: {attribute} is no Manager and no Controller, but {type(found).__name__}")
    elif attribute:
        raise ConfigError(f"{name}: the module has no {attribute!r}")
    elif controllers:
        manager = Manager(*controllers)
    if manager is not None:
        for controller in manager.controllers:
            model = controller.kind.model
            if issubclass(model, CustomResource):
                models.setdefault(model)
    if manager is None and not models:
        raise ConfigError(f"{name}: there is no Manager, no Controller and no CustomResource class in it")
    # By the class and not by its name: a module may import two versions of a kind under one name each.
    return Target(name, manager, sorted(models, key=lambda model: (model.__name__, model.__module__)), folder)
