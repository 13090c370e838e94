package import HoldfastModel
internal import HoldfastSystem

/// All versions of the objects of a bucket, including removed ones. A bucket with object lock keeps them: a removal
/// only adds a marker, and a write over an object adds a version.
struct S3Versions {
  static let action = "s3:ListBucketVersions"

  let client: S3Client

  /// One version of an object, or the marker of its removal.
  struct Entry {
    /// The key with the prefix of the location.
    let key: String
    let id: String
    /// The length in bytes; `nil` for a marker.
    let length: UInt64?
    /// The time at which it was made, by the server's clock; `nil` if the server does not say.
    let time: Timestamp?
    /// True if a read without a version gets this one.
    let isCurrent: Bool
    /// True if it must be thawed before it can be read.
    let isCold: Bool
  }

  /// Calls `body` with every version below a prefix: the versions of one key together, the newest first.
  func forEach(_ prefix: String, _ body: (Entry) throws -> Void) throws {
    var markers: [(String, String)] = []
    var progress = ListingProgress(client)
    while true {
      let query = [("versions", ""), ("prefix", prefix), ("max-keys", "1000"), ("encoding-type", "url")]
      let answer = try client.success(S3Request("GET", nil, query: query + markers), Self.action)
      try progress.take(answer)
      guard let page = XMLElement.parse(answer.body), page.name == "ListVersionsResult" else {
        if !XMLElement.isAvailable { throw S3Error.noParser }
        // A server without versions may list its objects instead.
        throw S3Error.notImplemented(location: client.location, what: Self.action)
      }
      for element in page.children where ["Version", "DeleteMarker"].contains(element.name) {
        try body(try entry(element, prefix, page))
      }
      guard page["IsTruncated"]?.text == "true" else { return }
      guard let key = S3Listing.key(page["NextKeyMarker"], page) else { throw notAListing }
      let next = [("key-marker", key), ("version-id-marker", page["NextVersionIdMarker"]?.text ?? "")]
      guard !next.elementsEqual(markers, by: ==) else { throw notAListing }
      markers = next
    }
  }

  private func entry(_ element: XMLElement, _ prefix: String, _ page: XMLElement) throws -> Entry {
    guard let key = S3Listing.key(element["Key"], page), key.hasPrefix(prefix), let id = element["VersionId"]?.text
    else {
      throw notAListing
    }
    var length: UInt64?
    if element.name == "Version" {
      guard let size = element["Size"].flatMap({ UInt64($0.text) }) else { throw notAListing }
      length = size
    }
    return Entry(
      key: key, id: id, length: length, time: element["LastModified"].flatMap { TimeText.parse($0.text) },
      isCurrent: element["IsLatest"]?.text == "true",
      isCold: element["StorageClass"].map { FrozenObject.StorageClass(rawValue: $0.text) != nil } ?? false)
  }

  private var notAListing: StoreError {
    .unavailable(location: client.location, reason: "its answer is no listing of versions")
  }

  // MARK: Choosing

  /// Calls `body` with the chosen version of each key below a prefix. Keys without such a version are left out.
  func forEach(_ prefix: String, _ choice: VersionChoice, _ body: (Entry) throws -> Void) throws {
    var key: String?
    var chosen: Entry?
    func end() throws {
      if let chosen, chosen.length != nil { try body(chosen) }
    }
    try forEach(prefix) { entry in
      if entry.key != key {
        try end()
        (key, chosen) = (entry.key, nil)
      }
      if choice.prefers(entry, to: chosen) { chosen = entry }
    }
    try end()
  }

  /// Returns the chosen version of one key; `nil` if there is none.
  func chosen(_ key: String, _ choice: VersionChoice) throws -> Entry? {
    var found: Entry?
    try forEach(key, choice) { if $0.key == key { found = $0 } }
    return found
  }

  /// Returns true if the key has a version that is not the current one.
  func hasEarlier(of key: String) throws -> Bool {
    var isFound = false
    try forEach(key) { entry in
      if entry.key == key, entry.length != nil, !entry.isCurrent { isFound = true }
    }
    return isFound
  }
}

/// The versions of objects that are read. Objects of a repository are created once. So if somebody has removed or
/// overwritten them, the right versions are still there: the first version of each, or those of a time before that.
package enum VersionChoice: Sendable, Equatable {
  /// The version that the bucket shows.
  case current
  /// The first version of each object, even if it was removed.
  case first
  /// The version that the bucket showed at a time, by its own clock.
  case asOf(Timestamp)

  /// Parses `first`, or a time of RFC 3339 such as `2026-11-29T03:00:00Z`.
  package init?(_ text: String) {
    if text == "first" {
      self = .first
      return
    }
    guard let time = TimeText.parse(text) else { return nil }
    self = .asOf(time)
  }

  /// Returns true if a version is chosen in place of the one that was chosen before, which is newer.
  fileprivate func prefers(_ entry: S3Versions.Entry, to chosen: S3Versions.Entry?) -> Bool {
    switch self {
    case .current: entry.isCurrent
    case .first: entry.length != nil
    case .asOf(let time): chosen == nil && entry.time.map { $0 <= time } ?? false
    }
  }
}
