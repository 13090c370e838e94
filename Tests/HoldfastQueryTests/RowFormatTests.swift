import HoldfastQuery
import Testing

/// Rows as they leave holdfast: without loss for programs, without control sequences for terminals.
@Suite struct RowFormatTests {
  private let row: [QueryValue] = [
    .integer(-7), .real(0.5, text: "0.5"), .null, .text([]), .text(Array("a\tb\\c\n\"d\",\r".utf8)),
    .blob([0xca, 0xfe]), .text([0xff, UInt8(ascii: "x")]),
  ]

  @Test func aPipeGetsALineForEachRow() {
    #expect(RowFormat.plain.header(["a"]) == nil)
    let line = RowFormat.plain.line(row)
    #expect(
      line == Array("-7\t0.5\t\t\t".utf8) + Array(#"a\tb\\c\n"d",\r"#.utf8) + Array("\tx'cafe'\t".utf8) + [
        0xff, 0x78, 0x0a,
      ])
  }

  @Test func commaSeparatedValuesKeepNullAndEmptyTextApart() {
    #expect(RowFormat.csv.header(["a", "b,c"]) == Array("a,\"b,c\"\n".utf8))
    #expect(
      RowFormat.csv.line(row)
        == Array("-7,0.5,,\"\",\"a\tb\\c\n\"\"d\"\",\r\",x'cafe',".utf8) + [0xff, 0x78, 0x0a])
  }

  @Test func aTableShowsWhatATerminalMustNotGet() {
    var table = RowTable(["id", "note\u{1b}[2J"])
    #expect(table.add([.integer(5), .text(Array("\u{1b}]0;x\u{7}é".utf8))]).isEmpty)
    #expect(table.add([.null, .blob([1])]).isEmpty)
    #expect(
      table.finish() == [
        "id  note\\x1b[2J", "──  ─────────────", " 5  \\x1b]0;x\\x07é", "    x'01'",
      ])
    var long = RowTable(["n"])
    let lines = (0..<300).flatMap { long.add([.integer($0)]) } + long.finish()
    #expect(lines.count == 302 && lines.last == "299")
    var empty = RowTable(["n"])
    #expect(empty.finish() == ["n", "─"])
  }

  @Test(arguments: [
    (QueryValue.null, false), (.integer(0), false), (.integer(-1), true), (.real(0, text: "0.0"), false),
    (.real(0.1, text: "0.1"), true), (.text(Array("0".utf8)), false), (.text([]), false),
    (.text(Array("ok".utf8)), true), (.blob([]), false), (.blob([0]), true),
  ])
  func anAssertionHoldsUnlessItIsZeroOrNull(_ value: QueryValue, _ holds: Bool) {
    #expect(value.holds == holds)
  }
}
