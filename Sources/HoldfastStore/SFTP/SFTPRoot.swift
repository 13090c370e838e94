internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The directory of a store on a server. All requests go through it, so that every error is one for people.
///
/// Keys never are symbolic links, and no link is followed to list or to remove. Other links are left to the server.
final class SFTPRoot: Sendable {
  /// The most levels of folders; no repository has so many. A hostile server could show folders in folders without end.
  static let depthMax = 32

  /// The number of folders that are remembered as durable.
  private static let foldersMax = 4096

  let session: SFTPSession
  /// The absolute path of the directory.
  let path: String
  let location: String
  private let durable = Mutex<Set<String>>([])

  init(_ session: SFTPSession, path: String, location: String) {
    (self.session, self.path, self.location) = (session, path, location)
  }

  /// Returns the path of a key.
  /// - Parameter key: the key of an object or folder; empty for the root.
  func path(of key: String) -> String {
    if key.isEmpty { return path }
    return path.hasSuffix("/") ? path + key : path + "/" + key
  }

  /// Returns the folder of a key; empty for the root.
  static func folder(of key: String) -> String {
    key.lastIndex(of: "/").map { String(key[..<$0]) } ?? ""
  }

  /// Returns the path of the directory that contains a folder.
  func parentPath(of folder: String) -> String { Self.parent(of: path(of: folder)) }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  // MARK: Requests

  /// Makes requests, and turns a refusal of the server into an error about `key`.
  /// - Parameters:
  ///   - action: the action of the requests, as a verb.
  ///   - known: the connection, for a request that belongs to one; `nil` for any.
  func ask<Result>(
    _ action: String, _ key: String, over known: SFTPLink? = nil, _ body: (SFTPLink) throws -> Result
  ) throws -> Result {
    let link = try known ?? session.link()
    do {
      return try body(link)
    } catch let violation as SFTPViolation {
      link.connection.end()
      throw SFTPError.violation(location: location, finding: violation.finding)
    } catch let failure as SFTPAnswer.Failure {
      throw error(failure, action, key)
    }
  }

  func error(_ failure: SFTPAnswer.Failure, _ action: String, _ key: String) -> any Error {
    switch failure.code {
    case .noSuchFile: StoreError.notFound(key: key, location: location)
    case .permissionDenied: SFTPError.forbidden(action: action, key: key, location: location)
    case .noConnection, .connectionLost: StoreError.unavailable(location: location, reason: failure.text)
    default: SFTPError.failed(action: action, key: key, location: location, reason: failure.text)
    }
  }

  /// Returns the attributes of what has the name of a key, without following a link; `nil` if nothing has it.
  func status(of key: String) throws -> SFTPAttributes? {
    try ask("examine", key) { link in
      do {
        return try link.send(.status(path(of: key))).wait().attributes()
      } catch let failure as SFTPAnswer.Failure where failure.code == .noSuchFile {
        return nil
      }
    }
  }

  /// Returns true if the server's file system has less room than this number of bytes. SFTP has no error for that.
  func isFull(for bytes: Int) -> Bool {
    let free = try? availableBytes()
    return (free ?? nil).map { $0 < UInt64(max(bytes, Self.littleSpace)) } ?? false
  }

  /// Returns the number of bytes that this user can still store; `nil` if the server does not tell.
  func availableBytes() throws -> UInt64? {
    try ask("examine", "") { link -> UInt64? in
      guard link.features.has(.space) else { return nil }
      let numbers = try link.send(.space(path)).wait().numbers(5)
      // The number of free blocks for this user, and the bytes of one block.
      return numbers[1].saturatingMultiplied(by: numbers[4])
    }
  }

  /// The free bytes below which a file system counts as full.
  private static let littleSpace = 64 << 10

  // MARK: Folders

  /// Makes a folder, and the folders on the way to it, durably.
  func makeFolder(_ key: String) throws { try makeFolder(at: path(of: key), key) }

  private func makeFolder(at path: String, _ key: String) throws {
    guard path != "/" else { return }
    let parent = Self.parent(of: path)
    do {
      try ask("make", key) { try $0.send(.makeDirectory(path)).wait().done() }
    } catch StoreError.notFound {
      try makeFolder(at: parent, key)
      do {
        try ask("make", key) { try $0.send(.makeDirectory(path)).wait().done() }
      } catch let error as SFTPError {
        try accept(error, path, key)
      }
    } catch let error as SFTPError {
      try accept(error, path, key)
    }
    try synchronize([(parent, key)])
  }

  /// Accepts that a folder could not be made, because another client made it. It is made durable here too, since that
  /// client may have stopped.
  private func accept(_ error: SFTPError, _ path: String, _ key: String) throws {
    let found = try ask("examine", key) { link in
      do {
        return try link.send(.status(path)).wait().attributes().kind
      } catch let failure as SFTPAnswer.Failure where failure.code == .noSuchFile {
        return nil
      }
    }
    switch found {
    case .directory: return
    case nil: throw isFull(for: 0) ? SFTPError.full(location: location) : error
    default: throw StoreError.foreign(key: key, location: location)
    }
  }

  /// Returns true if this run has made the folder's own name durable in its parent.
  func isDurable(_ folder: String) -> Bool { durable.withLock { $0.contains(folder) } }

  func noteDurable(_ folder: String) {
    durable.withLock { durable in
      if durable.count >= Self.foldersMax { durable = [] }
      durable.insert(folder)
    }
  }

  /// Makes the folder's own name durable in its parent.
  func synchronizeParent(of folder: String) throws { try synchronize([(parentPath(of: folder), folder)]) }

  /// Makes the names in a folder durable. It is not an error if the folder does not exist.
  func synchronize(_ key: String) throws { try synchronize([key]) }

  /// Makes the names in several folders durable, in as many round trips as for one folder.
  func synchronize(_ keys: [String]) throws { try synchronize(keys.map { (path(of: $0), $0) }) }

  private func synchronize(_ folders: [(path: String, key: String)]) throws {
    try ask("synchronize", "") { link in
      guard link.features.has(.synchronize) else { return }
      let opened = try folders.map { try link.send(.open($0.path, .reading)) }
      var open: [(handle: SFTPHandle, key: String)] = []
      for (folder, reply) in zip(folders, opened) {
        try refusing(folder.key) { open.append((SFTPHandle(try reply.wait().handle(), link), folder.key)) }
      }
      let asked = try open.map { try link.send(.synchronize($0.handle.bytes)) }
      for (folder, reply) in zip(open, asked) { try refusing(folder.key) { try reply.wait().done() } }
    }
  }

  /// Turns a refusal to make a folder durable into an error about it.
  private func refusing(_ key: String, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let failure as SFTPAnswer.Failure {
      if failure.code != .noSuchFile { throw error(failure, "synchronize", key) }
    }
  }
}
