"""`tools/package.py` on small trees: what it takes, what it tells, and what it refuses."""

import json
import re
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest

from tests.package_tree import Tree
from tools.package import ROOT, told
from tools.packing.process import PackageError
from tools.packing.source import deployed_files


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree").mkdir()
    return Tree(tmp_path / "tree")


MINIMAL: Final = {"function_app.py", "functions/__init__.py", "release.json", "requirements.txt"}


def test_only_what_git_tracks_is_taken_and_the_rest_is_told(tree: Tree) -> None:
    tree.write("local.settings.json", '{"Values": {"SECRET": "x"}}')
    tree.write("functions/scratch.py", "")

    assert tree.names() == MINIMAL
    made = tree.build()
    assert made.untracked == ("functions/scratch.py",)
    assert not made.modified
    assert list(told(made))[-1].endswith("git does not track it: functions/scratch.py")


def test_settings_of_one_machine_stay_out_even_when_they_are_tracked(tree: Tree) -> None:
    tree.write("local.settings.json", '{"Values": {"SECRET": "x"}}')
    tree.commit()

    assert tree.names() == MINIMAL


def test_a_tree_with_uncommitted_changes_is_told_as_such(tree: Tree) -> None:
    assert not tree.build().modified
    tree.write("function_app.py", "app = 2\n")

    changed = tree.build()

    assert changed.modified
    with ZipFile(changed.path) as archive:
        assert json.loads(archive.read("release.json"))["modified"] is True
    assert "uncommitted changes" in "\n".join(told(changed))


def test_a_link_out_of_the_tree_is_refused(tree: Tree) -> None:
    (tree.root / "functions" / "link.py").symlink_to(tree.root / "tests" / "test_app.py")
    tree.commit()

    with pytest.raises(PackageError, match=r"^functions/link.py: .* not a file here$"):
        tree.build()


def test_a_wheel_that_is_not_the_pinned_one_is_refused_and_the_old_package_stays(
    tree: Tree,
) -> None:
    old = tree.build()
    before = old.path.read_bytes()
    wrong = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, tree.certifi)
    tree.write("requirements.txt", wrong)

    with pytest.raises(PackageError, match=r"(?s)^pip failed:\n.*HASHES"):
        tree.build()

    assert old.path.read_bytes() == before
    assert list(old.path.parent.iterdir()) == [old.path]


def test_a_requirement_without_a_hash_is_refused(tree: Tree) -> None:
    tree.write("requirements.txt", tree.certifi.partition(" ")[0] + "\n")

    with pytest.raises(PackageError, match=r"(?s)^pip failed:\n.*--hash"):
        tree.build()


def test_a_source_that_cannot_be_compiled_is_refused(tree: Tree) -> None:
    tree.write("functions/broken.py", "def\n")
    tree.commit()

    with pytest.raises(PackageError, match=r"(?s)failed:.*broken\.py"):
        tree.build()


def test_what_could_not_be_put_in_its_place_leaves_nothing_behind(tree: Tree) -> None:
    target = tree.root / "dist" / "package.zip"
    target.mkdir(parents=True)

    with pytest.raises(OSError, match=r"package\.zip"):
        tree.build()

    assert list(target.parent.iterdir()) == [target]


def test_a_folder_without_git_is_refused(tree: Tree) -> None:
    (tree.root / ".git").rename(tree.root / "git")

    with pytest.raises(PackageError, match=r"(?s)^git failed:\n"):
        tree.build()


# --- .funcignore -------------------------------------------------------------------------------


def test_funcignore_says_nothing_that_its_readers_take_differently() -> None:
    """Its own comment says how they differ."""
    lines = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]

    assert [pattern for pattern in patterns if re.search(r"[!?\[\]\\{}\s]", pattern)] == []
    folders = [p for p in patterns if (ROOT / p).is_dir() and not p.endswith("/")]
    assert folders == []
    taken = [name for name in deployed_files(ROOT) for p in patterns if name.startswith(p)]
    assert taken == []
