package import HoldfastModel
internal import HoldfastSystem

/// All versions of the objects of a bucket, removed ones included. A bucket with object lock keeps them: a removal only
/// adds a marker, and a write over an object adds a version.
struct S3Versions {
  static let action = "s3:ListBucketVersions"

  let client: S3Client

  /// One version of an object, or the marker of its removal.
  struct Entry {
    /// With the prefix of the location.
    let key: String
    let id: String
    /// `nil` for a marker.
    let length: UInt64?
    /// By the clock of the server; `nil` when it does not say.
    let time: Timestamp?
    /// Whether it is what a reader gets who asks for none.
    let isCurrent: Bool
    /// Whether it must be thawed before it can be read.
    let isCold: Bool
  }

  /// Gives every version below a prefix to `body`, those of one key together, the newest first.
  func forEach(_ prefix: String, _ body: (Entry) throws -> Void) throws {
    var markers: [(String, String)] = []
    var progress = ListingProgress(client)
    while true {
      let query = [("versions", ""), ("prefix", prefix), ("max-keys", "1000"), ("encoding-type", "url")]
      let answer = try client.success(S3Request("GET", nil, query: query + markers), Self.action)
      try progress.take(answer)
      guard let page = XMLElement.parse(answer.body), page.name == "ListVersionsResult" else {
        if !XMLElement.isAvailable { throw S3Error.noParser }
        // A server without versions may list its objects.
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

  /// Gives the version of each key below a prefix that a choice means to `body`. Keys of which it means none are left
  /// out.
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

  /// The version of one key; `nil` when there is none.
  func chosen(_ key: String, _ choice: VersionChoice) throws -> Entry? {
    var found: Entry?
    try forEach(key, choice) { if $0.key == key { found = $0 } }
    return found
  }

  /// Whether there is a version of the key that a reader does not get who asks for none.
  func hasEarlier(of key: String) throws -> Bool {
    var isFound = false
    try forEach(key) { entry in
      if entry.key == key, entry.length != nil, !entry.isCurrent { isFound = true }
    }
    return isFound
  }
}

/// Which versions of objects are read. Objects of a repository are created once. So where somebody has removed them, or
/// has written over them, the right ones are still there: each first one, or those of a time before that.
package enum VersionChoice: Sendable, Equatable {
  /// What the bucket shows.
  case current
  /// The first version of each object, even if it was removed.
  case first
  /// What the bucket showed at a time, by its own clock.
  case asOf(Timestamp)

  /// Parses `first`, or a time as RFC 3339 has it: `2026-11-29T03:00:00Z`.
  package init?(_ text: String) {
    if text == "first" {
      self = .first
      return
    }
    guard let time = TimeText.parse(text) else { return nil }
    self = .asOf(time)
  }

  /// Whether a version is taken in place of the one that was chosen before it, which is newer.
  fileprivate func prefers(_ entry: S3Versions.Entry, to chosen: S3Versions.Entry?) -> Bool {
    switch self {
    case .current: entry.isCurrent
    case .first: entry.length != nil
    case .asOf(let time): chosen == nil && entry.time.map { $0 <= time } ?? false
    }
  }
}
