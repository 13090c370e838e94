"""Modules import, and folders of a module use, what docs/architecture.md allows them; and it allows only what they do.

The tables are found by the first cell of their head: `module` beside `may import`, `folder` beside `may use`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .tree import ARCHITECTURE, MANIFEST, Finding, SourceFile, Tree

FREE = {"Glibc", "Swift", "Synchronization"}  # Glibc has a rule of its own
TOP = "top"  # the name, in the table, of what lies in no folder of its module
CODE = re.compile(r"`([^`]+)`")
DEPENDENCIES = re.compile(r'^ *module\(\s*"(\w+)",\s*\[(.*?)\]\s*\)', re.MULTILINE | re.DOTALL)


@dataclass
class Row:
    """Something, and what it may use."""
    line: int
    allowed: set[str]
    used: set[str] = field(default_factory=set)


def table(document: SourceFile | None, first: str, second: str) -> dict[str, Row]:
    """The rows of a table by the name in their first cell. Names stand between backquotes."""
    rows: dict[str, Row] = {}
    is_inside = False
    for number, line in enumerate(document.lines if document else [], 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells[:2] == [first, second]:
            is_inside = True
        elif not cells:
            is_inside = False
        elif is_inside and len(cells) > 1 and (name := CODE.search(cells[0])):
            rows[name[1]] = Row(number, set(CODE.findall(cells[1])))
    return rows


def modules(tree: Tree) -> dict[str, list[SourceFile]]:
    """The files of each module."""
    found: dict[str, list[SourceFile]] = {}
    for file in tree.below("Sources"):
        found.setdefault(file.path.split("/")[1], []).append(file)
    return found


def uses_of_folders(
    files: list[SourceFile], members: Counter[str],
) -> Iterator[tuple[SourceFile, str, str, str, int]]:
    """Where a folder of a module names a type of another one, or a member of an extension in it: file, its folder, the
    other folder, name, position. `members` are those of all types, each with the number of its declarations."""
    depth = len(files[0].path.split("/")[:2])
    folder_of = {file.path: "/".join(file.path.split("/")[depth:-1]) or TOP for file in files}
    declared: dict[str, set[str]] = {}
    inside: set[str] = set()
    for file in files:
        outer, inner = file.swift.declared
        inside |= inner
        for name in outer:
            declared.setdefault(name, set()).add(folder_of[file.path])
    # A name that is declared in several places may mean any of them.
    homes = {name: folders.copy().pop() for name, folders in declared.items()
             if len(folders) == 1 and name not in inside}
    # The same holds for a member: only one that is declared once is known by its name.
    homes_of_members = {name: folder_of[file.path] for file in files for name in file.swift.members[1]
                        if members[name] == 1}
    for file in files:
        for names, known in ((file.swift.named, homes), (file.swift.used_members, homes_of_members)):
            for name, position in names.items():
                if name in known and known[name] != folder_of[file.path]:
                    yield file, folder_of[file.path], known[name], name, position


def members_of_types(tree: Tree) -> Counter[str]:
    """How often each member of a type is declared in the project."""
    return Counter(name for files in modules(tree).values() for file in files for name in file.swift.members[0])


def module_findings(tree: Tree) -> list[Finding]:
    """Imports beside the table of modules."""
    rows, found = table(tree.file(ARCHITECTURE), "module", "may import"), []
    for module, files in modules(tree).items():
        for file in files:
            for name in file.swift.imports:
                if name.text in FREE:
                    continue
                if module in rows:
                    rows[module].used.add(name.text)
                    if name.text in rows[module].allowed:
                        continue
                found.append(file.found(name.line, f"{module} may not import {name.text}: move what needs it to a "
                                        f"module that may, or add the arrow to {ARCHITECTURE}"))
    found += manifest_findings(tree, rows)
    return found + unused(rows, "module")


def manifest_findings(tree: Tree, rows: dict[str, Row]) -> list[Finding]:
    """What Package.swift lets modules import."""
    manifest, found = tree.file(MANIFEST), []
    for match in DEPENDENCIES.finditer(manifest.text) if manifest else ():
        module = "Holdfast" + match[1]
        for name in re.findall(r'"(\w+)"', match[2]):
            if name not in (rows[module].allowed if module in rows else ()):
                found.append(manifest.found(manifest.swift.line(match.start(1)), f"{module} depends on {name}, which "
                                            f"is no arrow of {ARCHITECTURE}: take it out"))
    return found


def folder_findings(tree: Tree) -> list[Finding]:
    """Names of types, and members of extensions, beside the table of folders."""
    rows, found = table(tree.file(ARCHITECTURE), "folder", "may use"), []
    members = members_of_types(tree)
    for module, files in modules(tree).items():
        for file, folder, other, name, position in uses_of_folders(files, members):
            row = rows.get(f"{module}/{folder}")
            if row:
                row.used.add(other)
                if other in row.allowed:
                    continue
            found.append(file.found(file.swift.line(position), f"{module}/{folder} may not use {other}, where {name} "
                                    f"is declared: move one of them, or add the arrow to {ARCHITECTURE}"))
    return found + unused(rows, "folder")


def circle_findings(tree: Tree) -> list[Finding]:
    """Folders from which the arrows of the table lead back to themselves: each could not be read without the other."""
    rows = table(tree.file(ARCHITECTURE), "folder", "may use")

    def reached(name: str) -> set[str]:
        module = name.partition("/")[0]
        found, ahead = set[str](), [name]
        while ahead:
            row = rows.get(ahead.pop())
            new = {f"{module}/{other}" for other in (row.allowed if row else ())} - found
            found |= new
            ahead += new
        return found

    return [Finding(ARCHITECTURE, row.line, f"the arrows of the folder {name} lead back to it: make them one-way")
            for name, row in rows.items() if name in reached(name)]


def unused(rows: dict[str, Row], kind: str) -> list[Finding]:
    """What a table allows and the code does not do."""
    return [Finding(ARCHITECTURE, row.line, f"no file of the {kind} {name} uses {other}: take the arrow out")
            for name, row in rows.items() for other in sorted(row.allowed - row.used)]


def depth(module: str, imports: dict[str, set[str]]) -> int:
    """How many modules the longest way of arrows from a module has."""
    return max((depth(other, imports) + 1 for other in imports.get(module, ())), default=0)


def printed_tables(tree: Tree) -> str:
    """Both tables as the code would have them. Each module comes behind those that it imports."""
    members = members_of_types(tree)
    imports: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {}
    for module, files in modules(tree).items():
        imports[module] = {name.text for file in files for name in file.swift.imports} - FREE
        for _, folder, other, _, _ in uses_of_folders(files, members):
            folders.setdefault(f"{module}/{folder}", set()).add(other)
    return "\n\n".join(
        "\n".join([f"| {first} | {second} |", "|---|---|"]
                  + [f"| `{name}` | {', '.join(f'`{other}`' for other in sorted(others))} |"
                     for name, others in sorted(rows.items(), key=lambda row: (depth(row[0], imports), row[0]))])
        for first, second, rows in (("module", "may import", imports), ("folder", "may use", folders)))
