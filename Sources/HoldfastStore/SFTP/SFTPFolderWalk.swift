internal import HoldfastModel
internal import HoldfastSystem

/// Reads a folder and the folders in it. Requests and answers are a stream: when an answer shows that a request is
/// needed, it is sent at once, while others are on the way. So a walk waits twice for each level, however many folders
/// a level has.
struct SFTPFolderWalk {
  /// The most names of one walk, and their most bytes. They limit its memory.
  private static let namesMax = 1 << 20
  private static let nameBytesMax = 32 << 20
  /// The number of requests for names that are sent first for a folder. Usually the second one answers that there are
  /// no more names.
  private static let requestsAtFirst = 2
  /// The most later requests for all open folders together. If many folders are open, each gets two.
  private static let requestsMax = 32

  private final class Folder {
    let key: String
    let level: Int
    /// The handle of the folder; `nil` until it is opened.
    var handle: SFTPHandle?
    /// The number of requests for names that were sent together last, and the number of their answers still to be
    /// taken.
    var asked = 0
    var waiting = 0
    var isAtEnd = false

    init(_ key: String, level: Int) { (self.key, self.level) = (key, level) }
  }

  private let root: SFTPRoot
  private let link: SFTPLink
  private var folders: [Folder]
  private var begun = 0
  private var openCount = 0
  /// The replies in the order in which requests were sent. The first `taken` of them are done with.
  private var replies: [(folder: Folder, reply: SFTPReply)] = []
  private var taken = 0
  private var nameCount = 0
  private var nameBytes = 0

  private init(_ root: SFTPRoot, _ link: SFTPLink, _ folder: String) {
    (self.root, self.link) = (root, link)
    folders = [Folder(folder, level: 0)]
  }

  /// Reads a folder, and the folders in it that `body` chooses. If the folder does not exist, or is no folder, it is
  /// empty.
  /// - Parameter body: gets a name and the key of its folder. For a folder it returns true to read that too.
  static func run(
    _ folder: String, in root: SFTPRoot, _ body: (_ folder: String, SFTPListing.Name) throws -> Bool
  ) throws {
    try root.ask("list", folder) { link in
      var walk = SFTPFolderWalk(root, link, folder)
      defer { walk.closeUnused() }
      try walk.run(body)
    }
  }

  private mutating func run(_ body: (_ folder: String, SFTPListing.Name) throws -> Bool) throws {
    // The limit of the server is known after the first answer.
    var openMax = 1
    while true {
      while openCount < openMax, begun < folders.count { try beginNext() }
      guard let (folder, reply) = nextReply() else { return }
      if folder.handle == nil {
        try takeHandle(reply, of: folder)
      } else {
        for name in try takeNames(reply, of: folder) where try body(folder.key, name) && name.kind == .folder {
          try add(name.name, in: folder)
        }
        if folder.waiting == 0 { try folder.isAtEnd ? end(folder) : askForNames(of: folder) }
      }
      openMax = try link.foldersMax
    }
  }

  private mutating func nextReply() -> (folder: Folder, reply: SFTPReply)? {
    guard taken < replies.count else { return nil }
    defer { taken += 1 }
    // Drops replies that are done with.
    if taken >= 1024 { (replies, taken) = (Array(replies[taken...]), 0) }
    return replies[taken]
  }

  private mutating func add(_ name: String, in folder: Folder) throws {
    let inner = Folder(SFTPListing.joined(folder.key, name), level: folder.level + 1)
    guard inner.level <= SFTPRoot.depthMax else { throw StoreError.foreign(key: inner.key, location: root.location) }
    folders.append(inner)
  }

  private mutating func beginNext() throws {
    let folder = folders[begun]
    replies.append((folder, try link.send(.openDirectory(root.path(of: folder.key)))))
    (begun, openCount) = (begun + 1, openCount + 1)
  }

  private mutating func takeHandle(_ reply: SFTPReply, of folder: Folder) throws {
    do {
      folder.handle = SFTPHandle(try reply.wait().handle(), link)
      try askForNames(of: folder)
    } catch let failure as SFTPAnswer.Failure {
      openCount -= 1
      if failure.code != .noSuchFile { try refuse(failure, folder.key) }
    }
  }

  private mutating func askForNames(of folder: Folder) throws {
    guard let handle = folder.handle else { return }
    folder.asked = max(Self.requestsAtFirst, min(2 * folder.asked, Self.requestsMax / max(1, openCount)))
    folder.waiting = folder.asked
    for _ in 0..<folder.asked { replies.append((folder, try link.send(.readDirectory(handle.bytes)))) }
  }

  private mutating func end(_ folder: Folder) {
    folder.handle = nil
    openCount -= 1
  }

  /// Closes handles that were opened in vain.
  private mutating func closeUnused() {
    while let (folder, reply) = nextReply() {
      if folder.handle == nil, let handle = try? reply.wait().handle() { _ = SFTPHandle(handle, link) }
    }
  }

  /// Throws a failure, unless the name is an object: nothing is below it, but some servers report that as a failure.
  private func refuse(_ failure: SFTPAnswer.Failure, _ folder: String) throws {
    guard failure.code != .permissionDenied, let found = try root.status(of: folder), found.kind != .directory else {
      throw failure
    }
  }

  // MARK: Names

  private mutating func takeNames(_ reply: SFTPReply, of folder: Folder) throws -> [SFTPListing.Name] {
    folder.waiting -= 1
    let names: [(name: [UInt8], attributes: SFTPAttributes)]
    do {
      names = try reply.wait().names()
    } catch let failure as SFTPAnswer.Failure where failure.code == .end {
      folder.isAtEnd = true
      return []
    }
    nameCount += names.count
    nameBytes += names.reduce(0) { $0 + $1.name.count }
    guard nameCount <= Self.namesMax, nameBytes <= Self.nameBytesMax else {
      throw SFTPViolation("a listing of more than \(nameCount) names")
    }
    return try names.compactMap { found -> SFTPListing.Name? in
      guard found.name != [UInt8(ascii: ".")], found.name != Array("..".utf8) else { return nil }
      guard !found.name.isEmpty, !found.name.contains(Path.separator), !found.name.contains(0) else {
        throw SFTPViolation("a name that no file can have")
      }
      guard let name = String(validating: found.name, as: UTF8.self) else { return nil }
      guard let kind = try kind(found.attributes, name, folder.key) else { return nil }
      return SFTPListing.Name(name: name, kind: kind)
    }
  }

  /// Returns the kind of a name; `nil` if it was removed meanwhile.
  private func kind(_ attributes: SFTPAttributes, _ name: String, _ folder: String) throws -> ListingEntry.Kind? {
    if let kind = attributes.listed { return kind }
    // This server does not report it in a listing.
    return try root.status(of: SFTPListing.joined(folder, name)).map { $0.listed ?? .foreign }
  }
}
