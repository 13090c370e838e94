internal import HoldfastModel
internal import HoldfastSystem

/// Lists folders. A folder is read whole for each page, because a server returns names in no order.
struct SFTPListing {
  /// The most names of one listing, and bytes of them: as many as memory is for.
  private static let namesMax = 1 << 20
  private static let nameBytesMax = 32 << 20
  /// How many folders are read side by side.
  private static let foldersAtOnce = 16
  /// How many requests read them, after the first.
  private static let requestsAtOnce = 32

  /// A name in a folder.
  struct Name {
    let name: String
    let kind: ListingEntry.Kind
    /// Whether it is an unfinished object or another name that listings do not show.
    var isHidden: Bool { name.hasPrefix(".") }
  }

  private let root: SFTPRoot
  private var count = 0
  private var bytes = 0

  init(_ root: SFTPRoot) { self.root = root }

  /// The entries directly below a folder; names of folders end with `/`.
  mutating func children(of folder: String) throws -> [ListingEntry] {
    try read([folder])[0].filter { !$0.isHidden }.map {
      ListingEntry(name: $0.kind == .folder ? $0.name + "/" : $0.name, kind: $0.kind)
    }
  }

  /// All objects below a folder, at any depth.
  /// - Parameter name: folders with only names up to this one are left out.
  mutating func everything(below folder: String, after name: String?) throws -> [ListingEntry] {
    var found: [ListingEntry] = []
    // Relative to the folder; each ends with a slash, or is empty.
    var level = [""]
    for _ in 0...SFTPRoot.depthMax {
      guard !level.isEmpty else { return found }
      let listed = try read(level.map { Self.joined(folder, $0) })
      var next: [String] = []
      for (prefix, names) in zip(level, listed) {
        for entry in names where !entry.isHidden {
          let full = prefix + entry.name
          if entry.kind != .folder {
            found.append(ListingEntry(name: full, kind: entry.kind))
          } else if name.map({ $0.hasPrefix(full + "/") || $0.precedesInListing(full + "/") }) ?? true {
            next.append(full + "/")
          }
        }
      }
      level = next
    }
    throw StoreError.foreign(key: Self.joined(folder, level.first ?? ""), location: root.location)
  }

  private static func joined(_ folder: String, _ relative: String) -> String {
    let inner = relative.hasSuffix("/") ? String(relative.dropLast()) : relative
    return folder.isEmpty ? inner : inner.isEmpty ? folder : folder + "/" + inner
  }

  /// The names in folders, hidden ones too; empty for what is no folder or does not exist.
  mutating func read(_ folders: [String]) throws -> [[Name]] {
    var listed: [[Name]] = []
    for start in stride(from: 0, to: folders.count, by: Self.foldersAtOnce) {
      listed += try readAtOnce(Array(folders[start..<min(start + Self.foldersAtOnce, folders.count)]))
    }
    return listed
  }

  private mutating func readAtOnce(_ folders: [String]) throws -> [[Name]] {
    try root.ask("list", folders.first ?? "") { link in
      let opened = try folders.map { try link.send(.openDirectory(root.path(of: $0))) }
      var open: [(index: Int, handle: SFTPHandle)] = []
      for (index, reply) in opened.enumerated() {
        do {
          open.append((index, SFTPHandle(try reply.wait().handle(), link)))
        } catch let failure as SFTPAnswer.Failure {
          if failure.code != .noSuchFile { try refuse(failure, folders[index]) }
        }
      }
      var names = [[Name]](repeating: [], count: folders.count)
      var each = 2
      while !open.isEmpty {
        let asked = try open.map { folder in
          try (0..<each).map { _ in try link.send(.readDirectory(folder.handle.bytes)) }
        }
        var more: [(index: Int, handle: SFTPHandle)] = []
        for (folder, replies) in zip(open, asked) {
          var isAtEnd = false
          for reply in replies {
            do {
              names[folder.index] += try take(reply.wait().names(), of: folders[folder.index], link)
            } catch let failure as SFTPAnswer.Failure where failure.code == .end {
              isAtEnd = true
            }
          }
          if !isAtEnd { more.append(folder) }
        }
        open = more
        each = max(2, min(2 * each, Self.requestsAtOnce / max(1, open.count)))
      }
      return names
    }
  }

  /// Below an object there is nothing; but a server may report that as a failure.
  private func refuse(_ failure: SFTPAnswer.Failure, _ folder: String) throws {
    guard failure.code != .permissionDenied, let found = try root.status(of: folder), found.kind != .directory else {
      throw failure
    }
  }

  private mutating func take(
    _ names: [(name: [UInt8], attributes: SFTPAttributes)], of folder: String, _ link: SFTPLink
  ) throws -> [Name] {
    count += names.count
    bytes += names.reduce(0) { $0 + $1.name.count }
    guard count <= Self.namesMax, bytes <= Self.nameBytesMax else {
      throw SFTPViolation("a listing of more than \(count) names")
    }
    return try names.compactMap { found -> Name? in
      guard found.name != [UInt8(ascii: ".")], found.name != Array("..".utf8) else { return nil }
      guard !found.name.isEmpty, !found.name.contains(Path.separator), !found.name.contains(0) else {
        throw SFTPViolation("a name that no file can have")
      }
      guard let name = String(validating: found.name, as: UTF8.self) else { return nil }
      guard let kind = try kind(found.attributes, name, folder) else { return nil }
      return Name(name: name, kind: kind)
    }
  }

  /// `nil` when it is gone meanwhile.
  private func kind(_ attributes: SFTPAttributes, _ name: String, _ folder: String) throws -> ListingEntry.Kind? {
    if let kind = attributes.listed { return kind }
    // A server that does not tell it in a listing.
    return try root.status(of: Self.joined(folder, name)).map { $0.listed ?? .foreign }
  }
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
