internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// A store in a directory of an SFTP server, which is reached through ssh. A key is a path below the directory.
///
/// A commit is: write, fsync, give the name without replacing, fsync of the directory. New directories on the way are
/// made durable in their parents. The name of an unfinished object begins with a dot.
package final class SFTPStore: Store {
  private static let unfinished = ".unfinished-"
  private let root: SFTPRoot
  private let publication: SFTPPublication
  private let openFiles = OpenSFTPFiles()
  private let random: Randomness
  package let location: String
  /// Makes the same store with a connection of its own.
  private let reconnected: @Sendable () -> SFTPStore

  /// Makes a store. It connects with the first request.
  /// - Parameters:
  ///   - path: the absolute path of the directory on the server.
  ///   - command: the operator's command in place of `ssh`, for the shell; `nil` for `ssh`.
  ///   - traffic: counts the requests.
  package init(
    _ address: SFTPAddress, path: String, command: String?, host: Host, patience: SFTPPatience = SFTPPatience(),
    traffic: Traffic = Traffic()
  ) {
    location = address.location
    let session = SFTPSession(SFTPLogin(address, command: command), host, patience, traffic)
    root = SFTPRoot(session, path: path, location: location)
    publication = SFTPPublication(root)
    random = host.random
    reconnected = {
      SFTPStore(address, path: path, command: command, host: host, patience: patience, traffic: traffic)
    }
  }

  /// The number of times that the server was waited for, counted as if all answers came late; for tests.
  package var waits: Int { root.session.waits.count }

  /// The process ID of the connected command, and of its process group; `nil` if none is connected.
  package var processID: Int32? { root.session.processID }

  package var scheme: StoreScheme { .sftp }

  package var capabilities: StoreCapabilities {
    var capabilities = StoreCapabilities()
    (capabilities.locks, capabilities.isNear) = (false, false)
    // Before the first connection, the features of OpenSSH are assumed.
    capabilities.isDurable = root.session.features?.has(.synchronize) ?? true
    return capabilities
  }

  /// Enough requests to keep a long line full. Each is many packets.
  package var connections: Int { 4 }

  package func availableBytes() throws -> UInt64? { try root.availableBytes() }

  // MARK: Listing

  package func list(
    _ prefix: String, _ depth: ListingDepth, after name: String?, max: Int
  ) throws -> ListingPage {
    let folder = try Self.checked(prefix: prefix)
    let listing = SFTPListing(root)
    var entries =
      try depth == .children ? listing.children(of: folder) : listing.everything(below: folder, after: name)
    if let name { entries.removeAll { !name.precedesInListing($0.name) } }
    entries.sort { $0.name.precedesInListing($1.name) }
    return ListingPage(entries, max: max)
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    for key in keys { try Self.check(key) }
    var found: [ListingEntry.Kind?] = []
    try root.ask("examine", keys.first ?? "") { link in
      try SFTPPipeline.run(keys.count) { index in
        try link.send(.status(root.path(of: keys[index])))
      } take: { _, reply in
        do {
          found.append(try reply.wait().attributes().listed ?? .foreign)
        } catch let failure as SFTPAnswer.Failure where failure.code == .noSuchFile {
          found.append(nil)
        }
      }
    }
    return found
  }

  // MARK: Reading and writing

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    try Self.check(key)
    return try SFTPObject(key, length: length, in: root, openFiles)
  }

  package func upload(_ key: String) throws -> any ObjectUpload { try upload(key, replaces: false) }

  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    try publication.canReplace(key) ? upload(key, replaces: true) : nil
  }

  private func upload(_ key: String, replaces: Bool) throws -> SFTPUpload {
    try Self.check(key)
    let folder = SFTPRoot.folder(of: key)
    return try SFTPUpload(key, replaces: replaces, in: root, publication) { [random] in
      let name = "\(Self.unfinished)\(random.identifier())"
      return folder.isEmpty ? name : "\(folder)/\(name)"
    }
  }

  package func settle(below prefix: String) throws {
    var folders = [try Self.checked(prefix: prefix)]
    while let last = folders.last, !last.isEmpty { folders.append(SFTPRoot.folder(of: last)) }
    try root.synchronize(folders)
  }

  // MARK: Removing

  package func remove(_ key: String) throws {
    try Self.check(key)
    guard try SFTPRemoval(root).remove([key]) else { return }
    try root.synchronize(SFTPRoot.folder(of: key))
  }

  package func removeBriefly(_ keys: [String]) throws {
    for key in keys { try Self.check(key) }
    _ = try SFTPRemoval(root).remove(keys)
  }

  package func removeAll(below prefix: String) throws {
    let folder = try Self.checked(prefix: prefix)
    guard !folder.isEmpty else { throw StoreError.invalidKey(prefix) }
    guard try SFTPRemoval(root).removeTree(folder) else { return }
    try root.synchronize(SFTPRoot.folder(of: folder))
  }

  package func unfinished(below prefix: String, _ depth: ListingDepth) throws -> [UnfinishedObject] {
    var found: [UnfinishedObject] = []
    try SFTPFolderWalk.run(Self.checked(prefix: prefix), in: root) { folder, name in
      if name.name.hasPrefix(Self.unfinished) {
        found.append(UnfinishedObject(key: SFTPListing.joined(folder, name.name)))
      }
      return depth == .everything && !name.isHidden
    }
    return found
  }

  package func removeUnfinished(_ objects: [UnfinishedObject]) throws {
    _ = try SFTPRemoval(root).remove(objects.map(\.key))
  }

  // MARK: Promises

  package func probe(_ random: Randomness) throws -> StoreProbe {
    // The features of the server are known once it is connected.
    _ = try root.session.link()
    defer { SFTPRemoval(root).removeIfEmpty(String(StoreProbe.prefix.dropLast())) }
    return try ProbeRun(store: self, rival: reconnected(), random: random).run()
  }

  private static func check(_ key: String) throws {
    let path = Path(key)
    guard !path.isEmpty, path.isSoundEntryPath else { throw StoreError.invalidKey(key) }
  }

  /// Returns the folder of a prefix; empty for everything.
  private static func checked(prefix: String) throws -> String {
    guard !prefix.isEmpty else { return "" }
    let folder = String(prefix.dropLast())
    try check(folder)
    return folder
  }
}
