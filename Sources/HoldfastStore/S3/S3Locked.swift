package import HoldfastModel
internal import HoldfastSystem

/// The functions of a bucket with object lock: terms, and versions of what was removed or written over.
extension S3Store {
  package func extendLocks(of keys: [String], until end: Timestamp) throws -> [String] {
    try checkWritable()
    guard let lock = settings.lock else { return [] }
    return try S3Retention(client: client, prefix: prefix, lock: lock)
      .extend(try keys.map { try key($0) }, until: end, connections: connections)
  }

  /// Returns false if the server lists no versions, or not to this user.
  package func hasEarlierVersion(of key: String) throws -> Bool {
    guard settings.versions == .current else { return false }
    do {
      return try S3Versions(client: client).hasEarlier(of: try self.key(key))
    } catch let error as S3Error {
      switch error {
      case .notPermitted, .notImplemented, .refused: return false
      default: throw error
      }
    }
  }

  /// Opens the version that the settings choose.
  func openVersion(_ name: String, _ key: String, _ length: UInt64?) throws -> any ReadableBytes {
    guard let found = try S3Versions(client: client).chosen(key, settings.versions), let known = found.length else {
      throw StoreError.notFound(key: name, location: location)
    }
    guard known == length ?? known else {
      throw StoreError.otherLength(key: name, location: location, found: known, expected: length ?? known)
    }
    return S3Object(client, key: key, name: name, length: known, version: found.id)
  }

  /// - Throws: `S3Error.readsVersions` if earlier versions are read.
  func checkWritable() throws {
    guard settings.versions == .current else { throw S3Error.readsVersions(location: location) }
  }
}

// MARK: Testing the lock

extension S3Store {
  /// So long the object with which the lock is tried stays locked.
  private static let triedSpan = TimeSpan.minutes(20)

  /// Tests the lock. It locks an object for twenty minutes (so long because clocks differ), and tries to delete it for
  /// good, with all rights that these credentials have.
  /// - Throws: `S3Error.noObjectLock` if the bucket locks nothing.
  func tryLock(_ probe: inout StoreProbe, _ random: Randomness) throws {
    guard let lock = settings.lock else { return }
    let name = "\(StoreProbe.prefix)\(random.identifier())/locked"
    let key = try self.key(name)
    defer { try? remove(name) }
    var end = client.clock.now()
    end.seconds += Self.triedSpan.wholeSeconds
    let upload = S3Upload(
      client, key: key, name: name, headers: S3Retention.headers(lock, until: end), .keptByLooking)
    let bytes = random.bytes(64)
    try bytes.withUnsafeBytes { try upload.send($0, at: 0) }
    try upload.commit()
    guard let version = try S3Versions(client: client).chosen(key, .current)?.id, version != "null" else {
      throw S3Error.noObjectLock(location: location)
    }
    var request = S3Request("DELETE", key, query: [("versionId", version)])
    if lock.mode == .governance { request.headers = [("x-amz-bypass-governance-retention", "true")] }
    guard try client.answer(request).isSuccess else { return }
    probe.capabilities.objectLock = nil
    probe.weaknesses.append(
      lock.mode == .governance
        ? "\(location) lets these credentials delete what is locked (s3:BypassGovernanceRetention): whoever has them can delete every snapshot"
        : "\(location) does not keep what is locked: it has deleted a locked object")
  }
}
