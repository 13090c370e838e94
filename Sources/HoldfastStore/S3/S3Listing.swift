internal import HoldfastModel
internal import HoldfastSystem

/// Lists a bucket. Servers return pages in orders of their own (SeaweedFS walks a tree), and differ in what they take
/// for the beginning of a page. So every listing is read from its beginning by its continuation tokens, and sorted
/// here.
struct S3Listing {
  /// The most keys that a server returns at once.
  private static let keysMax = 1000
  private static let tagBytesMax = 128

  let client: S3Client

  /// One key, or a common prefix of several keys.
  typealias Entry = (key: String, kind: ListingEntry.Kind)

  /// Calls `body` with every key and common prefix below a prefix, page by page, as the server orders them. `body` may
  /// remove what it gets: a token names where the next page begins.
  /// - Parameter delimiter: joins keys that continue after it into one common prefix; empty for none.
  func forEachPage(_ prefix: String, delimiter: String = "", _ body: ([Entry]) throws -> Void) throws {
    var token: String?
    var progress = ListingProgress(client)
    while true {
      let page = try page(prefix, delimiter, token, &progress)
      try body(try page.all("Contents").map { try object($0, prefix, page) } + folders(prefix, page))
      guard page["IsTruncated"]?.text == "true" else { return }
      guard let next = page["NextContinuationToken"]?.text else { throw notAListing }
      guard progress.isNew(next, page["Contents"]?["Key"]?.text) else { throw noProgress }
      token = next
    }
  }

  private func object(_ element: XMLElement, _ prefix: String, _ page: XMLElement) throws -> Entry {
    guard let key = Self.key(element["Key"], page), key.hasPrefix(prefix),
      let length = element["Size"].flatMap({ UInt64($0.text) })
    else { throw notAListing }
    let isCold = element["StorageClass"].map { FrozenObject.StorageClass(rawValue: $0.text) != nil } ?? false
    return (key, isCold ? .cold(length: length) : .object(length: length, tag: Self.tag(element["ETag"]?.text)))
  }

  private func folders(_ prefix: String, _ page: XMLElement) throws -> [Entry] {
    try page.all("CommonPrefixes").map { folder in
      guard let key = Self.key(folder["Prefix"], page), key.hasPrefix(prefix) else { throw notAListing }
      return (key, .folder)
    }
  }

  private func page(
    _ prefix: String, _ delimiter: String, _ token: String?, _ progress: inout ListingProgress
  ) throws -> XMLElement {
    var query = [
      ("list-type", "2"), ("prefix", prefix), ("max-keys", String(Self.keysMax)), ("encoding-type", "url"),
    ]
    if !delimiter.isEmpty { query.append(("delimiter", delimiter)) }
    if let token { query.append(("continuation-token", token)) }
    let answer = try client.success(S3Request("GET", nil, query: query), "s3:ListBucket")
    try progress.take(answer)
    guard let page = XMLElement.parse(answer.body), page.name == "ListBucketResult" else {
      if !XMLElement.isAvailable { throw S3Error.noParser }
      throw notAListing
    }
    return page
  }

  /// Returns an ETag without its quotes; `nil` if there is none, or if its length is not possible.
  static func tag(_ text: String?) -> String? {
    guard let text = text?.filter({ $0 != "\"" }), (1...tagBytesMax).contains(text.utf8.count) else { return nil }
    return text
  }

  /// Returns the key that an element names; `nil` without one, or if it is longer than keys can be.
  static func key(_ element: XMLElement?, _ page: XMLElement) -> String? {
    guard let text = element?.text else { return nil }
    let key = page["EncodingType"]?.text == "url" ? PercentEncoding.decode(text) : text
    return key.flatMap { $0.utf8.count <= ListingLimits.keyBytesMax ? $0 : nil }
  }

  private var notAListing: StoreError {
    .unavailable(location: client.location, reason: "its answer is no listing")
  }

  private var noProgress: StoreError {
    .unavailable(location: client.location, reason: "it lists the same objects again and again")
  }
}
