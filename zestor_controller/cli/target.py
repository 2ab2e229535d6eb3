"""Loading an operator: a file, a folder with ``operator.py``, or ``module:attr``.

Invariant: importing a user's file is the only code of theirs that runs here; whatever it raises becomes one message
that names the file and the line, and the traceback is shown with ``--debug`` only.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from zestor_controller.controller import Controller
from zestor_controller.errors import ConfigError, ZestorError
from zestor_controller.manager import Manager
from zestor_controller.objects import CustomResource

__all__ = ["Target", "load_target"]


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


def load_target(text: str, *, attribute: str = "manager") -> Target:
    """Import an operator.

    Args:
        text: a file, a folder with ``operator.py``, or ``module`` or ``module:attr``.
        attribute: what to look for where the text names none.

    Raises:
        ConfigError: there is no such thing, or importing it failed.
    """
    path = Path(text)
    if path.is_dir():
        file = path / "operator.py"
        if not file.is_file():
            raise ConfigError(f"{text}: the folder has no operator.py")
        return _target(text, _import_file(file), attribute, path)
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise ConfigError(f"{text}: no such file")
        return _target(text, _import_file(path), attribute, path.parent)
    name, _, given = text.partition(":")
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{text}: no such file or folder, and no module's name")
    sys.path.insert(0, "")
    try:
        module = _guarded(text, lambda: importlib.import_module(name))
    finally:
        sys.path.remove("")
    folder = Path(module.__file__).parent if module.__file__ else None
    return _target(text, module, given or attribute, folder)


def _import_file(file: Path) -> ModuleType:
    # The file is often called operator.py, as a module of the standard library is: it must be imported under another
    # name, and its folder must stand last on the path, for its siblings' sake.
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
    except ZestorError as error:
        raise ConfigError(f"{_line_of(error) or name}: {error}") from error
    except SyntaxError as error:
        raise ConfigError(f"{error.filename or name}:{error.lineno}: {error.msg}") from error
    except SystemExit as error:
        raise ConfigError(
            f"{name}: exits while being imported; put the call under `if __name__ == '__main__':`"
        ) from error
    except Exception as error:  # the user's module may raise anything
        where = _line_of(error)
        text = " ".join(str(error).split())
        raise ConfigError(f"{where or name}: {type(error).__name__}: {text}") from error
    return module


def _line_of(error: BaseException) -> str:
    """The innermost line of the user's own files: the frames of importlib say nothing to anybody."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen")]
    own = [f for f in frames if "site-packages" not in f.filename and "zestor_controller" not in f.filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _target(name: str, module: ModuleType, attribute: str, folder: Path | None) -> Target:
    found = getattr(module, attribute, None)
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
    elif found is not None and attribute != "manager":
        raise ConfigError(f"{name}: {attribute} is no Manager and no Controller, but {type(found).__name__}")
    elif found is None and attribute != "manager":
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
