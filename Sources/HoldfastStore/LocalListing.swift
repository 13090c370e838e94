internal import HoldfastModel
internal import HoldfastSystem

/// Listings of a local directory. A folder is read whole for each page, because a file system returns names in no
/// order.
extension LocalStore {
  package func list(
    _ prefix: String, _ depth: ListingDepth, after name: String?, max: Int
  ) throws -> ListingPage {
    guard let folder = try root.folder(resolve(prefix: prefix)) else { return .empty }
    switch depth {
    case .children: return ListingPage(try entries(of: folder, after: name), max: max)
    case .everything:
      var found: [ListingEntry] = []
      try collect(folder, "", after: name, upTo: max == .max ? max : max + 1, level: 0, into: &found)
      return ListingPage(found, max: max)
    }
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    var known: (path: Path, folder: OpenFile?)?
    return try keys.map { key in
      let path = try resolve(key)
      let parent = path.parent ?? .root
      if known?.path != parent {
        do {
          known = (parent, try root.folder(parent))
        } catch StoreError.foreign {
          return .foreign
        }
      }
      guard let folder = known?.folder else { return nil }
      return try kind(of: Path(bytes: Array(path.lastComponent)), in: folder)
    }
  }

  /// Returns the entries in ascending order of their names. Names of folders end with `/`.
  private func entries(of folder: OpenFile, after name: String?) throws -> [ListingEntry] {
    let listing = try folder.listing()
    var entries: [ListingEntry] = []
    var isInOrder = true
    for index in 0..<listing.count {
      let bytes = listing[index]
      guard bytes.first != UInt8(ascii: "."), let text = String(validating: bytes, as: UTF8.self),
        let kind = try kind(of: Path(bytes: Array(bytes)), in: folder)
      else { continue }
      let entry = ListingEntry(name: kind == .folder ? text + "/" : text, kind: kind)
      if let name, !name.precedesInListing(entry.name) { continue }
      // With its slash, a folder may sort behind a name that continues its own: `a-b` comes before `a/`.
      if let last = entries.last, !last.name.precedesInListing(entry.name) { isInOrder = false }
      entries.append(entry)
    }
    if !isInOrder { entries.sort { $0.name.precedesInListing($1.name) } }
    return entries
  }

  /// Collects all objects below a folder.
  /// - Parameter path: the path of the folder relative to the listed prefix; ends with `/`, or is empty.
  private func collect(
    _ folder: OpenFile, _ path: String, after name: String?, upTo max: Int, level: Int,
    into found: inout [ListingEntry]
  ) throws {
    for entry in try entries(of: folder, after: nil) where found.count < max {
      let full = path + entry.name
      guard entry.kind == .folder else {
        if name.map({ $0.precedesInListing(full) }) ?? true { found.append(ListingEntry(name: full, kind: entry.kind)) }
        continue
      }
      // Everything below this folder comes before the requested page.
      if let name, !name.hasPrefix(full), !name.precedesInListing(full) { continue }
      let inner = Path(entry.name.dropLast().description)
      guard level < LocalRoot.depthMax else { throw root.foreign(folder.path.appending(inner.bytes)) }
      guard let below = try open(inner, in: folder) else { continue }
      try collect(below, full, after: name, upTo: max, level: level + 1, into: &found)
    }
  }

  package func unfinished(below prefix: String, _ depth: ListingDepth) throws -> [UnfinishedObject] {
    guard let folder = try root.folder(resolve(prefix: prefix)) else { return [] }
    var found: [UnfinishedObject] = []
    try collectUnfinished(folder, prefix, depth, level: 0, into: &found)
    return found
  }

  private func collectUnfinished(
    _ folder: OpenFile, _ prefix: String, _ depth: ListingDepth, level: Int, into found: inout [UnfinishedObject]
  ) throws {
    let listing = try folder.listing()
    for index in 0..<listing.count {
      guard let text = String(validating: listing[index], as: UTF8.self) else { continue }
      if text.hasPrefix(Self.unfinished) { found.append(UnfinishedObject(key: prefix + text)) }
      let name = Path(text)
      guard depth == .everything, !text.hasPrefix("."), try kind(of: name, in: folder) == .folder else { continue }
      guard level < LocalRoot.depthMax else { throw root.foreign(folder.path.appending(name.bytes)) }
      guard let below = try open(name, in: folder) else { continue }
      try collectUnfinished(below, "\(prefix)\(text)/", depth, level: level + 1, into: &found)
    }
  }

  /// Opens a folder; `nil` if it was removed meanwhile, or replaced by something else.
  private func open(_ name: Path, in folder: OpenFile) throws(SystemError) -> OpenFile? {
    do throws(SystemError) {
      return try files.openBeneath(name, in: folder, .directory)
    } catch {
      guard error.isNotFound || error.isOfAnotherKind else { throw error }
      return nil
    }
  }

  /// Returns the kind of what has a name; `nil` if nothing has it.
  private func kind(of name: Path, in folder: OpenFile) throws -> ListingEntry.Kind? {
    guard let status = try files.statusIfPresent(of: name, in: folder) else { return nil }
    switch status.kind {
    case .directory: return .folder
    case .file: return .object(length: status.size)
    default: return .foreign
    }
  }
}
