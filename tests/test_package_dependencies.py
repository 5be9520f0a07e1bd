"""Only what `requirements.txt` pins is installed, for the machines of Azure, whatever pip hears."""

from pathlib import Path
from typing import Final

import pytest

from tests.package_tree import Tree, write_wheel
from tools.packing.process import PackageError

ELF: Final = b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little")  # a shared object
X86_64: Final = ELF + (62).to_bytes(2, "little")
ARM64: Final = ELF + (183).to_bytes(2, "little")
LINUX: Final = "cp313-cp313-manylinux_2_28_x86_64"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip installs from, and nothing else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def tree(tmp_path: Path, wheels: Path) -> Tree:
    """Its one dependency is `good`."""
    (tmp_path / "tree").mkdir()
    made = Tree(tmp_path / "tree")
    made.write("requirements.txt", write_wheel(wheels, "good", files={"good.py": b"good = 1\n"}))
    made.commit()
    return made


@pytest.fixture
def evil(tmp_path: Path, wheels: Path) -> Path:
    """A list with one requirement more, in good order."""
    file = tmp_path / "evil.txt"
    file.write_text(write_wheel(wheels, "evil", files={"evil.py": b""}), encoding="utf-8")
    return file


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of settings that pip reads."""
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    return file


def test_settings_of_pip_in_the_environment_change_nothing(
    tree: Tree, evil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree.build().sha256
    for name, value in {
        "PIP_REQUIREMENT": str(evil),
        "PIP_CONSTRAINT": str(evil),
        "PIP_PLATFORM": "win_amd64",
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_ROOT": str(tmp_path / "root"),
        "PIP_PYTHON_VERSION": "3.9",
    }.items():
        monkeypatch.setenv(name, value)

    assert tree.build().sha256 == before


def test_one_more_requirement_of_a_settings_file_is_refused(
    tree: Tree, evil: Path, settings: Path
) -> None:
    settings.write_text(f"[install]\nrequirement = {evil}\n", encoding="utf-8")

    with pytest.raises(PackageError, match=r"^pip installed something else .*:\nevil 1\.0 is not"):
        tree.build()


def test_a_settings_file_that_takes_them_elsewhere_is_refused(
    tree: Tree, settings: Path, tmp_path: Path
) -> None:
    settings.write_text(f"[install]\nroot = {tmp_path / 'root'}\n", encoding="utf-8")

    with pytest.raises(PackageError, match=r"\ngood 1\.0 is missing$"):
        tree.build()


def test_a_wheel_of_another_platform_is_refused_even_if_it_is_pinned(
    tree: Tree, wheels: Path, settings: Path
) -> None:
    """Every wheel of a version is pinned, also those for other machines."""
    files = {"bare.py": b""}
    tree.write("requirements.txt", write_wheel(wheels, "bare", "cp313-cp313-win_amd64", files))
    settings.write_text("[install]\nplatform = win_amd64\n", encoding="utf-8")

    with pytest.raises(PackageError, match=r"^bare: its wheel is for another machine or Python$"):
        tree.build()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fast.pyd", b"MZ"),
        ("fast.cp313-win_amd64.pyd", b"MZ"),
        ("fast.so", X86_64),
        ("fast.cpython-312-x86_64-linux-gnu.so", X86_64),
        ("fast.cpython-313-x86_64-linux-musl.so", X86_64),
        ("fast.cpython-313-x86_64-linux-gnu.so", ARM64),
        ("fast.abi3.so", b"\xcf\xfa\xed\xfe" + bytes(30)),
        ("fast.dylib", b"\xcf\xfa\xed\xfe"),
        ("fast.bin", X86_64),
    ],
)
def test_machine_code_that_azure_cannot_load_is_refused(
    tree: Tree, wheels: Path, name: str, content: bytes
) -> None:
    tree.write("requirements.txt", write_wheel(wheels, "fast", LINUX, {name: content}))

    with pytest.raises(PackageError, match=rf"^{name}: machine code, but not of x86-64 Linux"):
        tree.build()


@pytest.mark.parametrize("name", ["fast.cpython-313-x86_64-linux-gnu.so", "fast.abi3.so"])
def test_machine_code_of_azure_is_taken(tree: Tree, wheels: Path, name: str) -> None:
    tree.write("requirements.txt", write_wheel(wheels, "fast", LINUX, {name: X86_64}))

    assert tree.build().files > 0


# --- whose pip ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["PYTHONPATH", "the working folder"])
def test_a_pip_that_lies_in_the_way_is_not_run(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    before = tree.build().sha256
    trace = tmp_path / "ran"
    (tmp_path / "trap" / "pip").mkdir(parents=True)
    code = f"import pathlib; pathlib.Path({str(trace)!r}).touch()\n"
    (tmp_path / "trap" / "pip" / "__init__.py").write_text(code, encoding="utf-8")
    (tmp_path / "trap" / "pip" / "__main__.py").write_text(code, encoding="utf-8")
    if way == "PYTHONPATH":
        monkeypatch.setenv(way, str(tmp_path / "trap"))
    else:
        monkeypatch.chdir(tmp_path / "trap")

    assert tree.build().sha256 == before
    assert not trace.exists()


# --- what requirements.txt may say -------------------------------------------------------------


def test_a_requirement_for_another_machine_is_not_missed(tree: Tree, wheels: Path) -> None:
    good = write_wheel(wheels, "good", files={"good.py": b""})
    for marker in ("sys_platform == 'win32'", "platform_python_implementation == 'PyPy'"):
        tree.write("requirements.txt", good + f"other==1.0 ; {marker} --hash=sha256:{'0' * 64}\n")

        assert tree.build().files > 0


def test_a_requirement_whose_marker_fits_is_wanted(tree: Tree, wheels: Path) -> None:
    line = write_wheel(wheels, "good", files={"good.py": b""})
    marked = line.replace("==1.0 ", "==1.0 ; sys_platform == 'linux' and python_version < '3.14' ")
    tree.write("requirements.txt", marked + "    # via nothing\n")

    assert tree.build().files > 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--requirement evil.txt", "pins no version"),
        ("--index-url https://packages.example.com/simple", "pins no version"),
        ("good>=1.0", "pins no version"),
        ("good==1.*", "pins no version"),
        ("good", "pins no version"),
        ("good===1.0", "is more than a version"),
        ("good[more]==1.0", "is more than a version"),
        ("good @ https://packages.example.com/good-1.0-py3-none-any.whl", "pins no version"),
        ("./wheels/good-1.0-py3-none-any.whl", "pins no version"),
    ],
)
def test_a_line_that_is_no_pin_is_refused(tree: Tree, line: str, why: str) -> None:
    tree.write("requirements.txt", f"{line}\n")

    with pytest.raises(PackageError, match=r"^requirements\.txt: .* " + why):
        tree.build()
