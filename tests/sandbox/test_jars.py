"""The jars' cache: what is in it is checked, what is wrong or half there is fetched again.

Asks Maven Central for three small files.
"""

import gc
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sandbox import SandboxError
from sandbox.engines import jars_of
from sandbox.jars import Jar, cache_folder, fetch, read_list
from sandbox.renamed import renamed

HAPI = Path(__file__).parents[2] / "sandbox" / "hapi" / "jars.txt"
SMALL = ("jakarta.inject-api", "jsr305")


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Jar]:
    monkeypatch.setenv("PLAN_API_CACHE", str(tmp_path))
    return [jar for jar in read_list(HAPI) if jar.artifact in SMALL]


def test_a_corrupted_jar_is_noticed_and_fetched_again(jars: list[Jar]) -> None:
    first, second = fetched(jars)
    whole, untouched = first.read_bytes(), second.stat().st_mtime_ns
    first.write_bytes(whole[: len(whole) // 2])
    fetched(jars)
    assert first.read_bytes() == whole
    assert second.stat().st_mtime_ns == untouched


def test_nothing_but_whole_jars_is_left_in_the_cache(jars: list[Jar]) -> None:
    assert sorted(fetched(jars)) == sorted(path for path in cache_folder().rglob("*") if path.is_file())


def test_a_jar_that_is_not_the_listed_one_is_refused(jars: list[Jar]) -> None:
    wrong = replace(jars[0], sha256="0" * 64)
    with pytest.raises(SandboxError, match=r"its SHA-256 is not the one in our list"):
        fetched([wrong])
    assert not (cache_folder() / wrong.path).exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # jgo leaves a 404's connection open
def test_a_jar_that_nobody_has_is_named(jars: list[Jar]) -> None:
    with pytest.raises(SandboxError, match=r"jsr305-0\.0\.0\.jar|jakarta\.inject-api-0\.0\.0\.jar"):
        fetched([replace(jars[0], version="0.0.0")])
    gc.collect()


def test_a_renamed_jar_has_the_other_name_everywhere(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In file names, classes and configuration; and nothing else is another: renamed back, it is the same."""
    monkeypatch.setenv("PLAN_API_CACHE", str(tmp_path))
    (jar,) = fetched([jar for jar in jars_of("cibseven") if jar.artifact == "camunda-bpm-spring-boot-starter-rest"])
    there, back = (tmp_path_factory.mktemp(name) for name in ("there", "back"))
    renamed_jar = renamed(jar, there, "org.camunda", "org.cibseven")
    before, after = contents(jar), contents(renamed_jar)
    assert len(before) == len(after)
    assert any(b"org/camunda" in content for content in before.values())
    assert not any(b"org/camunda" in content for name, content in after.items() if name.endswith(".class"))
    assert not any(name.startswith("org/camunda") for name in after)
    assert contents(renamed(renamed_jar, back, "org.cibseven", "org.camunda")) == before


def contents(jar: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(jar) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def fetched(jars: list[Jar]) -> list[Path]:
    fetch(jars, Console(file=io.StringIO()))
    return [cache_folder() / jar.path for jar in jars]
