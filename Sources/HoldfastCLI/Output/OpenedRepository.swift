internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

extension RepositoryContext {
  /// Opens it; warnings go to standard error.
  func open(limit: RateLimit? = nil, olderCopy: Bool = false) throws -> Repository {
    try open(limit: limit, olderCopy: olderCopy) { Console.warn($0) }
  }
}
