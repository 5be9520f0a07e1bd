"""A small repository for the tests of `tools/package.py`, and wheels to install from a folder."""

import json
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from tools.package import ROOT, Package, build


class Tree:
    """A small repository of the same shape, with one dependency."""

    def __init__(self, root: Path) -> None:
        self.root = root
        requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
        start = requirements.index("certifi==")
        self.certifi = requirements[start : requirements.index("    # via", start)]
        self.write(".funcignore", (ROOT / ".funcignore").read_text(encoding="utf-8"))
        self.write("requirements.txt", self.certifi)
        self.write("function_app.py", "app = 1\n")
        self.write("functions/__init__.py", "")
        self.write("tests/test_app.py", "")
        self.git("init", "--quiet")
        self.commit()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self) -> None:
        self.git("add", "--all")
        self.git(
            *("-c", "user.name=Alice", "-c", "user.email=alice@contoso.example"),
            *("-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "A tree"),
        )

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", self.root, *arguments], timeout=30, check=True)

    def head(self) -> str:
        """The id of the commit."""
        told = subprocess.run(
            ["git", "-C", self.root, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return told.stdout.strip()

    def build(self) -> Package:
        return build(self.root, self.root / "dist" / "package.zip")

    def release(self) -> dict[str, object]:
        """`release.json` of a new package."""
        with ZipFile(self.build().path) as archive:
            told: dict[str, object] = json.loads(archive.read("release.json"))
        return told

    def names(self) -> set[str]:
        """What is in the package, dependencies and bytecode aside."""
        with ZipFile(self.build().path) as archive:
            return {n for n in archive.namelist() if not n.endswith(".pyc") and n[0] != "."}


def write_wheel(
    folder: Path, name: str, tag: str = "py3-none-any", files: Mapping[str, bytes] | None = None
) -> str:
    """A wheel of version 1.0 (PyPA, "Binary distribution format"); the line that pins it."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    told = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: false\nTag: {tag}\n"
    content = {
        **(files or {}),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": told.encode(),
    }
    record = "".join(f"{file},,\n" for file in [*content, f"{info}/RECORD"])
    path = folder / f"{name}-1.0-{tag}.whl"
    with ZipFile(path, "w") as archive:
        for file, data in {**content, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(file, data)
    return f"{name}==1.0 \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"
