"""What installs and launches: the dependency lists say the same, and `make` says what is missing."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAME = {"torch": "pytorch"}  # pip's name -> conda-forge's, where they differ


def bounds(lines) -> dict[str, str]:
    """Normal name -> version bounds of requirement lines, without pip's options, comments and our own."""
    lines = [line.strip() for line in lines]
    requirements = [Requirement(line) for line in lines if line and not line.startswith(("-", "#"))]
    return {
        canonicalize_name(one.name): str(one.specifier) for one in requirements if one.name != PROJECT["name"]
    }


USED = bounds([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]])


def test_binder_installs_the_same():
    lines = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert bounds(lines) == USED
    assert "--constraint ../constraints.txt" in lines


def test_conda_installs_the_same():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = bounds(line for line in listed if isinstance(line, str))
    pip = next(line["pip"] for line in listed if isinstance(line, dict))
    assert "--editable ." in pip
    assert conda.pop("python") == str(Requirement(f"python{PROJECT['requires-python']}").specifier)
    del conda["pip"]
    renamed = {CONDA_NAME.get(name, name): bound for name, bound in USED.items()}
    assert not conda.keys() & bounds(pip).keys()
    assert conda | bounds(pip) == renamed


def test_constraints_pin_every_direct_dependency_within_its_bounds():
    pins = bounds((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    asked = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert pins.keys() == bounds(line for lines in asked for line in lines).keys()
    for line in (line for lines in asked for line in lines):
        one = Requirement(line)
        if one.name != PROJECT["name"]:
            pin = pins[canonicalize_name(one.name)]
            assert re.fullmatch(r"==[\w.]+", pin), f"{one.name}{pin} is not a pin"
            assert pin.removeprefix("==") in one.specifier, f"{one.name}{pin} is outside {one.specifier}"


@pytest.mark.parametrize("script", [".ci/run", "binder/postBuild"])
def test_scripts_can_be_run_and_parse(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", path]).returncode == 0


@pytest.fixture
def make(tmp_path):
    """Function that runs make in a new folder that has what the Makefile reads; returns the process."""
    if not shutil.which("make"):
        pytest.skip("no make on this machine")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}

    def run(*arguments):
        return subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=tmp_path,
            env=inherited,
            capture_output=True,
            text=True,
        )

    return run


def test_make_help_lists_every_target(make):
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.M)[1].split()
    listed = re.findall(r"^make ([\w-]+)  ", make("help").stdout, re.M)
    assert sorted(listed) == sorted(phony)


def test_make_says_in_one_line_that_python_is_missing(make, tmp_path):
    old = tmp_path / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for python in (str(old), "no-such-python"):
        done = make("setup", f"PYTHON={python}")
        assert done.returncode != 0
        assert done.stdout == ""
        ours = [line for line in done.stderr.splitlines() if not line.startswith("make:")]
        assert len(ours) == 1
        assert "needs Python 3.11, 3.12 or 3.13" in ours[0]
        assert python in ours[0]
        assert not (tmp_path / ".venv").exists()


def test_make_installs_once_and_again_when_the_lists_change(make, tmp_path):
    """A stand-in for the virtual environment's Python counts how often pip is called."""
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || echo "$@" >>{tmp_path}/calls\n')
    python.chmod(0o755)
    calls = tmp_path / "calls"
    for expected in (1, 1):
        assert make("setup").returncode == 0
        assert calls.read_text().count("pip install") == expected
    os.utime(tmp_path / "constraints.txt", (2**31 - 1, 2**31 - 1))
    assert make("setup").returncode == 0
    assert calls.read_text().count("pip install") == 2


def test_make_says_in_one_line_that_the_network_is_missing(make, tmp_path):
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    log = tmp_path / ".venv" / "install.log"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || {{ echo "connection error: refused" >{log}; exit 1; }}\n')
    python.chmod(0o755)
    done = make("setup")
    assert done.returncode != 0
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make:")]
    assert len(ours) == 1
    assert "cannot reach the package index" in ours[0]
    assert not (tmp_path / ".venv" / "installed").exists()
