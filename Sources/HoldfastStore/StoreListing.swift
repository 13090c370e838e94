/// The depth of a listing.
package enum ListingDepth: Sendable {
  /// Names directly below the prefix. A name with more below it is one entry, which ends with `/`.
  case children
  /// Every object below the prefix. Names are relative to the prefix and may contain `/`. Folders are not listed.
  case everything
}

/// One name in a listing.
package struct ListingEntry: Sendable, Equatable {
  /// The kind of what has a name in a listing.
  package enum Kind: Sendable, Equatable {
    /// - Parameters:
    ///   - length: in bytes; `nil` if listings do not contain lengths (`StoreCapabilities.listsLengths`).
    ///   - tag: a text that changes when the content changes (S3: the ETag); `nil` if the store has none.
    case object(length: UInt64?, tag: String? = nil)
    /// An object that its provider may have to thaw before it can be read. `Store.frozen` tells if it has to.
    case cold(length: UInt64)
    /// A name with other names below it.
    case folder
    /// Something that no store makes, such as a symbolic link, a fifo or a device.
    case foreign

    /// The length of an object in bytes; `nil` if it is not known, and for everything else.
    package var length: UInt64? {
      switch self {
      case .object(let length, _): length
      case .cold(let length): length
      case .folder, .foreign: nil
      }
    }
  }

  /// The name relative to the listed prefix; ends with `/` for a folder.
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
  /// True if this is the last page.
  package let isLast: Bool

  package static let empty = ListingPage(entries: [], isLast: true)

  package init(entries: [ListingEntry], isLast: Bool) {
    self.entries = entries
    self.isLast = isLast
  }

  /// Makes a page of the first `max` of sorted entries.
  package init(_ entries: [ListingEntry], max: Int) {
    isLast = entries.count <= max
    self.entries = isLast ? entries : Array(entries.prefix(max))
  }
}

extension String {
  /// Returns true if the name comes before another one in listings, which are sorted by bytes.
  package func precedesInListing(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}

extension Store {
  /// The number of entries that are requested at once.
  private static var pageMax: Int { 1 << 16 }

  /// Calls `body` with every entry below a prefix, page by page, until it returns `false`.
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

  /// Returns the names directly below `prefix`, in ascending order; empty if nothing is there. A name with more below
  /// it ends with `/`.
  /// - Parameter prefix: ends with `/`, or is empty.
  package func names(below prefix: String) throws -> [String] {
    var names: [String] = []
    try forEachEntry(below: prefix, .children) { entry in
      names.append(entry.name)
      return true
    }
    return names
  }

  /// Finds keys with as few listings as possible: one page finds neighbouring keys, and begins at the first of them.
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

  /// The page size for finding keys: the number of names that S3 returns at once.
  private static var foundAtOnce: Int { 1000 }
}

/// Keys are ASCII.
extension String {
  /// Returns the longest folder that contains both keys, ending with `/`; empty if there is none.
  fileprivate func commonFolder(with other: String) -> String {
    let shared = prefix(zip(utf8, other.utf8).prefix { $0 == $1 }.count)
    return String(shared[..<(shared.lastIndex(of: "/").map(shared.index(after:)) ?? shared.startIndex)])
  }

  /// A name that sorts before this key and after all smaller keys. A page after it begins with this key.
  var justBefore: String {
    guard let last = utf8.last, last > 0 else { return "" }
    return dropLast() + String(decoding: [last - 1, 0x7f], as: UTF8.self)
  }
}
