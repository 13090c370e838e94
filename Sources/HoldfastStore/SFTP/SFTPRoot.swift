internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The directory of a store on a server. All requests go through it, so that every error is one for people.
///
/// What is a link there is the server's affair: a key never is one, and no link is followed to list or to remove.
final class SFTPRoot: Sendable {
  /// No repository is deeper. A server could show directories in directories without end.
  static let depthMax = 32

  /// So many folders are remembered.
  private static let foldersMax = 4096

  let session: SFTPSession
  /// Absolute.
  let path: String
  let location: String
  private let durable = Mutex<Set<String>>([])

  init(_ session: SFTPSession, path: String, location: String) {
    (self.session, self.path, self.location) = (session, path, location)
  }

  /// - Parameter key: of an object or folder; empty for the root.
  func path(of key: String) -> String {
    if key.isEmpty { return path }
    return path.hasSuffix("/") ? path + key : path + "/" + key
  }

  /// The folder of a key; empty for the root.
  static func folder(of key: String) -> String {
    key.lastIndex(of: "/").map { String(key[..<$0]) } ?? ""
  }

  /// The path of the directory in which a folder is.
  func parentPath(of folder: String) -> String { Self.parent(of: path(of: folder)) }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  // MARK: Asking

  /// Makes requests, and turns what the server refuses into an error about `key`.
  /// - Parameters:
  ///   - action: what the requests do, as a verb.
  ///   - known: the connection, for what is bound to one.
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

  /// What has the name of a key, without following a link; `nil` when nothing has.
  func status(of key: String) throws -> SFTPAttributes? {
    try ask("examine", key) { link in
      do {
        return try link.send(.status(path(of: key))).wait().attributes()
      } catch let failure as SFTPAnswer.Failure where failure.code == .noSuchFile {
        return nil
      }
    }
  }

  /// Whether the file system of the server is too full for so many bytes. SFTP has no error of its own for that.
  func isFull(for bytes: Int) -> Bool {
    let free = try? ask("examine", "") { link -> UInt64? in
      guard link.features.has(.space) else { return nil }
      let numbers = try link.send(.space(path)).wait().numbers(5)
      // Blocks that this user may have, and the bytes of one.
      return numbers[1].multipliedReportingOverflow(by: numbers[4]).partialValue
    }
    return (free ?? nil).map { $0 < UInt64(max(bytes, Self.littleSpace)) } ?? false
  }

  /// With less than so many bytes a file system counts as full.
  private static let littleSpace = 64 << 10

  // MARK: Folders

  /// Makes a folder, and those on the way to it, durably.
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

  /// Another one may have made the folder; then its maker makes it durable, but who knows whether it still runs.
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

  /// Whether this run has made the folder's own name durable in its parent.
  func isDurable(_ folder: String) -> Bool { durable.withLock { $0.contains(folder) } }

  func noteDurable(_ folder: String) {
    durable.withLock { durable in
      if durable.count >= Self.foldersMax { durable = [] }
      durable.insert(folder)
    }
  }

  /// Makes the folder's own name durable in its parent.
  func synchronizeParent(of folder: String) throws { try synchronize([(parentPath(of: folder), folder)]) }

  /// Makes the names in a folder durable. It is not an error if it does not exist.
  func synchronize(_ key: String) throws { try synchronize([key]) }

  /// Makes the names in several folders durable, in as many round trips as for one.
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
