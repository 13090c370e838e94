internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The archived log of a source: how much is stored, and since when.
package struct LogAmount: Sendable, Hashable {
  /// The bytes of all its objects; `nil` if the store does not list lengths.
  package let storedBytes: UInt64?
  /// The time at which the first file that is still there was archived; `nil` if that cannot be read.
  package let oldest: Timestamp?

  package init(storedBytes: UInt64?, oldest: Timestamp?) { (self.storedBytes, self.oldest) = (storedBytes, oldest) }
}

extension WALArchive {
  /// Returns how much log is archived; `nil` if there is none.
  package func amount() throws -> LogAmount? {
    var (bytes, count): (UInt64?, Int) = (0, 0)
    try repository.store.forEachEntry(below: Keys.wal(source), .everything) { entry in
      count += 1
      bytes = bytes.flatMap { sum in entry.kind.length.map { sum.saturatingAdding($0) } }
      return true
    }
    guard count > 0 else { return nil }
    return LogAmount(storedBytes: bytes, oldest: try systems().compactMap(firstTime).min())
  }

  /// Returns the time at which the first sound file of a log was archived. A verify tells of damaged ones.
  private func firstTime(_ system: SystemIdentifier) throws -> Timestamp? {
    for file in try files(of: system) where file.isLog {
      do {
        if let found = try find(file, of: system) { return found.manifest.time.moment }
      } catch  where error.isDamage {
        continue
      }
    }
    return nil
  }
}
