"""Which files of the tree are deployed, and whether they are those of the commit.

git's own word for that is not enough: `git update-index --assume-unchanged` and `--skip-worktree`
make `git status` silent about a file. So the bytes that go into the package are held against the
commit's, file by file.
"""

import hashlib
import os
import platform
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from tools.packing.process import PackageError, run

_IGNORED: Final = ".funcignore"
_FILES: Final = frozenset({"100644", "100755"})  # the modes of a tree's plain files
_ESCAPED: Final = frozenset("\\\n\r")  # sha256sum writes a name with one of these differently


def deployed_files(root: Path) -> list[str]:
    """The tracked files that are deployed, relative to `root`. Raises PackageError."""
    patterns = (root / _IGNORED).read_text(encoding="utf-8")
    return _deployed(_names(_git(root, "ls-files", "-z")), patterns)


def forgotten_files(root: Path) -> list[str]:
    """The files that would be deployed, if git knew them. Raises PackageError."""
    patterns = (root / _IGNORED).read_text(encoding="utf-8")
    others = _git(root, "ls-files", "-z", "--others", "--exclude-standard")
    return _deployed(_names(others), patterns)


def copy(root: Path, names: Sequence[str], to: Path) -> None:
    """Raises PackageError for what is not a plain file with a plain name."""
    for name in names:
        source, target = root / name, to / name
        if source.is_symlink() or not source.is_file():
            raise PackageError(f"{name}: git tracks it, but it is not a file here")
        if _ESCAPED & set(name):
            raise PackageError(f"{name!a}: such a name has no plain form in a list of hashes")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def release(root: Path, copied: Path, names: Sequence[str]) -> dict[str, str | bool]:
    """From what a package is made: so that what runs can be held against what was reviewed.

    `copied` has the files `names`, as they will be deployed; nothing is read twice from the tree.
    Raises PackageError.
    """
    requirements = (copied / "requirements.txt").read_bytes()
    return {
        "commit": _git(root, "rev-parse", "HEAD").strip(),
        "modified": _is_modified(root, copied, names),
        "python": platform.python_version(),
        "requirements_sha256": hashlib.sha256(requirements).hexdigest(),
        "source_sha256": source_sha256(copied, names),
    }


def source_sha256(folder: Path, names: Iterable[str]) -> str:
    r"""One hash over the sources: of the list that `sha256sum` prints of them, in order of bytes.

    The same by hand, in a folder with the unpacked package:

        find * -type f ! -name release.json ! -path '*__pycache__/*' \
          | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum

    (`*` leaves out `.python_packages`.)
    """
    listed = hashlib.sha256()
    for name in sorted(names):
        content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        listed.update(f"{content}  {name}\n".encode())
    return listed.hexdigest()


def _is_modified(root: Path, copied: Path, names: Sequence[str]) -> bool:
    """Whether git tells of a change anywhere, or what is deployed is not what HEAD would deploy."""
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    paths = [str(copied / name) for name in names]
    hashes = _git(root, "hash-object", "--no-filters", "--", *paths).split()
    return changes != "" or dict(zip(names, hashes, strict=True)) != _of_the_commit(root)


def _of_the_commit(root: Path) -> dict[str, str]:
    """Of each file that HEAD would deploy, by HEAD's own `.funcignore`, the id of its content."""
    contents: dict[str, str] = {}
    for entry in _names(_git(root, "ls-tree", "-r", "-z", "HEAD")):
        described, _, name = entry.partition("\t")
        mode, _, identifier = described.split(" ")
        contents[name] = identifier if mode in _FILES else f"no file, but {mode}"
    if _IGNORED not in contents:
        return contents
    patterns = _git(root, "cat-file", "blob", contents[_IGNORED])
    return {name: contents[name] for name in _deployed(contents, patterns)}


def _deployed(names: Iterable[str], patterns: str) -> list[str]:
    ignored = GitIgnoreSpec.from_lines(patterns.splitlines())
    return sorted({name for name in names if not ignored.match_file(name)})


def _names(listed: str) -> list[str]:
    return [name for name in listed.split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    """Of the repository at `root`, whatever GIT_DIR or GIT_INDEX_FILE say; HEAD's own objects, not
    what `git replace` would put in their place; and without a program that answers for the disk."""
    inherited = os.environ.items()  # noqa: TID251 - to leave out what misleads git
    environment = {name: value for name, value in inherited if not name.startswith("GIT_")}
    own = ["--no-replace-objects", "-c", "core.fsmonitor=false"]
    return run("git", *own, "-C", str(root), *arguments, environment=environment)
