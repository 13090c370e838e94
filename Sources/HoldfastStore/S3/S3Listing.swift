internal import HoldfastModel
internal import HoldfastSystem

/// Lists a bucket. Servers return pages in orders of their own (SeaweedFS walks a tree) and mean different things by a
/// name to begin after, so every listing is read from its beginning by its continuation tokens, and sorted here.
struct S3Listing {
  /// No server returns more at once.
  private static let keysMax = 1000
  private static let tagBytesMax = 128
  /// A server that always goes on does not hold a run for ever.
  private static let pagesMax = 100_000

  let client: S3Client

  /// Gives every key and common prefix below a prefix to `body`, as the server orders them.
  /// - Parameter delimiter: keys with more behind it are one common prefix; empty for none.
  func forEach(
    _ prefix: String, delimiter: String = "", _ body: (_ key: String, _ kind: ListingEntry.Kind) throws -> Void
  ) throws {
    var token: String?
    var progress = ListingProgress()
    for _ in 0..<Self.pagesMax {
      let page = try page(prefix, delimiter, token)
      for object in page.all("Contents") {
        guard let key = Self.key(object["Key"], page), let length = object["Size"].flatMap({ UInt64($0.text) }) else {
          throw notAListing
        }
        guard key.hasPrefix(prefix) else { throw notAListing }
        let isCold = object["StorageClass"].map { FrozenObject.StorageClass(rawValue: $0.text) != nil } ?? false
        try body(key, isCold ? .cold(length: length) : .object(length: length, tag: Self.tag(object["ETag"]?.text)))
      }
      for folder in page.all("CommonPrefixes") {
        guard let key = Self.key(folder["Prefix"], page), key.hasPrefix(prefix) else { throw notAListing }
        try body(key, .folder)
      }
      guard page["IsTruncated"]?.text == "true" else { return }
      guard let next = page["NextContinuationToken"]?.text else { throw notAListing }
      guard progress.isNew(next, page["Contents"]?["Key"]?.text) else { throw noProgress }
      token = next
    }
    throw notAListing
  }

  private func page(_ prefix: String, _ delimiter: String, _ token: String?) throws -> XMLElement {
    var query = [
      ("list-type", "2"), ("prefix", prefix), ("max-keys", String(Self.keysMax)), ("encoding-type", "url"),
    ]
    if !delimiter.isEmpty { query.append(("delimiter", delimiter)) }
    if let token { query.append(("continuation-token", token)) }
    let answer = try client.success(S3Request("GET", nil, query: query), "s3:ListBucket")
    guard let page = XMLElement.parse(answer.body), page.name == "ListBucketResult" else {
      if !XMLElement.isAvailable { throw S3Error.noParser }
      throw notAListing
    }
    return page
  }

  /// An ETag without its quotes; `nil` when there is none, or it cannot be one.
  static func tag(_ text: String?) -> String? {
    guard let text = text?.filter({ $0 != "\"" }), (1...tagBytesMax).contains(text.utf8.count) else { return nil }
    return text
  }

  /// The key that an element names; `nil` without one.
  static func key(_ element: XMLElement?, _ page: XMLElement) -> String? {
    guard let text = element?.text else { return nil }
    return page["EncodingType"]?.text == "url" ? PercentEncoding.decode(text) : text
  }

  private var notAListing: StoreError {
    .unavailable(location: client.location, reason: "its answer is no listing")
  }

  private var noProgress: StoreError {
    .unavailable(location: client.location, reason: "it lists the same objects again and again")
  }
}

/// Whether the pages of a listing lead on. Servers order names differently, but none gives a token or a name twice.
struct ListingProgress {
  /// Hash values: a server determines how long the texts are, and how many.
  private var tokens: Set<Int> = []
  private var names: Set<Int> = []

  /// - Parameters:
  ///   - token: that of the next page.
  ///   - name: the first object of this page; `nil` when it has none.
  /// - Returns: `false` when one of them was there before.
  mutating func isNew(_ token: String, _ name: String?) -> Bool {
    let isNewName = name.map { names.insert($0.hashValue).inserted } ?? true
    return tokens.insert(token.hashValue).inserted && isNewName
  }
}
