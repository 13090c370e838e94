"""Tests of Scripts/tidy with small trees in which one rule is broken.

    python3 -m unittest discover -s Tests/tools
"""

import subprocess
import unittest

from support import TestInDirectory, script

from tools.tidy.main import findings
from tools.tidy.swift import SwiftSource

ARCHITECTURE = """# Architecture

| module | may import |
|---|---|
| `HoldfastModel` | |
| `HoldfastSystem` | `HoldfastModel` |
| `HoldfastEngine` | `HoldfastModel`, `HoldfastSystem` |

| folder | may use |
|---|---|
| `HoldfastEngine/Backup` | `Repository`, `top` |

| file | why it calls Glibc itself |
|---|---|
| `Sources/HoldfastEngine/EngineError.swift` | `errno` |
"""
TREE = {
    "Package.swift": 'module("Model", []),\nmodule("Engine", ["HoldfastModel", "HoldfastSystem"]),\n',
    "docs/architecture.md": ARCHITECTURE,
    "docs/decisions/0001-first.md": "# First\n",
    "Sources/HoldfastModel/Entry.swift": "package struct Entry {}\n",
    "Sources/HoldfastSystem/File.swift": "internal import Glibc\nimport HoldfastModel\n",
    "Sources/HoldfastEngine/EngineError.swift":
        "internal import Glibc\nimport HoldfastModel\npackage enum EngineError {}\n",
    "Sources/HoldfastEngine/Backup/Backup.swift":
        "import HoldfastSystem\nstruct Backup {\n  let of: Repository\n  var failure: EngineError?\n}\n",
    "Sources/HoldfastEngine/Repository/Repository.swift": "package final class Repository {}\n",
    "Scripts/run": "#!/usr/bin/env bash\nexit 0\n",
}


