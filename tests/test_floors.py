"""The floors of the house: a room may use what lies below it, never what lies above."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ae_cls"

FLOORS = (
    "errors", "interrupt", "settings", "draws", "terminal", "machine",
    "store", "processes", "compute", "evaluate", "dataset", "train",
    "autoencoder", "pretrain", "encode", "head",
    "experiment", "words", "report", "saved", "compare", "run", "check", "bench",
    "jobs", "search", "study",
    "cli", "__main__",
)  # fmt: skip
"""From the ground up: sub-packages, and the few loose modules."""

MOST_LOOSE = 6


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package: file."""
    found: dict[str, Path] = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and module of each import of ours, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.partition(".")[0] == package_name(known):
                yield node.lineno, nearest(name.partition(".")[2], known)


def package_name(known: dict[str, Path]) -> str:
    return known[""].parent.name


def nearest(name: str, known: dict[str, Path]) -> str:
    """The module that holds this name."""
    while name not in known:
        name = name.rpartition(".")[0]
    return name


def room(module: str) -> str:
    return module.partition(".")[0]


def arrows_up(package: Path, floors: tuple[str, ...]) -> list[str]:
    """Each import of something that lies above, with file and line."""
    known = modules(package)
    return [
        f"{path.relative_to(package)}:{line}: {room(module)} imports {target}, which lies above it"
        for module, path in known.items()
        for line, target in imported(path, known)
        if module and target and floors.index(room(target)) > floors.index(room(module))
    ]


def circles(package: Path) -> list[list[str]]:
    """Modules that import one another in a circle, a package's own index left out."""
    known = modules(package)
    arrows = {
        module: {target for _, target in imported(path, known) if not is_index_of(target, module)}
        for module, path in known.items()
    }
    return [path for module in arrows for path in paths_back(module, arrows)]


def is_index_of(target: str, module: str) -> bool:
    """Whether importing a module runs `target` anyway, or it is that module itself."""
    return target in ("", module) or module.startswith(f"{target}.")


def paths_back(start: str, arrows: dict[str, set[str]]) -> Iterator[list[str]]:
    """A path from a module to itself, if there is one."""
    waiting, seen = [[start]], set[str]()
    while waiting:
        path = waiting.pop()
        for target in sorted(arrows[path[-1]]):
            if target == start:
                yield [*path, start]
                return
            if target not in seen:
                seen.add(target)
                waiting.append([*path, target])


def test_every_room_has_its_floor():
    rooms = {room(module) for module in modules(PACKAGE) if module}
    assert rooms <= set(FLOORS), rooms - set(FLOORS)


def test_few_modules_lie_loose_in_the_root():
    loose = [m for m, p in modules(PACKAGE).items() if "." not in m and p.name != "__init__.py"]
    assert len(loose) <= MOST_LOOSE, loose


def test_imports_point_down_only():
    assert not arrows_up(PACKAGE, FLOORS)


def test_no_modules_import_one_another_in_a_circle():
    assert not circles(PACKAGE)


@pytest.fixture
def crooked(tmp_path: Path) -> Path:
    """A package with an arrow that climbs, and a circle within a room."""
    package = tmp_path / "house"
    for folder in (package, package / "cellar", package / "attic"):
        folder.mkdir()
        (folder / "__init__.py").touch()
    (package / "cellar" / "stairs.py").write_text("def up():\n    from house.attic import roof\n")
    (package / "attic" / "roof.py").write_text("from house.attic.beam import long\n")
    (package / "attic" / "beam.py").write_text("from house.attic import roof\n")
    return package


def test_an_arrow_that_climbs_is_named(crooked):
    (found,) = arrows_up(crooked, ("cellar", "attic"))
    assert found == "cellar/stairs.py:2: cellar imports attic.roof, which lies above it"
    assert not arrows_up(crooked, ("attic", "cellar"))


def test_a_circle_is_named(crooked):
    assert ["attic.beam", "attic.roof", "attic.beam"] in circles(crooked)
