internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

extension RepositoryContext {
  /// Opens it; warnings go to standard error.
  func open(
    limit: RateLimit? = nil, olderCopy: Bool = false, for source: SourceName? = nil, takesLease: Bool = false
  ) throws -> Repository {
    try open(limit: limit, olderCopy: olderCopy, for: source, takesLease: takesLease) { Console.warn($0) }
  }
}
