/// The depth of a listing.
package enum ListingDepth: Sendable {
  /// Names directly below the prefix. A name with more below it is one entry, which ends with `/`.
  case children
  /// Every object below the prefix. Names are relative to the prefix and may contain `/`. Folders are not listed.
  case everything
}

/// One name in a listing.
package struct ListingEntry: Sendable, Equatable {
  /// The kind of what is under a name.
  package enum Kind: Sendable, Equatable {
    /// - Parameters:
    ///   - length: in bytes; `nil` when listings do not contain lengths (`StoreCapabilities.listsLengths`).
    ///   - tag: what the store says of the content (S3: the ETag): with another content the object has another tag;
    ///     `nil` where it says nothing.
    case object(length: UInt64?, tag: String? = nil)
    /// An object that cannot be read before its provider has thawed it, if that has not happened: `Store.frozen` tells.
    case cold(length: UInt64)
    /// Something with more below it.
    case folder
    /// Something that no store makes: a symbolic link, a fifo, a device.
    case foreign

    /// The length of an object, in bytes; `nil` when it is not known, and for everything else.
    package var length: UInt64? {
      switch self {
      case .object(let length, _): length
      case .cold(let length): length
      case .folder, .foreign: nil
      }
    }
  }

  /// Relative to the listed prefix; ends with `/` for a folder.
  package let name: String
  package let kind: Kind

  package init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

/// A part of a listing.
package struct ListingPage: Sendable, Equatable {
  package let entries: [ListingEntry]
  /// Whether this is the last page.
  package let isLast: Bool

  package static let empty = ListingPage(entries: [], isLast: true)

  package init(entries: [ListingEntry], isLast: Bool) {
    self.entries = entries
    self.isLast = isLast
  }

  /// Takes the first `max` of sorted entries.
  package init(_ entries: [ListingEntry], max: Int) {
    isLast = entries.count <= max
    self.entries = isLast ? entries : Array(entries.prefix(max))
  }
}

extension String {
  /// Whether the name comes before another one in listings, which are sorted by bytes.
  package func precedesInListing(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}

extension Store {
  /// The number of entries that are requested at once.
  private static var pageMax: Int { 1 << 16 }

  /// Gives every entry below a prefix to `body`, page by page, until it returns `false`.
  package func forEachEntry(
    below prefix: String, _ depth: ListingDepth, after name: String? = nil, _ body: (ListingEntry) throws -> Bool
  ) throws {
    var last = name
    while true {
      let page = try list(prefix, depth, after: last, max: Self.pageMax)
      for entry in page.entries where try !body(entry) { return }
      guard !page.isLast, let end = page.entries.last else { return }
      last = end.name
    }
  }

  /// The names directly below `prefix`, in ascending order; a name with more below it ends with `/`. `prefix` ends with
  /// `/`, or is empty. Empty when nothing is there.
  package func names(below prefix: String) throws -> [String] {
    var names: [String] = []
    try forEachEntry(below: prefix, .children) { entry in
      names.append(entry.name)
      return true
    }
    return names
  }

  /// Finds keys with as few listings as possible: neighbouring keys come with one page, which begins at one of them.
  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try findInListing(keys) }

  /// Looks for objects in a listing of the folder that they share.
  func findInListing(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    let wanted = Set(keys)
    var next = wanted.sorted { $0.precedesInListing($1) }[...]
    guard let first = next.first, let last = next.last else { return [] }
    let prefix = first.commonFolder(with: last)
    var found: [String: ListingEntry.Kind] = [:]
    var read = ""
    while let key = next.first {
      let before = String(key.dropFirst(prefix.count)).justBefore
      let page = try list(
        prefix, .everything, after: read.precedesInListing(before) ? before : read, max: Self.foundAtOnce)
      for entry in page.entries where wanted.contains(prefix + entry.name) { found[prefix + entry.name] = entry.kind }
      guard !page.isLast, let end = page.entries.last?.name else { break }
      read = end
      next = next.drop { !(prefix + end).precedesInListing($0) }
    }
    return keys.map { found[$0] }
  }

  /// The page size for finding keys: S3 returns so many names at once.
  private static var foundAtOnce: Int { 1000 }
}

/// Keys are ASCII.
extension String {
  /// The longest folder that contains both keys, ending with `/`; empty when there is none.
  fileprivate func commonFolder(with other: String) -> String {
    let shared = prefix(zip(utf8, other.utf8).prefix { $0 == $1 }.count)
    return String(shared[..<(shared.lastIndex(of: "/").map(shared.index(after:)) ?? shared.startIndex)])
  }

  /// A name that sorts before this key and after all smaller keys, to begin a page with this key.
  fileprivate var justBefore: String {
    guard let last = utf8.last, last > 0 else { return "" }
    return dropLast() + String(decoding: [last - 1, 0x7f], as: UTF8.self)
  }
}
