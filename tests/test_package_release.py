"""What `release.json` says is so, whatever git was told to overlook."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.package_tree import Tree
from tools.packing.process import PackageError
from tools.packing.source import source_sha256


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree").mkdir()
    return Tree(tmp_path / "tree")


def test_a_committed_tree_is_told_by_its_commit(tree: Tree) -> None:
    told = tree.release()

    assert told["modified"] is False
    assert told["commit"] == tree.head()


@pytest.mark.parametrize("overlooked", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_status_was_told_to_overlook_is_seen(tree: Tree, overlooked: str) -> None:
    tree.git("update-index", overlooked, "function_app.py")
    tree.write("function_app.py", "app = 'altered'\n")

    assert tree.release()["modified"] is True


@pytest.mark.parametrize("overlooked", ["--assume-unchanged", "--skip-worktree"])
def test_another_funcignore_that_git_was_told_to_overlook_is_seen(
    tree: Tree, overlooked: str
) -> None:
    tree.git("update-index", overlooked, ".funcignore")
    patterns = (tree.root / ".funcignore").read_text(encoding="utf-8")
    tree.write(".funcignore", patterns.replace("\ntests/\n", "\n"))

    assert "tests/test_app.py" in tree.names()
    assert tree.release()["modified"] is True


def test_a_filter_that_makes_git_see_the_old_content_is_seen(tree: Tree) -> None:
    tree.git("config", "filter.hide.clean", "echo 'app = 1'; cat >/dev/null")
    (tree.root / ".git" / "info" / "attributes").write_text("function_app.py filter=hide\n")
    tree.write("function_app.py", "app = 'altered'\n")

    assert tree.release()["modified"] is True


def test_an_object_that_git_replaces_is_seen(tree: Tree) -> None:
    """`git replace` lets HEAD tell of another tree, which fits the altered files."""
    before = tree.head()
    tree.write("function_app.py", "app = 'altered'\n")
    tree.commit()
    tree.git("replace", before, tree.head())
    tree.git("update-ref", "HEAD", before)

    told = tree.release()

    assert told["commit"] == before
    assert told["modified"] is True


def remove(tree: Tree) -> None:
    tree.git("rm", "--quiet", "functions/__init__.py")


def add(tree: Tree) -> None:
    tree.write("functions/more.py", "")
    tree.git("add", "--all")


@pytest.mark.parametrize("change", [remove, add])
def test_a_file_more_or_less_than_in_the_commit_is_seen(
    tree: Tree, change: Callable[[Tree], None]
) -> None:
    change(tree)

    assert tree.release()["modified"] is True


def test_a_change_of_what_is_not_deployed_is_told_as_well(tree: Tree) -> None:
    """It may be one of the tools that make the package."""
    tree.write("tests/test_app.py", "changed = 1\n")

    assert tree.release()["modified"] is True


def test_git_is_asked_about_this_tree_whatever_the_environment_says(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    other = Tree(tmp_path / "other")
    other.write("functions/other.py", "")
    other.commit()
    expected = tree.head()
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git" / "index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.worktree")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(other.root))

    told = tree.release()

    assert (told["commit"], told["modified"]) == (expected, False)


# --- the hash over the sources -----------------------------------------------------------------


def test_the_hash_over_the_sources_is_the_one_that_is_computed_by_hand(
    tree: Tree, tmp_path: Path
) -> None:
    """By the command that the tool's own text gives to a reviewer."""
    text = str(source_sha256.__doc__)
    command = "\n".join(line for line in text.splitlines() if re.match(r" +(find|\|) ", line))
    unpacked = tmp_path / "unpacked"
    told = tree.release()
    with ZipFile(tree.build().path) as archive:
        archive.extractall(unpacked)

    by_hand = subprocess.run(
        ["sh", "-c", command], cwd=unpacked, capture_output=True, text=True, timeout=30, check=True
    )

    assert command.count("sha256sum") == 2
    assert by_hand.stdout.split() == [told["source_sha256"], "-"]


def test_the_hash_over_the_sources_changes_with_a_name_and_with_content(tree: Tree) -> None:
    first = tree.release()["source_sha256"]
    tree.write("function_app.py", "app = 2\n")
    second = tree.release()["source_sha256"]
    tree.git("mv", "function_app.py", "function_apps.py")
    third = tree.release()["source_sha256"]

    assert len({first, second, third}) == 3


def test_a_name_that_lists_of_hashes_would_escape_is_refused(tree: Tree) -> None:
    tree.write("functions/a\\b.py", "")
    tree.commit()

    with pytest.raises(PackageError, match="no plain form"):
        tree.build()
