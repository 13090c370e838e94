internal import HoldfastModel

/// Lists folders. A folder is read whole for each page, because a server returns names in no order.
struct SFTPListing {
  /// A name in a folder.
  struct Name {
    let name: String
    let kind: ListingEntry.Kind
    /// True for an unfinished object, or for another name that listings do not show.
    var isHidden: Bool { name.hasPrefix(".") }
  }

  private let root: SFTPRoot

  init(_ root: SFTPRoot) { self.root = root }

  /// Returns the entries directly below a folder. Names of folders end with `/`.
  func children(of folder: String) throws -> [ListingEntry] {
    try names(in: folder).filter { !$0.isHidden }.map {
      ListingEntry(name: $0.kind == .folder ? $0.name + "/" : $0.name, kind: $0.kind)
    }
  }

  /// Returns the names in a folder, including hidden ones; none if it does not exist, or is no folder.
  func names(in folder: String) throws -> [Name] {
    var names: [Name] = []
    try SFTPFolderWalk.run(folder, in: root) { _, name in
      names.append(name)
      return false
    }
    return names
  }

  /// Returns all objects below a folder, at any depth.
  /// - Parameter name: folders whose names all come before this one are left out; `nil` for no limit.
  func everything(below folder: String, after name: String?) throws -> [ListingEntry] {
    var found: [ListingEntry] = []
    try SFTPFolderWalk.run(folder, in: root) { parent, entry in
      guard !entry.isHidden else { return false }
      let whole = Self.joined(parent, entry.name)
      let full = folder.isEmpty ? whole : String(whole.dropFirst(folder.count + 1))
      guard entry.kind == .folder else {
        found.append(ListingEntry(name: full, kind: entry.kind))
        return false
      }
      return name.map { $0.hasPrefix(full + "/") || $0.precedesInListing(full + "/") } ?? true
    }
    return found
  }

  /// Returns the key of a name in a folder.
  static func joined(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : folder + "/" + name }
}

extension SFTPAttributes {
  /// The kind for a listing; `nil` if the server does not report enough.
  var listed: ListingEntry.Kind? {
    switch kind {
    case .file: size.map { .object(length: $0) }
    case .directory: .folder
    case .other: .foreign
    case nil: nil
    }
  }
}
