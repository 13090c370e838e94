package import HoldfastModel
internal import HoldfastSystem

/// Runs that are kept until the file they belong to is whole: in memory, and beyond some MiB in a scratch file.
package final class PageMapSpool {
  private static let blockBytes = 64 << 10
  private let bytes: any ScratchBytes
  private var block = ByteEncoder()
  private var end: UInt64 = 0

  package init(_ space: ScratchSpace) {
    bytes = space.make()
  }

  package func append(_ run: PageRun) throws {
    block.run(run, after: end)
    end = run.end
    if block.bytes.count >= Self.blockBytes { try flush() }
  }

  /// The runs from the first on; nothing may be appended any more.
  package func runs(of file: FileContent) throws -> any PageMapReader {
    try flush()
    try bytes.finish()
    return Runs(cursor: ByteCursor(bytes), file: file)
  }

  private func flush() throws {
    try block.bytes.withUnsafeBytes { try bytes.append($0) }
    block.bytes.removeAll(keepingCapacity: true)
  }

  private struct Runs: PageMapReader {
    let cursor: ByteCursor
    let file: FileContent
    var end: UInt64 = 0

    mutating func next() throws -> PageRun? {
      guard try !cursor.isAtEnd() else { return nil }
      let run = try cursor.run(record: try cursor.byte(), after: end, file: file)
      end = run.end
      return run
    }
  }
}
