"""Rules for the text of files: how long and how wide they are, and which words are not theirs."""

import re

from .arrows import table
from .tree import ARCHITECTURE, Finding, SourceFile, Tree

LINES_MAX = 400
COLUMNS_MAX = 120
LANGUAGES = ("swift", "c", "python", "bash")
CLOSING = ",.;:)]"  # what no line can begin with

# Files that may be longer, each with the reason.
LONGER: dict[str, str] = {}

GLIBC_HOME = "Sources/HoldfastSystem/"
LATER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
FORBIDDEN = {
    re.compile(r"\btry!"): "`try!`: handle the error, or hand it on",
    re.compile(r"(?<=[\w)\]>?}\"`])(?<!\btry)!(?!=)"):
        "a force unwrap or a forced cast: say with `guard` what happens otherwise",
    re.compile(r"\bfatalError\b"): "`fatalError`: throw an error that somebody can read",
    re.compile(r"\bpublic\b"): "`public`: other modules see what is `package`",
}
ONLY_IN_SOURCES = "`fatalError`"  # a test that cannot go on may end so
# A question, or half a sentence, which is understood only with what follows it.
OPENING = re.compile(r"\s*///\s+(?:-\s+(?:Parameter \w+|(?!Throws)\w+):\s+)?"
                     r"(Of|What|Where|Whether|How|Which|Who|When) ", re.IGNORECASE)


def length_findings(tree: Tree) -> list[Finding]:
    """Files with more lines than a reader takes in."""
    return [file.found(LINES_MAX + 1, f"has {len(file.lines)} lines, and {LINES_MAX} are allowed: split it by ideas")
            for file in tree.of(*LANGUAGES) if len(file.lines) > LINES_MAX and file.path not in LONGER]


def width_findings(tree: Tree) -> list[Finding]:
    """Lines that are too wide."""
    return [file.found(number, f"has {len(line)} columns, and {COLUMNS_MAX} are allowed: wrap it")
            for file in tree.of(*LANGUAGES) for number, line in enumerate(file.lines, 1)
            if len(line) > COLUMNS_MAX and not (file.language == "swift" and is_wide_by_a_string(file, number))]


def is_wide_by_a_string(file: SourceFile, number: int) -> bool:
    """Whether the first column that is too many lies inside a string literal, or in punctuation right behind one."""
    line = file.lines[number - 1]
    position = sum(len(line) + 1 for line in file.lines[:number - 1])
    behind = position + len(line.rstrip(CLOSING))
    return any(start < position + COLUMNS_MAX < end or position + COLUMNS_MAX >= end == behind
               for start, end in file.swift.strings)


def word_findings(tree: Tree) -> list[Finding]:
    """What no code of ours holds."""
    found = [file.found(number, f"`{match[0]}`: do it, or write an issue")
             for file in tree.of(*LANGUAGES) for number, line in enumerate(file.lines, 1)
             if (match := LATER.search(line))]
    for file in tree.of("swift"):
        for pattern, text in FORBIDDEN.items():
            if text.startswith(ONLY_IN_SOURCES) and not file.path.startswith("Sources/"):
                continue
            found += [file.found(file.swift.line(match.start()), text) for match in pattern.finditer(file.swift.code)]
    return found


def opening_findings(tree: Tree) -> list[Finding]:
    """Doc comments that begin with a question. A line is a beginning when nothing is before it, or a list's item."""
    return [file.found(number, f"`{match[1]}`: begin with what it is (\"True if …\") or does (\"Returns …\")")
            for file in tree.below("Sources") for number, line in enumerate(file.lines, 1)
            if (match := OPENING.match(line))
            and ("-" in match[0] or not file.lines[number - 2].lstrip().startswith("///"))]


def glibc_findings(tree: Tree) -> list[Finding]:
    """Glibc where it is neither at home nor a guest by the table of docs/architecture.md."""
    guests, found = table(tree.file(ARCHITECTURE), "file", "why it calls Glibc itself"), []
    used: set[str] = set()
    for file in tree.below("Sources"):
        for name in file.swift.imports:
            if name.text != "Glibc" or file.path.startswith(GLIBC_HOME):
                continue
            used.add(file.path)
            if file.path not in guests:
                found.append(file.found(name.line, "imports Glibc: call HoldfastSystem, or list the file with its "
                                        f"reason in {ARCHITECTURE}"))
    return found + [Finding(ARCHITECTURE, row.line, f"{path} does not import Glibc: take the row out")
                    for path, row in guests.items() if path not in used]


def decision_findings(tree: Tree) -> list[Finding]:
    """Decisions that share a number, or have none."""
    first: dict[str, str] = {}
    found: list[Finding] = []
    for file in tree.below("docs/decisions", "markdown"):
        name = file.path.rpartition("/")[2]
        number = re.match(r"(\d{4})-", name)
        if not number:
            found.append(file.found(1, "begins with no number of four digits: give it the next one"))
        elif (other := first.setdefault(number[1], name)) != name:
            found.append(file.found(1, f"has the number of {other}: give it the next one"))
    return found
