package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A bucket of SeaweedFS with object lock, and the actions of an attacker with the credentials of the backup host.
package struct LockedBucket: Sendable {
  /// A version of an object, or the marker of a removal.
  package struct Version: Sendable, Hashable {
    package let key: String
    package let id: String
    package let isMarker: Bool
  }

  package let name = "locked-\(UInt32.random(in: .min ... .max))"
  private let server = SeaweedFS.shared

  /// - Parameter defaultDays: the number of days for which the bucket locks objects that are written without a lock.
  package init(defaultDays: Int? = nil) throws {
    try expect(S3Request("PUT", nil, headers: [("x-amz-bucket-object-lock-enabled", "true")]))
    guard let defaultDays else { return }
    try expect(
      S3Request("PUT", nil, query: [("object-lock", "")]),
      """
      <ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
      <Mode>COMPLIANCE</Mode><Days>\(defaultDays)</Days></DefaultRetention></Rule></ObjectLockConfiguration>
      """)
  }

  /// The location of a repository in it.
  package var location: String { server.location(prefix: "shop/", bucket: name) }

  /// Returns a store that repeats temporary failures, as commands do: SeaweedFS fails now and then while it makes room
  /// for a new bucket.
  package func store(host: Host = TestHost.make(), _ change: (inout S3Settings) -> Void = { _ in }) -> RetryingStore {
    let store = server.store(prefix: "shop/", bucket: name, host: host) { settings in
      settings.isLocked = { !$0.hasPrefix("leases/") }
      change(&settings)
    }
    return RetryingStore(store, Retrier(host: host))
  }

  /// Sends a request, and repeats it after a temporary failure.
  package func send(_ request: S3Request, _ body: String = "") throws -> HTTPAnswer {
    try store().request {
      let answer = try server.send(request, to: name, body)
      guard ![500, 503].contains(answer.status) else {
        throw StoreError.unavailable(location: name, reason: "status \(answer.status)")
      }
      return answer
    }
  }

  private func expect(_ request: S3Request, _ body: String = "") throws {
    let answer = try send(request, body)
    guard answer.isSuccess else { throw StoreError.unavailable(location: name, reason: "status \(answer.status)") }
  }

  /// Returns the mode and the end of the lock on the current version of an object; `nil` when it is not locked.
  package func lock(of key: String) throws -> (mode: String, end: Timestamp)? {
    let answer = try send(S3Request("GET", key, query: [("retention", "")]))
    guard let found = XMLElement.parse(answer.body), let mode = found["Mode"]?.text,
      let end = found["RetainUntilDate"].flatMap({ TimeText.parse($0.text) })
    else { return nil }
    return (mode, end)
  }

  /// Returns all versions, those of one key together, the newest first.
  package func versions() throws -> [Version] {
    var found: [Version] = []
    var markers: [(String, String)] = []
    while true {
      let answer = try send(S3Request("GET", nil, query: [("versions", "")] + markers))
      guard let page = XMLElement.parse(answer.body), page.name == "ListVersionsResult" else { return found }
      found += page.children.compactMap { element in
        guard let key = element["Key"]?.text, let id = element["VersionId"]?.text else { return nil }
        return Version(key: key, id: id, isMarker: element.name == "DeleteMarker")
      }
      guard page["IsTruncated"]?.text == "true", let key = page["NextKeyMarker"]?.text else { return found }
      markers = [("key-marker", key), ("version-id-marker", page["NextVersionIdMarker"]?.text ?? "")]
    }
  }

  /// Deletes every version that may be deleted, writes junk over every object, and removes it.
  /// - Returns: the versions that existed and could not be deleted.
  package func destroyEverything() throws -> [Version] {
    let before = try versions()
    let kept = try before.filter { version in
      let request = S3Request(
        "DELETE", version.key, query: [("versionId", version.id)],
        headers: [("x-amz-bypass-governance-retention", "true")])
      return try !send(request).isSuccess
    }
    for key in Set(before.map(\.key)) {
      try expect(S3Request("PUT", key), "pay first")
      try expect(S3Request("DELETE", key))
    }
    return kept
  }
}
