internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource

/// Pages of a relation that are read although the log does not name them, to try whether it names all that change.
struct PageSample: Sendable {
  /// In ascending order.
  let pages: [UInt64]
  /// The start of the parent's backup, and that of this one.
  let parentStart: LogSequenceNumber
  let start: LogSequenceNumber
  /// True if a page that has changed at all since the parent must be in the log.
  let logsHints: Bool

  struct Look: Sendable {
    let page: UInt64
    let lsn: LogSequenceNumber
  }

  /// The greatest LSN of a page of an index that is being built: it is in the log when the index is complete
  /// (`access/gist.h`, `GistBuildLSN`).
  private static let unloggedMax = LogSequenceNumber(1)

  /// Looks at the pages of the sample among consecutive pages.
  func looks(at bytes: UnsafeRawBufferPointer, from first: UInt64, pageSize: Int) -> [Look] {
    var (low, high) = (0, pages.count)
    while low < high {
      let middle = (low + high) / 2
      if pages[middle] < first { low = middle + 1 } else { high = middle }
    }
    let end = first + UInt64(bytes.count / pageSize)
    return pages[low...].prefix { $0 < end }.map { page in
      let offset = Int(page - first) * pageSize
      return Look(
        page: page, lsn: PostgresFile.lsn(of: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + pageSize])))
    }
  }

  /// Returns those of the pages that differ from the parent.
  static func different(_ looks: [Look], _ extents: [PageExtent]) -> [Look] {
    looks.isEmpty ? [] : looks.filter { look in extents.contains { ($0.first..<$0.end).contains(look.page) } }
  }

  /// Returns true if a page that the log does not name may differ: it was changed after this backup began, is in no log
  /// yet, or has other hints.
  func isExplained(_ look: Look) -> Bool {
    look.lsn > start || look.lsn <= Self.unloggedMax || (!logsHints && look.lsn <= parentStart)
  }
}
