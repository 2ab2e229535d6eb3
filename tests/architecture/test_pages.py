"""The pages about the code are true: layers, packages, members, paths and functions that they name are there."""

import importlib
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "zestor_controller"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "explanation" / "a-tour-of-the-code.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
TOP = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
READING_SPEED = 220  # of a technical text, a minute


def names(page: str) -> list[str]:
    """The dotted names in code spans that begin with a package of ours: `cache.reflector.Reflector.run`."""
    spans = re.findall(r"`([a-z_]+(?:\.\w+)+)(?:\(\))?`", page)
    return sorted({span for span in spans if span.split(".")[0] in TOP and not span.endswith((".py", ".md", ".toml"))})


def paths(page: str) -> list[str]:
    """The paths in code spans: `cache/reflector.py`, `cli/`."""
    return sorted(set(re.findall(r"`([\w-]+(?:/[\w.-]+)*(?:/|\.py|\.md|\.toml))`", page)))


def resolve(name: str) -> object:
    """The module, class, function or attribute of a dotted name; AttributeError when there is none."""
    found: object = importlib.import_module("zestor_controller")
    where = "zestor_controller"
    for part in name.split("."):
        where = f"{where}.{part}"
        if isinstance(found, ModuleType) and not hasattr(found, part):
            try:
                found = importlib.import_module(where)
                continue
            except ModuleNotFoundError:
                raise AttributeError(f"{where} is neither a module nor defined in one") from None
        found = getattr(found, part)
    return found


def layers_of_page(heading: str) -> list[set[str]]:
    """The lines of the block under a heading, each the names of one layer; what follows two spaces is prose."""
    block = ARCHITECTURE.split(heading, 1)[1].split("```", 2)[1]
    lines = [re.split(r"\s{2,}", line.strip(), maxsplit=1)[0] for line in block.strip().splitlines()]
    return [{name.strip().rstrip("/") for name in line.split("|")} for line in lines]


def layers_of_contract(name: str, prefix: str = "") -> list[set[str]]:
    """The layers of an import contract, without those that do not exist yet."""
    contract = next(contract for contract in CONTRACTS if contract["name"] == name)
    layers = [
        {part.strip() for part in layer.split("|") if not part.strip().startswith("(")} for layer in contract["layers"]
    ]
    return [{part.removeprefix(prefix) for part in layer} for layer in layers if layer]


def test_the_layers_of_the_page_are_those_that_are_enforced() -> None:
    assert layers_of_page("## Layers") == layers_of_contract("layers", "zestor_controller.")


def test_the_layers_inside_the_server_are_those_that_are_enforced() -> None:
    assert layers_of_page("### Inside `apiserver/`") == layers_of_contract("apiserver layers")


def test_every_package_has_a_layer() -> None:
    layered = set().union(*layers_of_page("## Layers"))

    assert layered == TOP - {"__init__"}


def test_every_member_of_a_strategy_is_on_the_page_and_no_other() -> None:
    protocol = resolve("apiserver.rest.strategy.Strategy")
    section = ARCHITECTURE.split("### What a kind decides", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    on_page = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert on_page == {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("name", names(ARCHITECTURE + TOUR))
def test_every_name_on_the_pages_exists(name: str) -> None:
    assert resolve(name) is not None


@pytest.mark.parametrize("path", paths(ARCHITECTURE + TOUR))
def test_every_path_on_the_pages_exists(path: str) -> None:
    places = [ROOT / path, PACKAGE / path, PACKAGE / "apiserver" / path]

    assert any(place.exists() for place in places), f"{path} is in none of {places}"


def test_a_name_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AttributeError):
        resolve("cache.reflector.Reflector.nothing")
    with pytest.raises(AttributeError):
        resolve("cache.nothing")


def test_the_tour_names_the_functions_on_its_way_and_is_read_in_ten_minutes() -> None:
    functions = [name for name in names(TOUR) if callable(resolve(name))]

    assert len(functions) >= 25
    assert len(re.findall(r"\w+", TOUR)) <= 10 * READING_SPEED
