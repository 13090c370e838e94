internal import HoldfastModel

/// Lists folders. A folder is read whole for each page, because a server returns names in no order.
struct SFTPListing {
  /// A name in a folder.
  struct Name {
    let name: String
    let kind: ListingEntry.Kind
    /// Whether it is an unfinished object or another name that listings do not show.
    var isHidden: Bool { name.hasPrefix(".") }
  }

  private let root: SFTPRoot

  init(_ root: SFTPRoot) { self.root = root }

  /// The entries directly below a folder; names of folders end with `/`.
  func children(of folder: String) throws -> [ListingEntry] {
    try names(in: folder).filter { !$0.isHidden }.map {
      ListingEntry(name: $0.kind == .folder ? $0.name + "/" : $0.name, kind: $0.kind)
    }
  }

  /// The names in a folder, hidden ones too; empty for what is no folder or does not exist.
  func names(in folder: String) throws -> [Name] {
    var names: [Name] = []
    try SFTPFolderWalk.run(folder, in: root) { _, name in
      names.append(name)
      return false
    }
    return names
  }

  /// All objects below a folder, at any depth.
  /// - Parameter name: folders with only names up to this one are left out.
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

  /// The key of a name in a folder.
  static func joined(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : folder + "/" + name }
}

extension SFTPAttributes {
  /// What a listing shows; `nil` when the server does not tell enough.
  var listed: ListingEntry.Kind? {
    switch kind {
    case .file: size.map { .object(length: $0) }
    case .directory: .folder
    case .other: .foreign
    case nil: nil
    }
  }
}
