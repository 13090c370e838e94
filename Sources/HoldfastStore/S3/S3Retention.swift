internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The locks of objects in a bucket with object lock.
struct S3Retention: Sendable {
  let client: S3Client
  /// The prefix of the location. Names in messages do not have it.
  let prefix: String
  let lock: ObjectLock

  /// Returns the headers that lock an object when it is created.
  static func headers(_ lock: ObjectLock, until end: Timestamp) -> [(name: String, value: String)] {
    [
      ("x-amz-object-lock-mode", lock.mode.rawValue.uppercased()),
      ("x-amz-object-lock-retain-until-date", text(end)),
    ]
  }

  /// Returns true if such headers are among these.
  static func lock(_ headers: [(name: String, value: String)]) -> Bool {
    headers.contains { $0.name.hasPrefix("x-amz-object-lock-") }
  }

  /// Returns a time such as `2026-12-30T00:00:00Z`.
  private static func text(_ time: Timestamp) -> String { TimeText.utc(time).prefix { $0 != "." } + "Z" }

  // MARK: Extending

  /// A version of an object.
  private struct Version: Sendable, Hashable {
    let key: String
    let id: String
  }

  /// Locks objects until a time, except those that are locked for longer. Objects that are locked already keep their
  /// mode. If an object was written over or removed since it was created, its first version is locked too, because the
  /// repository needs that one.
  /// - Parameter keys: with the prefix of the location.
  /// - Returns: the names of objects that were written over or removed, without the prefix.
  /// - Throws: `StoreError.notFound` if no version of an object is there.
  func extend(_ keys: [String], until end: Timestamp, connections: Int) throws -> [String] {
    var replaced: [String] = []
    var versions: [Version] = []
    for (folder, keys) in Dictionary(grouping: keys, by: folder).sorted(by: { $0.key < $1.key }) {
      let found = try self.versions(of: Set(keys), below: folder)
      for key in keys {
        guard let (first, current) = found[key] else {
          throw StoreError.notFound(key: name(key), location: client.location)
        }
        versions.append(Version(key: key, id: first))
        guard current != first else { continue }
        replaced.append(name(key))
        if let current { versions.append(Version(key: key, id: current)) }
      }
    }
    let all = versions
    try SideBySide.run(all.count, threads: connections) { [self] in try extend(all[$0], until: end) }
    return replaced
  }

  private func name(_ key: String) -> String { String(key.dropFirst(prefix.count)) }

  /// Returns the prefix that is listed to find a key: two folders, or the key itself if it is in fewer.
  private func folder(of key: String) -> String {
    let parts = name(key).split(separator: "/", omittingEmptySubsequences: false)
    return prefix + (parts.count > 2 ? parts[..<2].joined(separator: "/") + "/" : name(key))
  }

  /// - Returns: the first version of each key, and the current one, which is `nil` if the object was removed.
  private func versions(
    of keys: Set<String>, below folder: String
  ) throws -> [String: (first: String, current: String?)] {
    var found: [String: (first: String, current: String?)] = [:]
    try S3Versions(client: client).forEach(folder) { entry in
      guard keys.contains(entry.key), entry.length != nil else { return }
      // The newest version comes first.
      let current = found[entry.key]?.current ?? (entry.isCurrent ? entry.id : nil)
      found[entry.key] = (entry.id, current)
    }
    return found
  }

  private func extend(_ version: Version, until end: Timestamp) throws {
    var answer = try put(version, lock.mode, end)
    if !answer.isSuccess, (400..<500).contains(answer.status), let (mode, known) = try self.retention(of: version) {
      // A lock is never shortened, because another host may lock for longer.
      if known >= end { return }
      // An object that was locked before the setting was changed keeps its mode. Changing the mode takes a right that a
      // host which only extends terms does not need.
      if mode != lock.mode { answer = try put(version, mode, end) }
    }
    guard answer.isSuccess else {
      throw Self.failure(client, answer, key: name(version.key), "s3:PutObjectRetention")
    }
  }

  private func put(_ version: Version, _ mode: ObjectLock.Mode, _ end: Timestamp) throws -> HTTPAnswer {
    let body = Array(
      """
      <Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>\(mode.rawValue.uppercased())</Mode>\
      <RetainUntilDate>\(Self.text(end))</RetainUntilDate></Retention>
      """.utf8)
    return try body.withUnsafeBytes { try client.answer(request("PUT", version), body: $0) }
  }

  private func request(_ method: String, _ version: Version) -> S3Request {
    S3Request(method, version.key, query: [("retention", ""), ("versionId", version.id)])
  }

  /// Returns the mode and the end of the lock of a version; `nil` if it is not locked, or if the server does not say.
  private func retention(of version: Version) throws -> (ObjectLock.Mode, until: Timestamp)? {
    let answer = try client.answer(request("GET", version))
    guard answer.isSuccess, let found = XMLElement.parse(answer.body),
      let mode = found["Mode"].flatMap({ ObjectLock.Mode(rawValue: $0.text.lowercased()) }),
      let end = found["RetainUntilDate"].flatMap({ TimeText.parse($0.text) })
    else { return nil }
    return (mode, end)
  }

  // MARK: Refusals

  /// Returns the error for a refused request that locks something.
  static func failure(_ client: S3Client, _ answer: HTTPAnswer, key: String, _ action: String) -> any Error {
    if answer.status == 400, XMLElement.parse(answer.body)?["Code"]?.text == "InvalidRequest" {
      return S3Error.noObjectLock(location: client.location)
    }
    return client.failure(answer, key: key, action)
  }

  /// Returns the error for a removal that was refused. Servers give no reason, so the lock of the object is asked for.
  /// - Parameters:
  ///   - key: with the prefix of the location, which `name` does not have.
  ///   - asks: true if the object may be locked at all.
  static func refusal(_ client: S3Client, key: String, name: String, asks: Bool) -> StoreError {
    let answer = asks ? try? client.answer(S3Request("HEAD", key)) : nil
    let end = answer?.headers["x-amz-object-lock-retain-until-date"].flatMap { TimeText.parse($0) }
    return .removalRefused(
      key: name, location: client.location, .s3, lockedUntil: end.flatMap { $0 > client.clock.now() ? $0 : nil })
  }
}
