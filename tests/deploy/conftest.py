"""The image as the Dockerfile makes it, its files read-only, and its programs run by somebody who is not root."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from api.settings import Settings
from sandbox import unroot
from sandbox.ports import free_port
from tests.deploy.compose import api_environment
from tests.deploy.dockerfile import ROOT, Build, Stage


@dataclass(frozen=True)
class Image:
    """The last stage, and the environment its programs get."""

    stage: Stage
    environment: dict[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`docker run` of a command, to its end."""
        return self.done([*self.stage.entrypoint, *words])

    def is_healthy(self) -> bool:
        """What the container's health check says."""
        return self.done(self.stage.healthcheck).returncode == 0

    def done(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """A program of the image, at its end."""
        return subprocess.run(  # noqa: S603  # the image's own
            self._line(words),
            cwd=self.stage.at("."),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """`docker run` of a command, or of the image's own, that is still running when the block begins."""
        with subprocess.Popen(  # noqa: S603  # as above
            self._line([*self.stage.entrypoint, *(words or self.stage.command)]),
            cwd=self.stage.at("."),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _line(self, words: list[str]) -> list[str]:
        """Root would write whatever the permissions say, so it becomes somebody else first."""
        python, *arguments = words
        become = [sys.executable, unroot.__file__, "namespace"] if os.geteuid() == 0 else []
        return [*become, str(self.stage.folder / "opt" / "venv" / "bin" / python), *arguments]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("image")
    venv.create(folder / "base", with_pip=True, symlinks=True)
    built = Build(folder / "base" / "bin" / "python", folder).run((ROOT / "Dockerfile").read_text("utf-8"))
    paths = [built.folder, *(path for path in built.folder.rglob("*") if not path.is_symlink())]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield built
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)
    shutil.rmtree(folder)


@pytest.fixture
def image(stage: Stage, settings: Settings) -> Image:
    """The image with the environment that compose.yaml gives the API, but for the addresses."""
    there = {
        "RETOOL_DATABASE_URL": settings.retool_database_url.get_secret_value(),
        "CAMUNDA_URL": settings.camunda_url,
        "AIDBOX_URL": settings.aidbox_url,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
    }
    return Image(stage, {**stage.environment, **api_environment(), **there})
