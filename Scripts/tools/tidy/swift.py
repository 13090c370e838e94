"""Reads Swift as far as the rules need it: what is code, what is a string, which types are declared and named."""

import re
from dataclasses import dataclass
from functools import cached_property

REGEX = r"(?<![^\s(\[])/(?![/*\s=])(?:\\.|[^\\/\n])+/(?![^\s)\],.])"  # a regex literal; what divides has spaces
OPENING = re.compile(rf'//[^\n]*|/\*|#*"""|#*"|{REGEX}|[()]')
COMMENT_EDGE = re.compile(r"/\*|\*/")
IMPORT = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^)\n]*\))?\s+)*(?:(?:package|internal|private|fileprivate|public)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)", re.MULTILINE)
DECLARATION = re.compile(r"[{}]|\b(?:struct|class|enum|actor|protocol|typealias)\s+([A-Z]\w*)")
MEMBER = re.compile(
    r"[{}]|\bextension\s+[\w.]+(?P<adopts>\s*:)?|\b(?P<type>struct|class|enum|actor|protocol)\s+[A-Z]\w*"
    r"|\b(?:func|var|let|case)\s+`?(?P<name>[a-z]\w*)")
MEMBER_USE = re.compile(r"\.([a-z]\w*)")
TYPE_NAME = re.compile(r"(?<![\w.])[A-Z]\w*")
HIDDEN = re.compile(r"\b(?:private|fileprivate)\b[\w \t@()]*$")


@dataclass(frozen=True)
class Name:
    """A name and the line that it stands in, from 1 on."""
    text: str
    line: int


class SwiftSource:
    """The text of one file. `code` has the same length and lines, with blanks for comments and inside strings."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.strings: list[tuple[int, int]] = []  # where literals of text begin and end, those in others left out
        self._pieces: list[str] = []
        position = 0
        while position < len(text):
            position = self._read_code(position, in_interpolation=False)
        self.code = "".join(self._pieces)

    def line(self, position: int) -> int:
        """The line of a position, from 1 on."""
        return self.text.count("\n", 0, position) + 1

    @cached_property
    def imports(self) -> list[Name]:
        """The modules that are imported."""
        return [Name(match[1], self.line(match.start(1))) for match in IMPORT.finditer(self.code)]

    @cached_property
    def declared(self) -> tuple[set[str], set[str]]:
        """The types that are declared at the top of the file for others to see, and those inside other declarations."""
        outside: set[str] = set()
        inside: set[str] = set()
        depth = 0
        for match in DECLARATION.finditer(self.code):
            if match[1] is None:
                depth += 1 if match[0] == "{" else -1
            elif depth:
                inside.add(match[1])
            elif not HIDDEN.search(self.code, self.code.rfind("\n", 0, match.start()) + 1, match.start()):
                outside.add(match[1])
        return outside, inside

    @cached_property
    def members(self) -> tuple[list[str], set[str]]:
        """The members of all types that are declared here; and those of extensions that others see. An extension that
        adopts a protocol has names that the protocol gave."""
        all_members: list[str] = []
        added: set[str] = set()
        outer: list[str] = []  # what the braces around a position belong to
        next_brace = ""
        for match in MEMBER.finditer(self.code):
            if match[0] == "{":
                outer.append(next_brace)
                next_brace = ""
            elif match[0] == "}":
                outer = outer[:-1]
            elif name := match["name"]:
                next_brace = ""
                if not outer or not outer[-1]:
                    continue
                all_members.append(name)
                line = self.code.rfind("\n", 0, match.start()) + 1
                if outer == ["extension"] and not HIDDEN.search(self.code, line, match.start()):
                    added.add(name)
            else:
                next_brace = "type" if match["type"] or match["adopts"] else "extension"
        return all_members, added

    @cached_property
    def used_members(self) -> dict[str, int]:
        """The names behind a dot, each with the first position."""
        names: dict[str, int] = {}
        for match in MEMBER_USE.finditer(self.code):
            names.setdefault(match[1], match.start(1))
        return names

    @cached_property
    def named(self) -> dict[str, int]:
        """The types that are named without another type before them, each with the first position."""
        names: dict[str, int] = {}
        for match in TYPE_NAME.finditer(self.code):
            names.setdefault(match[0], match.start())
        return names

    def _keep(self, start: int, end: int) -> None:
        self._pieces.append(self.text[start:end])

    def _blank(self, start: int, end: int) -> None:
        self._pieces.append(re.sub(r"[^\n]", " ", self.text[start:end]))

    def _read_code(self, position: int, in_interpolation: bool) -> int:
        """Reads code up to the end of the text, or behind the parenthesis that ends an interpolation; where that is."""
        depth = 0
        while match := OPENING.search(self.text, position):
            token, start, end = match[0], match.start(), match.end()
            self._keep(position, start)
            position = end
            if token.startswith("//"):
                self._blank(start, end)
            elif token == "/*":
                position = self._read_comment(start)
            elif token.endswith('"'):
                position = self._read_string(start, token)
                if not in_interpolation:
                    self.strings.append((start, position))
            elif token.startswith("/"):
                self._blank(start, end)
                self.strings.append((start, end))
            else:
                self._keep(start, end)
                depth += 1 if token == "(" else -1
                if in_interpolation and depth < 0:
                    return position
        self._keep(position, len(self.text))
        return len(self.text)

    def _read_comment(self, start: int) -> int:
        """Reads a comment between /* and */, which may hold others; where it ends."""
        depth, position = 0, start
        while match := COMMENT_EDGE.search(self.text, position):
            depth += 1 if match[0] == "/*" else -1
            position = match.end()
            if depth == 0:
                break
        else:
            position = len(self.text)
        self._blank(start, position)
        return position

    def _read_string(self, start: int, opening: str) -> int:
        """Reads a string literal, and as code what is interpolated; where it ends."""
        hashes, quotes = re.escape(opening.rstrip('"')), opening.lstrip("#")
        line_end = "" if quotes == '"""' else r"|\n"
        token = re.compile(rf"\\{hashes}\(|\\{hashes}[^(]|{quotes}{hashes}{line_end}", re.DOTALL)
        position = start + len(opening)
        self._keep(start, position)
        while match := token.search(self.text, position):
            if match[0].endswith("(") and match[0].startswith("\\"):
                self._blank(position, match.end() - 1)
                self._keep(match.end() - 1, match.end())
                position = self._read_code(match.end(), in_interpolation=True)
            elif match[0].startswith("\\"):
                self._blank(position, match.end())
                position = match.end()
            else:
                self._blank(position, match.start())
                self._keep(match.start(), match.end())
                return match.end()
        self._blank(position, len(self.text))
        return len(self.text)
