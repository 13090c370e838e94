/// How deep a listing goes.
package enum ListingDepth: Sendable {
  /// Names directly below the prefix; what has more below it is one entry, whose name ends with `/`.
  case children
  /// Every object below the prefix. Names are relative to it and have `/` in them; folders are no entries.
  case everything
}

/// One name in a listing.
package struct ListingEntry: Sendable, Equatable {
  /// What lies under the name.
  package enum Kind: Sendable, Equatable {
    /// - Parameter length: in bytes; `nil` where a listing does not tell (`StoreCapabilities.listsLengths`).
    case object(length: UInt64?)
    /// It has more below it.
    case folder
    /// Something that no store makes: a symbolic link, a fifo, a device.
    case foreign
  }

  /// Relative to the prefix that was listed; ends with `/` for a folder.
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
  /// Whether nothing comes after it.
  package let isLast: Bool

  package static let empty = ListingPage(entries: [], isLast: true)

  package init(entries: [ListingEntry], isLast: Bool) {
    self.entries = entries
    self.isLast = isLast
  }

  /// The first of sorted entries.
  package init(_ entries: [ListingEntry], max: Int) {
    isLast = entries.count <= max
    self.entries = isLast ? entries : Array(entries.prefix(max))
  }
}

extension String {
  /// The order of names in listings: by their bytes.
  package func precedesInListing(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}

extension Store {
  /// How many entries of a listing are asked for at once.
  private static var pageMax: Int { 1 << 16 }

  /// Hands every entry below a prefix to `body`, page by page, until it returns `false`.
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

  /// The names directly below `prefix`, which ends with `/` or is empty, in ascending order; the name of something that
  /// has more below ends with `/`. Empty when there is nothing.
  package func names(below prefix: String) throws -> [String] {
    var names: [String] = []
    try forEachEntry(below: prefix, .children) { entry in
      names.append(entry.name)
      return true
    }
    return names
  }

  /// Finds keys in as few listings as possible: those that lie side by side come with one page, and a page begins at
  /// one of them.
  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
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

  /// How many entries a page has in which keys are looked for: what S3 gives at once.
  private static var foundAtOnce: Int { 1000 }
}

/// Keys are ASCII.
extension String {
  /// The folder, ending with `/`, that two keys have in common; empty where there is none.
  fileprivate func commonFolder(with other: String) -> String {
    let shared = prefix(zip(utf8, other.utf8).prefix { $0 == $1 }.count)
    return String(shared[..<(shared.lastIndex(of: "/").map(shared.index(after:)) ?? shared.startIndex)])
  }

  /// A name behind every other key that comes before this one.
  fileprivate var justBefore: String {
    guard let last = utf8.last, last > 0 else { return "" }
    return dropLast() + String(decoding: [last - 1, 0x7f], as: UTF8.self)
  }
}
