"""Makes the lists of jars anew: `python -m sandbox.lists`, after a change of a version. Needs Maven; users do not.

Each program's folder has the pom.xml it is resolved from and, where much can be left out, left-out.txt: the artifacts
that the program starts and passes its tests without.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = ("operaton", "camunda", "camunda-7.20", "cibseven", "hapi")


def main() -> None:
    for program in PROGRAMS:
        folder = HERE / program
        left_out_file = folder / "left-out.txt"
        left_out = set(left_out_file.read_text().split()) if left_out_file.exists() else set()
        jars = [jar for jar in _class_path(folder / "pom.xml") if _artifact(jar) not in left_out]
        (folder / "jars.txt").write_text("".join(f"{_line(jar)}\n" for jar in jars))


def _class_path(pom: Path) -> list[Path]:
    """Where Maven keeps the jars of a pom, in the order of the class path."""
    maven = shutil.which("mvn") or "mvn"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "class-path")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:build-classpath", f"-Dmdep.outputFile={file}"]
        subprocess.run(command, check=True)  # noqa: S603  a command of ours
        return [Path(jar) for jar in file.read_text().strip().split(":")]


def _artifact(jar: Path) -> str:
    """Maven keeps a jar as …/repository/group/in/parts/artifact/version/artifact-version[-classifier].jar."""
    return jar.parts[-3]


def _line(jar: Path) -> str:
    artifact, version, _ = jar.parts[-3:]
    group = ".".join(jar.parts[jar.parts.index("repository") + 1 : -3])
    classifier = jar.stem.removeprefix(f"{artifact}-{version}").removeprefix("-")
    coordinates = ":".join(filter(None, (group, artifact, version, classifier)))
    return f"{coordinates} {hashlib.sha256(jar.read_bytes()).hexdigest()}"


if __name__ == "__main__":
    main()
