package import HoldfastModel
internal import HoldfastSystem

/// The limits of a listing. They keep a server whose listing never ends from holding a run for ever or filling its
/// memory.
package struct ListingLimits: Sendable {
  /// The longest key that S3 allows, in bytes.
  static let keyBytesMax = 1024
  /// The most bytes of all pages. Ten million objects take about 4 GB.
  package var bytesMax = 8 << 30
  /// The most time for all pages, with the work that is done on them meanwhile.
  package var timeMax = TimeSpan.minutes(60)

  package init() {}
}

/// Checks that the pages of a listing make progress, and end in time. Servers order names differently, but none sends a
/// token or a name twice.
struct ListingProgress {
  private static let pagesMax = 100_000
  private let client: S3Client
  private let begun: TimeSpan
  private var bytes = 0
  private var pages = 0
  /// Hash values, because a server decides how long the texts are, and how many.
  private var tokens: Set<Int> = []
  private var names: Set<Int> = []

  init(_ client: S3Client) {
    self.client = client
    begun = client.clock.uptime()
  }

  /// Counts a page.
  /// - Throws: `StoreError.unavailable` if the listing has become too long.
  mutating func take(_ page: HTTPAnswer) throws(StoreError) {
    let limits = client.listingLimits
    pages += 1
    bytes += page.body.count
    guard pages <= Self.pagesMax, bytes <= limits.bytesMax, client.clock.uptime() - begun <= limits.timeMax else {
      throw .unavailable(location: client.location, reason: "its listing does not end")
    }
  }

  /// Notes a page.
  /// - Parameters:
  ///   - token: the token of the next page.
  ///   - name: the first object of this page; `nil` if it has none.
  /// - Returns: false if an earlier page had the same token or name.
  mutating func isNew(_ token: String, _ name: String?) -> Bool {
    let isNewName = name.map { names.insert($0.hashValue).inserted } ?? true
    return tokens.insert(token.hashValue).inserted && isNewName
  }
}
