"""`local/bootstrap.sh` in a copy of the tree, with made-up tools on the PATH and nothing else."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from local.child import ROOT

TOOLS = ("sh", "cat", "cksum", "cp", "dirname", "ls", "mkdir", "mktemp", "rm", "sed")

NODE = 'echo "v{version}.1.0"'
NPM = """
echo "$*" >>../npm.calls
rm -rf node_modules
mkdir -p node_modules/azurite
"""
PYENV = 'echo "{root}"'
PYTHON = """
case "$*" in
--version) echo "Python 3.13.0" ;;
"-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip install"*) echo "$*" >>pip.calls ;;
esac
"""
BROKEN_SHIM = 'echo "pyenv: python3.13: command not found" >&2; exit 127'


class Tree:
    """A fresh clone, and the tools of its machine."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "clone"
        self.bin = folder / "bin"
        self.pyenv = folder / "pyenv"
        (self.root / "local").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(ROOT / "local" / "bootstrap.sh", self.root / "local")
        (self.root / "requirements-dev.txt").write_text("# none\n")
        (self.root / "local" / "package-lock.json").write_text("{}\n")
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name) or name)

    def tool(self, name: str, script: str, folder: Path | None = None) -> None:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def bootstrap(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "local" / "bootstrap.sh"],
            env={"PATH": str(self.bin), "HOME": str(self.root)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self, tool: str) -> list[str]:
        log = self.root / f"{tool}.calls"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """With Node, and a Python that only pyenv knows: the one on the PATH is a shim that fails."""
    tree = Tree(tmp_path)
    tree.tool("node", NODE.format(version=20))
    tree.tool("npm", NPM)
    tree.tool("python3.13", BROKEN_SHIM)
    tree.tool("pyenv", PYENV.format(root=tree.pyenv))
    tree.tool("python", PYTHON, tree.pyenv / "versions" / "3.13.0" / "bin")
    return tree


def test_the_first_call_sets_up_and_the_second_has_nothing_to_do(tree: Tree) -> None:
    first = tree.bootstrap()
    began = time.monotonic()
    second = tree.bootstrap()
    took = time.monotonic() - began

    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert (len(tree.calls("pip")), len(tree.calls("npm"))) == (1, 1)
    assert took < 0.3


def test_packages_without_the_pinned_hash_are_never_installed(tree: Tree) -> None:
    tree.bootstrap()

    assert "--require-hashes" in tree.calls("pip")[0].split()
    assert tree.calls("npm")[0].split()[:2] == ["ci", "--ignore-scripts"]


def test_only_what_changed_is_installed_again(tree: Tree) -> None:
    tree.bootstrap()
    (tree.root / "requirements-dev.txt").write_text("# still none\n")
    tree.bootstrap()
    assert (len(tree.calls("pip")), len(tree.calls("npm"))) == (2, 1)

    (tree.root / "local" / "package-lock.json").write_text("{ }\n")
    tree.bootstrap()
    assert (len(tree.calls("pip")), len(tree.calls("npm"))) == (2, 2)


def test_an_environment_of_a_python_that_is_gone_is_made_anew(tree: Tree) -> None:
    tree.bootstrap()
    (tree.root / ".venv" / "bin" / "python").unlink()

    assert tree.bootstrap().returncode == 0
    assert len(tree.calls("pip")) == 2


@pytest.mark.parametrize(
    ("tool", "folder", "told"),
    [
        pytest.param("npm", "bin", "Azurite could not be installed: see above", id="npm"),
        pytest.param(
            "python",
            "pyenv/versions/3.13.0/bin",
            "the Python packages could not be installed: see above",
            id="pip",
        ),
    ],
)
def test_what_an_installer_says_is_shown_when_it_fails(
    tree: Tree, tool: str, folder: str, told: str
) -> None:
    fails = 'case "$*" in "ci "*|"-m pip "*) echo "no route to the registry"; exit 1 ;; esac\n'
    script = {"npm": NPM, "python": PYTHON}[tool]
    tree.tool(tool, fails + script, tree.bin.parent / folder)

    failed = tree.bootstrap()

    assert failed.returncode == 1
    assert failed.stderr.splitlines() == ["no route to the registry", told]
    assert tree.bootstrap().returncode == 1  # and it is not taken for done


def test_a_machine_without_python_is_told_so_in_one_line(tree: Tree) -> None:
    shutil.rmtree(tree.pyenv)

    failed = tree.bootstrap()

    assert failed.returncode == 1
    assert failed.stderr == (
        "Python 3.13 is missing: install it (python.org, pyenv or uv) and try again\n"
    )


@pytest.mark.parametrize(
    ("version", "told"),
    [
        pytest.param(None, "Node.js 20 or newer is missing\n", id="none"),
        pytest.param(18, "Node.js 20 or newer is needed, and this is v18.1.0\n", id="too-old"),
    ],
)
def test_a_machine_without_a_right_node_is_told_so_in_one_line(
    tree: Tree, version: int | None, told: str
) -> None:
    (tree.bin / "node").unlink()
    if version is not None:
        tree.tool("node", NODE.format(version=version))

    failed = tree.bootstrap()

    assert (failed.returncode, failed.stderr) == (1, told)


def test_uv_is_asked_when_no_python_is_installed(tree: Tree) -> None:
    shutil.rmtree(tree.pyenv)
    tree.tool("made-by-uv", PYTHON)
    tree.tool(
        "uv",
        'case "$*" in *install*) echo >installed ;;\n'
        f'*find*) [ -f installed ] && echo "{tree.bin}/made-by-uv" ;; esac',
    )

    assert tree.bootstrap().returncode == 0
    assert (tree.root / ".venv" / "bin" / "python").exists()
