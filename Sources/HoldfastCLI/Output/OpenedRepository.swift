internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

extension Repository {
  /// Warns of containers that a command without a run of its own has read with their parity.
  func warnOfParityUses() {
    for key in containers.parityUses.takeUntold() { Console.warn(ParityUses.message(key)) }
  }
}

extension RepositoryContext {
  /// Opens it; warnings go to standard error.
  func open(
    limit: RateLimit? = nil, olderCopy: Bool = false, for source: SourceName? = nil, takesLease: Bool = false,
    looksAround: Bool = false
  ) throws -> Repository {
    try open(
      limit: limit, olderCopy: olderCopy, for: source, takesLease: takesLease, looksAround: looksAround
    ) { Console.warn($0) }
  }

  /// Opens it for reading, at the named target or at one that answers; warnings go to standard error.
  /// - Parameter place: from where it is read if no target is named.
  func open(
    _ copy: CopyOptions, _ place: ReadingPlace = .all, limit: RateLimit? = nil, for source: SourceName? = nil,
    looksAround: Bool = false
  ) throws -> Repository {
    try openToRead(
      from: copy.from.map { .target($0) } ?? place, limit: limit, olderCopy: copy.olderCopy, for: source,
      looksAround: looksAround
    ) { Console.warnAboveProgress($0) }
  }
}
