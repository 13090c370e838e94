internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastQuery
internal import HoldfastReport
internal import HoldfastSystem

/// Writes the rows of a query to standard output while they come: bytes as they are in the database, except on a
/// terminal.
final class QueryOutput {
  enum Form {
    case table
    case lines(RowFormat)
    case json
  }

  private static let bufferBytes = 64 << 10
  private let form: Form
  private let snapshot: Snapshot
  private let path: Path
  private let sink: OpenFile
  private var buffer: [UInt8] = []
  /// True if anything was written.
  private var isBegun = false
  private var table: RowTable?
  private(set) var rows: UInt64 = 0

  init(_ form: Form, _ snapshot: Snapshot, _ path: Path, files: FileSystem) throws {
    (self.form, self.snapshot, self.path) = (form, snapshot, path)
    sink = try files.duplicate(descriptor: 1, name: "standard output")
  }

  func begin(_ columns: [String]) throws {
    switch form {
    case .table: table = RowTable(columns)
    case .lines(let format): if let header = format.header(columns) { try write(header) }
    case .json: try write(QueryJSON.head(snapshot, path, columns: columns))
    }
  }

  func add(_ row: [QueryValue]) throws {
    switch form {
    case .table: for line in table?.add(row) ?? [] { try write(line + "\n") }
    case .lines(let format): try write(format.line(row))
    case .json: try write(JSONText.element(row, isFirst: rows == 0))
    }
    rows += 1
  }

  func finish(_ figures: SnapshotDatabase.Figures, _ machine: MachineContext) throws {
    switch form {
    case .table: for line in table?.finish() ?? [] { try write(line + "\n") }
    case .lines: break
    case .json: try write(QueryJSON.tail(figures, machine.traffic.counts, isEmpty: rows == 0) + "\n")
    }
    try flush()
  }

  /// Writes the rows that are there, because an error follows. JSON of which nothing was written yet is left out: the
  /// error takes its place; otherwise the error is the end of it.
  func fail(_ error: any Error) throws {
    guard case .json = form else { return try flush() }
    guard isBegun else { return buffer.removeAll() }
    try write(JSONText.closing(failure: describe(error), isEmpty: rows == 0) + "\n")
    try flush()
  }

  private func flush() throws {
    if case .json = form { Console.noteJSON() }
    isBegun = true
    try buffer.withUnsafeBytes { try sink.append($0) }
    buffer.removeAll(keepingCapacity: true)
  }

  private func write(_ text: String) throws { try write(Array(text.utf8)) }

  private func write(_ bytes: [UInt8]) throws {
    buffer += bytes
    if buffer.count >= Self.bufferBytes { try flush() }
  }
}
