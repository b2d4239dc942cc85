"""`python -m tools.sbom FILE`: writes what the image of the hooks holds, as CycloneDX 1.6 (JSON).

The base image by its name, each library of requirements.lock with its licence and what it needs,
and each file of ours with its hash. The same sources give the same text.
"""

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
DOCKERFILE = PROJECT / "Dockerfile"
LOCK = PROJECT / "requirements.lock"
NAME = "cloudstack-metacontroller"
#: A licence in a classifier, behind the last `::`.
LICENCES = "License :: "
#: Longer ones are the licence's whole text.
LONGEST_NAME = 80

Component = dict[str, Any]


class SbomError(Exception):
    """The environment is not the one that the lock describes."""


def main(arguments: Sequence[str]) -> int:
    """Write the file; return the exit code."""
    try:
        [file] = arguments
        Path(file).write_text(json.dumps(sbom(), indent=2) + "\n", encoding="utf-8")
    except ValueError:
        print("sbom: name one file to write", file=sys.stderr)
        return 2
    except SbomError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    return 0


def sbom() -> Component:
    """Make the whole document. Raises SbomError."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    image = {
        "type": "container",
        "bom-ref": NAME,
        "name": NAME,
        "version": version,
        "licenses": [{"expression": "Apache-2.0"}],
    }
    found = locked()
    base = base_image(DOCKERFILE.read_text())
    needs = {purl(each): sorted(set(needed(each, found))) for each in found.values()}
    files = [file_component(file) for file in copied(DOCKERFILE.read_text())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": image},
        "components": [base, *map(library, found.values()), *files],
        "dependencies": [
            {"ref": NAME, "dependsOn": [base["bom-ref"], *needs]},
            *({"ref": ref, "dependsOn": others} for ref, others in needs.items()),
        ],
    }


def locked(lock: Path = LOCK) -> dict[str, Distribution]:
    """Return the libraries of a lock, as they are installed here, by their canonical name."""
    found: dict[str, Distribution] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE):
        try:
            installed = distribution(name)
        except PackageNotFoundError as error:
            raise SbomError(f"{name} is not installed; run `make setup`") from error
        if installed.version != version:
            raise SbomError(
                f"{name} {installed.version} is installed, not {version}; run `make setup`"
            )
        found[canonicalize_name(name)] = installed
    return found


def library(of: Distribution) -> Component:
    """Describe a library."""
    return {
        "type": "library",
        "bom-ref": purl(of),
        "name": of.name,
        "version": of.version,
        "purl": purl(of),
        "licenses": licences(of),
    }


def purl(of: Distribution) -> str:
    """Return a library's package URL."""
    return f"pkg:pypi/{canonicalize_name(of.name)}@{of.version}"


def licences(of: Distribution) -> list[Component]:
    """Return a library's licences: as an SPDX expression if it has one, else by name."""
    expressions = of.metadata.get_all("License-Expression")
    if expressions:
        return [{"expression": expressions[0]}]
    classifiers = of.metadata.get_all("Classifier") or []
    names = [each.split(" :: ")[-1] for each in classifiers if each.startswith(LICENCES)]
    if not names:
        said = of.metadata.get_all("License") or []
        names = [each for each in said if len(each) <= LONGEST_NAME]
    return [{"license": {"name": name}} for name in names]


def needed(of: Distribution, known: Mapping[str, Distribution]) -> Iterable[str]:
    """Yield the package URLs of what a library needs, its extras left out."""
    for requirement in map(Requirement, of.requires or []):
        name = canonicalize_name(requirement.name)
        if name in known and (not requirement.marker or requirement.marker.evaluate({"extra": ""})):
            yield purl(known[name])


def base_image(dockerfile: str) -> Component:
    """Describe the base image that a Dockerfile names."""
    [base] = re.findall(r"^ARG BASE=(\S+)$", dockerfile, re.MULTILINE)
    name, _, digest = base.partition("@")
    name, _, tag = name.rpartition(":")
    found = {"type": "container", "bom-ref": base, "name": name, "version": tag}
    if digest:
        found["version"] = f"{tag}@{digest}"
    return found


def copied(dockerfile: str) -> list[Path]:
    """List our files in the image of the hooks, which copies them in the stage `build`."""
    stage = dockerfile.partition(" AS build\n")[2].partition("\nFROM ")[0]
    sources = re.findall(r"^COPY (\S+) /app/\S*$", stage, re.MULTILINE)
    found: list[Path] = []
    for source in (PROJECT / source for source in sources):
        found += sorted(source.rglob("*")) if source.is_dir() else [source]
    return [file for file in found if file.is_file() and "__pycache__" not in file.parts]


def file_component(file: Path) -> Component:
    """Describe one of our files."""
    name = str(file.relative_to(PROJECT))
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    return {
        "type": "file",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": content}],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