class TidyTests(TestInDirectory):
    """A sound tree, to which each test adds what breaks a rule."""

    def setUp(self) -> None:
        super().setUp()
        for path, text in TREE.items():
            self.write(path, text)

    def expect(self, *wanted: tuple[str, str]) -> None:
        """That just these places are named, each with some words of what is to be done."""
        found = [str(finding) for finding in findings(self.root)]
        self.assertEqual([line.partition(": ")[0] for line in found], [place for place, _ in wanted], found)
        for line, (_, words) in zip(found, wanted):
            self.assertIn(words, line)

    def run_tidy(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """The command on the tree."""
        return script("tidy", "--root", str(self.root), *more)

    def test_a_sound_tree_is_silent(self) -> None:
        self.expect()

    def test_an_import_against_the_arrows(self) -> None:
        self.write("Sources/HoldfastModel/Path.swift", "// why\npackage import struct HoldfastSystem.File\n")
        self.expect(("Sources/HoldfastModel/Path.swift:2", "HoldfastModel may not import HoldfastSystem"))

    def test_a_module_without_a_row(self) -> None:
        self.write("Sources/HoldfastReport/Report.swift", "import HoldfastModel\n")
        self.expect(("Sources/HoldfastReport/Report.swift:1", "HoldfastReport may not import HoldfastModel"))

    def test_an_arrow_that_nothing_uses(self) -> None:
        self.write("Sources/HoldfastEngine/Backup/Backup.swift", "struct Backup {\n  let of: Repository\n}\n")
        self.expect(("docs/architecture.md:7", "uses HoldfastSystem: take the arrow out"),
                    ("docs/architecture.md:11", "uses top: take the arrow out"))

    def test_a_dependency_in_the_manifest_against_the_arrows(self) -> None:
        self.write("Package.swift", 'module("Engine", ["HoldfastModel"]),\nmodule(\n  "Model",\n  ["CZlib"]),\n')
        self.expect(("Package.swift:3", "HoldfastModel depends on CZlib"))

    def test_a_type_of_a_folder_that_may_not_be_used(self) -> None:
        self.write("Sources/HoldfastEngine/Repository/Notes.swift",
                   "// Backup may be named here\nlet text = \"Backup\"\nlet kind = other.Backup.self\n"
                   "let number = \"\\(Backup.self)\"\n")
        self.expect(("Sources/HoldfastEngine/Repository/Notes.swift:4",
                     "HoldfastEngine/Repository may not use Backup, where Backup is declared"))

    def test_a_member_of_an_extension_in_a_folder_that_may_not_be_used(self) -> None:
        self.write("Sources/HoldfastEngine/Backup/Names.swift",
                   "extension Path {\n  package var isNew: Bool { other.isOld }\n"
                   "  private var isHidden: Bool { true }\n}\n"
                   "extension Path: Sequence {\n  func next() {}\n}\n"
                   "extension Path {\n  var isCommon: Bool { true }\n}\nstruct Other {\n  let isCommon: Bool\n}\n")
        self.write("Sources/HoldfastEngine/Repository/Notes.swift",
                   "let a = path.isHidden\nlet b = path.next()\nlet c = path.isCommon\nlet isNew = true\n"
                   "let d = path\n  .isNew\n")
        self.expect(("Sources/HoldfastEngine/Repository/Notes.swift:6",
                     "HoldfastEngine/Repository may not use Backup, where isNew is declared"))

    def test_folders_that_use_each_other(self) -> None:
        row = "| `HoldfastEngine/Backup` | `Repository`, `top` |\n"
        self.write("docs/architecture.md",
                   ARCHITECTURE.replace(row, row + "| `HoldfastEngine/Repository` | `Backup`, `top` |\n"))
        self.write("Sources/HoldfastEngine/Repository/Notes.swift", "let of: Backup\nlet failure: EngineError\n")
        self.expect(("docs/architecture.md:11", "HoldfastEngine/Backup lead back to it: make them one-way"),
                    ("docs/architecture.md:12", "HoldfastEngine/Repository lead back to it: make them one-way"))

    def write_schema(self, properties: str, more: str = '"additionalProperties": false', defs: str = "{}") -> None:
        """A schema of one command, and the document that is made of it."""
        self.write("docs/schemas/list.json",
                   '{"title": "holdfast list", "description": "The snapshots.", "type": "object", '
                   f'"properties": {properties}, "required": ["id"], {more}, "$defs": {defs}}}')
        self.write("docs/json.md", "# JSON\n\n" + "<!-- From docs/schemas, by `Scripts/tidy --json`. -->\n")
        self.assertEqual(self.run_tidy("--json").returncode, 0)

    def test_schemas_and_the_document_that_is_made_of_them(self) -> None:
        self.write_schema('{"id": {"type": "string", "description": "The ID."}, '
                          '"kind": {"type": ["string", "null"], "description": "Which.", "enum": ["full", null]}}')
        text = (self.root / "docs/json.md").read_text(encoding="utf-8")
        self.assertIn("### holdfast list\n\nThe snapshots.\n\n| key | type | what it is |\n", text)
        self.assertIn("| `id` | string | The ID. |\n", text)
        self.assertIn("| `kind` | string or `null`, or absent | Which. One of `full`. |\n", text)
        self.expect()
        self.write("docs/json.md", text.replace("The ID.", "The name."))
        self.expect(("docs/json.md:1", "run `Scripts/tidy --json`"))

    def test_a_key_without_a_description(self) -> None:
        self.write_schema('{"id": {"type": "string", "description": ""}}')
        self.expect(("docs/schemas/list.json:1", "the document.id: describe it"))

    def test_a_schema_that_lets_everything_pass(self) -> None:
        self.write_schema('{"id": {"type": "string", "description": "The ID."}}', '"title": "holdfast list"')
        self.expect(("docs/schemas/list.json:1", "the document: say `additionalProperties: false`"))
        self.write_schema('{"id": {"$ref": "#/$defs/open", "description": "The ID."}}', defs='{"open": {"type": '
                          '"object", "description": "Open.", "properties": {}}}')
        self.expect(("docs/schemas/list.json:1", "#/$defs/open leads nowhere, or to an object that is open"))

    def test_one_name_for_two_things(self) -> None:
        self.write("docs/schemas/find.json", '{"title": "holdfast find", "description": "Paths.", "type": "object", '
                   '"properties": {"id": {"type": "integer", "description": "The number."}}, '
                   '"additionalProperties": false}')
        self.write_schema('{"id": {"type": "string", "description": "The ID."}}')
        self.expect(("docs/schemas/list.json:1", "id is string here and integer in find.json"))

    def test_names_that_only_look_like_types_of_another_folder(self) -> None:
        self.write("Sources/HoldfastEngine/Backup/Options.swift",
                   "private struct Hidden {}\nextension Backup {\n  struct Options {}\n}\n")
        self.write("Sources/HoldfastEngine/Repository/Options.swift",
                   "struct Options {}\nlet options = Options()\nprivate struct Hidden {}\nlet hidden = Hidden()\n")
        self.expect()

    def test_glibc_outside_its_rooms(self) -> None:
        self.write("Sources/HoldfastEngine/Backup/Lock.swift", "\ninternal import Glibc\n")
        self.expect(("Sources/HoldfastEngine/Backup/Lock.swift:2", "imports Glibc: call HoldfastSystem"))

    def test_a_guest_that_needs_glibc_no_more(self) -> None:
        self.write("Sources/HoldfastEngine/EngineError.swift", "import HoldfastModel\npackage enum EngineError {}\n")
        self.expect(("docs/architecture.md:15", "does not import Glibc: take the row out"))

    def test_files_that_are_too_long(self) -> None:
        for path, comment in (("Sources/HoldfastModel/Long.swift", "//\n"), ("Tests/Long/Long.swift", "//\n"),
                              ("Scripts/long.py", "#\n")):
            self.write(path, comment * 400)
            self.write(path.replace("Long.", "Longer.").replace("long.", "longer."), comment * 401)
        self.write("Scripts/longest", "#!/usr/bin/env bash\n" + "#\n" * 400)
        self.expect(("Scripts/longer.py:401", "401 lines"), ("Scripts/longest:401", "401 lines"),
                    ("Sources/HoldfastModel/Longer.swift:401", "401 lines"),
                    ("Tests/Long/Longer.swift:401", "split it"))

    def test_lines_that_are_too_wide(self) -> None:
        self.write("Sources/HoldfastModel/Wide.swift", "//" + "ä" * 118 + "\n//" + "ä" * 119 + "\n")
        self.write("Scripts/run", "#!/usr/bin/env bash\necho '" + "a" * 120 + "'\n")
        self.write("docs/decisions/0001-first.md", "a" * 200 + "\n")
        self.write("Sources/CThing/thing.c", "//" + "a" * 118 + "\n\tint " + "a" * 120 + ";\n")
        self.write("Sources/CThing/include/CThing.h", "/// " + "a" * 120 + "\n")
        self.expect(("Scripts/run:2", "columns"), ("Sources/CThing/include/CThing.h:1", "124 columns"),
                    ("Sources/CThing/thing.c:2", "columns"), ("Sources/HoldfastModel/Wide.swift:2", "121 columns"))

    def test_swift_lines_that_a_string_makes_wide(self) -> None:
        wide, exact = "a" * 120, "a" * 110
        self.write("Sources/HoldfastModel/Wide.swift", f'let a = "{wide}"\nlet b = #"{wide}"#\n'
                   f'let c = """\n  {wide}\n  """\nlet d = "" // {wide}\n'
                   f'let e = ("{exact}"),\nlet f = "{exact}" + b\n  /{wide}"{wide}/\n')
        path = "Sources/HoldfastModel/Wide.swift:"
        self.expect((path + "6", "columns"), (path + "8", "columns"))

    def test_words_that_no_code_holds(self) -> None:
        self.write("Sources/HoldfastModel/Words.swift", "\n".join([
            "// public, try! and fatalError may be told of; a != b", "let a = !b != c, text = \"a!\"",
            "let b = try! c()", "let c = d!", "let d = e() as! F", "fatalError()", "public struct G {}",
            "// TO" "DO: later"]) + "\n")
        self.write("Tests/Words.swift", "fatalError()\nlet c = d!\n")
        path = "Sources/HoldfastModel/Words.swift:"
        self.expect((path + "3", "`try!`"), (path + "4", "force unwrap"), (path + "5", "force unwrap"),
                    (path + "6", "`fatalError`"), (path + "7", "`public`"), (path + "8", "do it, or write an issue"),
                    ("Tests/Words.swift:2", "force unwrap"))

    def test_doc_comments_that_begin_with_a_question(self) -> None:
        self.write("Sources/HoldfastModel/Words.swift", "\n".join([
            "/// Whether it is so.", "let a = 1", "/// True if it is so,", "/// where nobody asked.", "let b = 1",
            "  /// - Parameters:", "  ///   - c: whether it is so.", "  /// - Returns: what it is.",
            "  /// - Throws: when it is not.", "let d = 1",
            "// Where this comment stands, nothing is documented.", "/// Wherever it is.", "let e = 1"]) + "\n")
        path = "Sources/HoldfastModel/Words.swift:"
        self.expect((path + "1", "`Whether`"), (path + "7", "`whether`"), (path + "8", "`what`"))

    def test_decisions_with_the_same_number_and_without_one(self) -> None:
        self.write("docs/decisions/0001-second.md", "# Second\n")
        self.write("docs/decisions/third.md", "# Third\n")
        self.expect(("docs/decisions/0001-second.md:1", "has the number of 0001-first.md"),
                    ("docs/decisions/third.md:1", "no number"))

    def test_the_command_names_places_and_ends_with_1(self) -> None:
        self.write("Scripts/tools.py", "# TO" "DO\n")
        done = self.run_tidy()
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (1, "Scripts/tools.py:1: `TO" "DO`: do it, or write an issue\n", ""))

    def test_the_printed_tables_are_those_that_the_code_needs(self) -> None:
        self.write("docs/architecture.md", "")
        done = self.run_tidy("--arrows")
        self.write("docs/architecture.md", ARCHITECTURE.split("| module")[0] + done.stdout + "\n"
                   + ARCHITECTURE[ARCHITECTURE.index("| file"):])
        self.expect()


class SwiftTests(unittest.TestCase):
    """What is read as code."""

    def test_comments_and_strings_are_blank_and_interpolations_are_code(self) -> None:
        text = ('a // b\n/* c /* d */ e */ f "g \\"h\\" \\(i("j" + k)) l" + #"m" \\n \\#(n)"# + '
                '"""\n "o" \\(p)\n """ + q\n')
        source = SwiftSource(text)
        self.assertEqual(len(source.code), len(text))
        self.assertEqual([word for word in "abcdefghijklmnopq" if word in source.code], list("afiknpq"))
        self.assertEqual(source.code.count("\n"), text.count("\n"))
        self.assertEqual(len(source.strings), 3)

    def test_a_regex_is_a_literal_and_a_division_is_none(self) -> None:
        code = SwiftSource('let A = B / C + D(/"E/, F) / G\n  /H\\/I/\n').code
        self.assertEqual([word for word in "ABCDEFGHI" if word in code], list("ABCDFG"))

    def test_a_string_that_does_not_end_ends_with_its_line(self) -> None:
        self.assertIn("b", SwiftSource('"a\nb').code)


if __name__ == "__main__":
    unittest.main()
