"""The engines that the sandbox can start: Camunda 7, its oldest version that is supported, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.jars import Jar, cache_folder, read_list
from sandbox.renamed import renamed

HERE = Path(__file__).parent

Engine = Literal["operaton", "camunda", "camunda-7.20", "cibseven"]


@dataclass(frozen=True)
class Program:
    """An engine's name, the folder of its settings, where its Cockpit is, and what its borrowed jars are renamed to."""

    name: str
    settings: Path
    webapp: str
    rename: tuple[str, str] | None = None


ENGINES: dict[Engine, Program] = {
    "operaton": Program("Operaton", HERE / "operaton", "operaton"),
    "camunda": Program("Camunda", HERE / "camunda", "camunda"),
    "camunda-7.20": Program("Camunda 7.20", HERE / "camunda", "camunda"),
    "cibseven": Program("CIB seven", HERE / "cibseven", "camunda", rename=("org.camunda", "org.cibseven")),
}


def jars_of(engine: Engine) -> list[Jar]:
    """The jars to fetch."""
    return read_list(HERE / engine / "jars.txt")


def class_path(engine: Engine, folder: Path) -> Sequence[Path]:
    """The class path of fetched jars; those to be renamed are written to the folder, which takes a second."""
    rename = ENGINES[engine].rename
    paths = ((jar, cache_folder() / jar.path) for jar in jars_of(engine))
    if rename is None:
        return [path for _, path in paths]
    old, new = rename
    # its FEEL engine, org.camunda.feel, has that name in all of them
    return [renamed(path, folder, old, new) if jar.group.startswith(f"{old}.bpm") else path for jar, path in paths]
