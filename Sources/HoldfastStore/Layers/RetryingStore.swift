package import HoldfastModel
package import HoldfastSystem

/// A store that repeats requests that fail temporarily. The contract allows every call to be repeated.
package struct RetryingStore: RequestLayer {
  package let base: any Store
  private let retrier: Retrier

  package init(_ base: any Store, _ retrier: Retrier) {
    self.base = base
    self.retrier = retrier
  }

  package func request<Answer>(_ body: () throws -> Answer) throws -> Answer { try retrier.run(body) }

  /// Sends the object as an upload, which recognises its own object if an earlier try has created it.
  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  package func extendLocks(of keys: [String], until end: Timestamp) throws -> [String] {
    try request { try base.extendLocks(of: keys, until: end) }
  }

  package func hasEarlierVersion(of key: String) throws -> Bool {
    try request { try base.hasEarlierVersion(of: key) }
  }

  package func probe(_ random: Randomness) throws -> StoreProbe { try request { try base.probe(random) } }
}
