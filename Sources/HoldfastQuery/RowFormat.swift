internal import HoldfastModel

/// A BLOB as SQL writes it.
enum BlobText {
  static func literal(_ bytes: [UInt8]) -> String { "x'\(Hex.encode(bytes))'" }
}

/// Writes rows as lines of text.
package enum RowFormat: Sendable {
  /// For other programs: values separated by tabs, no header. A tab is `\t`, a newline `\n`, a carriage return `\r` and
  /// a backslash `\\`, so that a line is a row. NULL is empty.
  case plain
  /// RFC 4180 with a header, and a newline at the end of a line. An empty text is `""`, NULL is empty.
  case csv

  /// Returns the line before all rows; `nil` if there is none.
  package func header(_ columns: [String]) -> [UInt8]? {
    switch self {
    case .plain: nil
    case .csv: line(columns.map { .text(Array($0.utf8)) })
    }
  }

  /// Returns the line of a row, with its newline.
  package func line(_ row: [QueryValue]) -> [UInt8] {
    var line: [UInt8] = []
    for (column, value) in row.enumerated() {
      if column > 0 { line.append(UInt8(ascii: self == .csv ? "," : "\t")) }
      switch (self, value) {
      case (_, .null): break
      case (_, .integer(let number)): line += Array(String(number).utf8)
      case (_, .real(_, let text)): line += Array(text.utf8)
      case (_, .blob(let bytes)): line += Array(BlobText.literal(bytes).utf8)
      case (.plain, .text(let bytes)): line += Self.escaped(bytes)
      case (.csv, .text(let bytes)): line += Self.quoted(bytes)
      }
    }
    line.append(UInt8(ascii: "\n"))
    return line
  }

  private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
    bytes.flatMap { byte -> [UInt8] in
      switch byte {
      case UInt8(ascii: "\t"): Array(#"\t"#.utf8)
      case UInt8(ascii: "\n"): Array(#"\n"#.utf8)
      case UInt8(ascii: "\r"): Array(#"\r"#.utf8)
      case UInt8(ascii: "\\"): Array(#"\\"#.utf8)
      default: [byte]
      }
    }
  }

  private static let quote = UInt8(ascii: "\"")

  private static func quoted(_ bytes: [UInt8]) -> [UInt8] {
    let special: Set<UInt8> = [quote, UInt8(ascii: ","), UInt8(ascii: "\n"), UInt8(ascii: "\r")]
    guard bytes.isEmpty || bytes.contains(where: special.contains) else { return bytes }
    return [quote] + bytes.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote]
  }
}

/// Writes rows as a table for a terminal. Nothing in it can move the cursor: what cannot be printed is escaped.
///
/// The first rows say how wide the columns are; later ones may be wider.
package struct RowTable {
  private static let measuredRows = 200
  private static let measuredBytes = 1 << 20
  private let columns: [String]
  private var waiting: [[QueryValue]] = []
  private var waitingBytes = 0
  private var widths: [Int]?

  package init(_ columns: [String]) { self.columns = columns.map { Path($0).description } }

  /// Returns the lines that can be printed now.
  package mutating func add(_ row: [QueryValue]) -> [String] {
    if let widths { return [Self.line(row, widths)] }
    waiting.append(row)
    waitingBytes += row.reduce(0) { $0 + $1.byteCount }
    return waiting.count < Self.measuredRows && waitingBytes < Self.measuredBytes ? [] : flush()
  }

  /// Returns the last lines.
  package mutating func finish() -> [String] { widths == nil ? flush() : [] }

  private mutating func flush() -> [String] {
    let cells = waiting.map { $0.map(Self.cell) }
    let widths = columns.indices.map { column in
      max(columns[column].count, cells.map { $0[column].count }.max() ?? 0)
    }
    self.widths = widths
    defer { waiting = [] }
    let header = Self.line(columns, widths, isRight: widths.map { _ in false })
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return [header, rule] + waiting.map { Self.line($0, widths) }
  }

  private static func line(_ row: [QueryValue], _ widths: [Int]) -> String {
    line(row.map(cell), widths, isRight: row.map(isNumber))
  }

  private static func line(_ cells: [String], _ widths: [Int], isRight: [Bool]) -> String {
    var line = ""
    for (column, cell) in cells.enumerated() {
      let padding = String(repeating: " ", count: max(0, widths[column] - cell.count))
      if isRight[column] { line += padding + cell } else { line += column == cells.count - 1 ? cell : cell + padding }
      if column < cells.count - 1 { line += "  " }
    }
    return line
  }

  private static func isNumber(_ value: QueryValue) -> Bool {
    switch value {
    case .integer, .real: true
    default: false
    }
  }

  private static func cell(_ value: QueryValue) -> String {
    switch value {
    case .null: ""
    case .integer(let number): String(number)
    case .real(_, let text): text
    case .text(let bytes): bytes.isEmpty ? "" : Path(bytes: bytes).description
    case .blob(let bytes): BlobText.literal(bytes)
    }
  }
}
