internal import HoldfastModel
internal import HoldfastSystem

/// Finds out if a file that does not begin as an SQLite database is one whose first page is damaged
/// (https://www.sqlite.org/fileformat2.html, sections 1.6 and 4.1).
struct SQLiteRemains {
  /// The first bytes of a database.
  static let magic = Array("SQLite format 3\0".utf8)
  private static let pageSizes = (9...16).map { UInt64(1) << $0 }
  private static let samplesMax: UInt64 = 64
  private static let framesMax: UInt64 = 64
  private static let pageHeaderCount = 12
  let file: OpenFile
  let size: UInt64

  /// True if at least half of the pages after the first one begin as pages of a B-tree: those of a database do, but for
  /// the ones that hold parts of long values.
  var hasPages: Bool {
    get throws {
      for pageSize in Self.pageSizes where size >= 2 * pageSize && size.isMultiple(of: pageSize) {
        if try hasPages(of: pageSize) { return true }
      }
      return false
    }
  }

  private func hasPages(of pageSize: UInt64) throws -> Bool {
    let pageCount = size / pageSize
    let samples = min(Self.samplesMax, pageCount - 1)
    var found: UInt64 = 0
    for sample in 0..<samples {
      let page = 1 + sample * (pageCount - 1) / samples
      let bytes = try read(Self.pageHeaderCount, at: page * pageSize)
      if Self.isPageHeader(bytes, pageSize: pageSize, pageCount: pageCount) { found += 1 }
    }
    return found > 0 && found * 2 >= samples
  }

  private static func isPageHeader(_ bytes: [UInt8], pageSize: UInt64, pageCount: UInt64) -> Bool {
    guard bytes.count == pageHeaderCount, [2, 5, 10, 13].contains(bytes[0]) else { return false }
    func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    let isInterior = bytes[0] < 10
    let (freeBlock, cells) = (number(1..<3), number(3..<5))
    // 0 stands for 65536.
    let content = number(5..<7) == 0 ? 65_536 : number(5..<7)
    return freeBlock < pageSize && content <= pageSize && (isInterior ? 12 : 8) + 2 * cells <= content
      && bytes[7] <= 60 && (!isInterior || (1...pageCount).contains(number(8..<12)))
  }

  /// Returns true if a write-ahead log has the first page of a database, in clear.
  static func holdsFirstPage(_ log: OpenFile, pageSize: UInt64) throws -> Bool {
    let reader = SQLiteRemains(file: log, size: try log.status().size)
    for frame in 0..<framesMax {
      let bytes = try reader.read(24 + magic.count, at: 32 + frame * (24 + pageSize))
      guard bytes.count == 24 + magic.count else { return false }
      if bytes[..<4].elementsEqual([0, 0, 0, 1]), bytes[24...].elementsEqual(magic) { return true }
    }
    return false
  }

  private func read(_ count: Int, at offset: UInt64) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let read = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
    return Array(bytes.prefix(read))
  }
}
