internal import HoldfastModel
internal import HoldfastSystem

/// Chooses the page size of a file that is captured for the first time: the unit in which its program changes it, or a
/// coarser one for a very large file.
package enum PageSize {
  /// The number of bytes from the beginning of a file that `choose` needs.
  package static let headCount = 100
  package static let standard: UInt32 = 4096
  package static let postgreSQL: UInt32 = 8192

  /// Returns the page size in bytes.
  /// - Parameter head: the first `headCount` bytes of the file, or all if it is shorter.
  package static func choose(head: UnsafeRawBufferPointer, size: UInt64, isInPostgreSQL: Bool) -> UInt32 {
    if let pageSize = sqlite(head) { return max(pageSize, standard) }
    if isInPostgreSQL { return postgreSQL }
    switch size {
    case ..<(64 << 30): return standard
    case ..<(256 << 30): return 4 * standard
    default: return 16 * standard
    }
  }

  /// Returns the page size in an SQLite header (https://www.sqlite.org/fileformat2.html, section 1.3.2); `nil` for
  /// other files.
  private static func sqlite(_ head: UnsafeRawBufferPointer) -> UInt32? {
    guard head.count >= 18, head.starts(with: Array("SQLite format 3".utf8) + [0]) else { return nil }
    let value = UInt32(head[16]) << 8 | UInt32(head[17])
    let pageSize = value == 1 ? 65_536 : value
    return (512...65_536).contains(pageSize) && pageSize.nonzeroBitCount == 1 ? pageSize : nil
  }
}
