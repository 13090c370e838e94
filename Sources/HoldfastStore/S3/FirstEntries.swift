internal import HoldfastModel

/// The first entries of a listing that comes in any order. The others are dropped before there are too many.
struct FirstEntries {
  /// The most bytes of names. A page of 65,536 entries of a repository has about 4 MiB.
  private static let bytesMax = 32 << 20
  /// The number of entries, beyond four times as many as are wanted, that are kept before they are sorted and cut.
  private static let spare = 4000

  private let max: Int
  private let location: String
  private var entries: [ListingEntry] = []
  private var bytes = 0

  /// - Parameter max: the number of entries that are wanted.
  init(max: Int, location: String) { (self.max, self.location) = (max, location) }

  /// Adds an entry.
  /// - Throws: `StoreError.unavailable` if the entries that are wanted take too much memory.
  mutating func add(_ entry: ListingEntry) throws(StoreError) {
    entries.append(entry)
    bytes += entry.name.utf8.count
    guard entries.count >= 4 * max + Self.spare || bytes > Self.bytesMax else { return }
    entries = Array(Self.sorted(entries).prefix(max + 1))
    bytes = entries.reduce(0) { $0 + $1.name.utf8.count }
    // The limit here is half of it, so that the next entries do not cause a sort at once.
    guard bytes <= Self.bytesMax / 2 else {
      throw .unavailable(location: location, reason: "its listing has names that no repository has")
    }
  }

  /// The first entries in the order of listings.
  var page: ListingPage { ListingPage(Self.sorted(entries), max: max) }

  private static func sorted(_ entries: [ListingEntry]) -> [ListingEntry] {
    entries.sorted { $0.name.precedesInListing($1.name) }
  }
}
