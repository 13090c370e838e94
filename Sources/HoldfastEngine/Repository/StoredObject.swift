internal import HoldfastArchive
internal import HoldfastStore
internal import HoldfastSystem

extension Store {
  /// An object of a repository.
  /// - Throws: `StoreError.notFound`; `DamageError` where something else lies in its place.
  func object(_ key: String) throws -> any ReadableBytes {
    do {
      return try open(key)
    } catch let error as StoreError {
      guard case .foreign = error else { throw error }
      throw DamageError(key, "a link or something else that is no file lies in its place")
    }
  }
}
