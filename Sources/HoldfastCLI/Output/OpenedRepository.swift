internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

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
  func open(
    _ copy: CopyOptions, limit: RateLimit? = nil, for source: SourceName? = nil, looksAround: Bool = false
  ) throws -> Repository {
    try openToRead(
      from: copy.from, limit: limit, olderCopy: copy.olderCopy, for: source, looksAround: looksAround
    ) { Console.warn($0) }
  }
}
