internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Gives a finished object its name, which must not be taken unless the object is a replacement.
///
/// On every server, a hard link never replaces a file. If the server has no hard links, it is RENAME, which by the
/// protocol must not replace, and does not with OpenSSH; `probe` tests it. `posix-rename@openssh.com` replaces, and is
/// used for replacements only.
final class SFTPPublication: Sendable {
  private enum Way {
    /// Link, then remove the temporary name.
    case link
    /// Used when this user may not remove names, because a link would leave the temporary one.
    case rename
    /// Used when this user may neither remove names nor rename, as with `chattr +a`. The temporary name stays, and is
    /// ignored.
    case linkAlone
  }

  private enum Outcome {
    case done
    /// The object has its name, and the temporary one as well.
    case linked
    case taken
    case impossible(any Error)
  }

  private let root: SFTPRoot
  private let way = Mutex(Way.link)

  init(_ root: SFTPRoot) { self.root = root }

  /// Returns when the object is durable under its key.
  /// - Throws: `StoreError.alreadyExists` if other bytes have the key.
  func publish(_ file: SFTPUnfinished, as key: String, _ parts: SFTPParts) throws {
    let temporary = file.key
    let way = way.withLock { $0 }
    var outcome = try way == .rename ? rename(temporary, key) : link(temporary, key)
    if case .impossible(let error) = outcome {
      outcome = try way == .rename ? link(temporary, key) : rename(temporary, key)
      // The server does not allow a rename, so only a link is left.
      if way == .rename, error is SFTPError { self.way.withLock { $0 = .linkAlone } }
    }
    switch outcome {
    case .done: try settle(key, file.folder)
    case .linked:
      // Removing and settling take round trips, and can run at the same time.
      let removal = beginRemoving(temporary)
      defer { endRemoving(temporary, removal) }
      try settle(key, file.folder)
    case .taken:
      try accept(temporary, key, parts)
      try settle(key, file.folder)
    case .impossible(let error): throw root.isFull(for: 0) ? SFTPError.full(location: root.location) : error
    }
  }

  /// Accepts that the name is taken, if it is taken by this very object because the answer to an earlier request was
  /// lost.
  private func accept(_ temporary: String, _ key: String, _ parts: SFTPParts) throws {
    guard try root.status(of: key)?.size == parts.length, try hasParts(key, parts) else {
      throw StoreError.alreadyExists(key: key, location: root.location)
    }
    endRemoving(temporary, beginRemoving(temporary))
  }

  /// Makes the name durable.
  /// - Parameter folder: the folder of the key, if it is open.
  private func settle(_ key: String, _ folder: SFTPHandle?) throws {
    do {
      try synchronize(key, folder)
    } catch let error as SFTPError {
      // The name may not survive a power cut, so nobody may rely on it.
      try? root.ask("remove", key) { try $0.send(.remove(root.path(of: key))).wait().done() }
      throw error
    }
  }

  private func synchronize(_ key: String, _ folder: SFTPHandle?) throws {
    guard let folder, folder.isUsable else { return try root.synchronize(SFTPRoot.folder(of: key)) }
    try root.ask("synchronize", SFTPRoot.folder(of: key), over: folder.link) { link in
      try link.send(.synchronize(folder.bytes)).wait().done()
    }
  }

  // MARK: Replacements

  /// Returns true if the server can give a file the name of another one in one step.
  func canReplace(_ key: String) throws -> Bool {
    try root.ask("replace", key) { $0.features.has(.renameReplacing) }
  }

  /// Gives a finished object the key of another one. If that fails, one of the two has the key.
  /// - Throws: `StoreError.removalRefused` if this user may only add.
  func replace(_ file: SFTPUnfinished, _ key: String, _ parts: SFTPParts) throws {
    do {
      try root.ask("replace", key) { link in
        try link.send(.rename(root.path(of: file.key), replacing: root.path(of: key))).wait().done()
      }
    } catch SFTPError.forbidden {
      throw StoreError.removalRefused(key: key, location: root.location, .sftp)
    } catch StoreError.notFound {
      // An earlier request, of which the answer was lost, has renamed the file.
      guard try hasParts(key, parts) else { throw SFTPError.lost(key: key, location: root.location) }
    }
    try synchronize(key, file.folder)
  }

  private func link(_ temporary: String, _ key: String) throws -> Outcome {
    let outcome = try attempt("create", key) { link in
      guard link.features.has(.hardLink) else {
        throw SFTPAnswer.Failure(code: .unsupported, text: "the server has no hard links")
      }
      return .link(root.path(of: temporary), to: root.path(of: key))
    }
    if case .done = outcome { return .linked }
    return outcome
  }

  private func rename(_ temporary: String, _ key: String) throws -> Outcome {
    try attempt("create", key) { _ in .rename(root.path(of: temporary), to: root.path(of: key)) }
  }

  private func attempt(
    _ action: String, _ key: String, _ request: (SFTPLink) throws -> SFTPRequest
  ) throws -> Outcome {
    do {
      try root.ask(action, key) { try $0.send(request($0)).wait().done() }
      return .done
    } catch let error as SFTPError {
      if case .violation = error { throw error }
      // If the name is taken, servers report a mere failure, or that it is forbidden.
      return try root.status(of: key) == nil ? .impossible(error) : .taken
    } catch StoreError.notFound {
      // The temporary name is gone, perhaps because an earlier request has renamed it.
      guard try root.status(of: key) == nil else { return .taken }
      return .impossible(SFTPError.lost(key: key, location: root.location))
    }
  }

  private func beginRemoving(_ temporary: String) -> (link: SFTPLink, reply: SFTPReply)? {
    try? root.ask("remove", temporary) { ($0, try $0.send(.remove(root.path(of: temporary)))) }
  }

  private func endRemoving(_ temporary: String, _ removal: (link: SFTPLink, reply: SFTPReply)?) {
    guard let removal else { return }
    do {
      try root.ask("remove", temporary, over: removal.link) { _ in try removal.reply.wait().done() }
    } catch SFTPError.forbidden {
      way.withLock { if $0 == .link { $0 = .rename } }
    } catch {
      // The name stays, and is ignored.
    }
  }

  /// Returns true if a file on the server has exactly these bytes.
  private func hasParts(_ key: String, _ parts: SFTPParts) throws -> Bool {
    do {
      try forEachPart(of: key, parts) { _, _ in }
      return true
    } catch SFTPError.lost {
      return false
    }
  }

  /// Reads the bytes that the server has confirmed.
  /// - Throws: `SFTPError.lost` if the file is missing, or has other bytes.
  func forEachPart(
    of key: String, _ parts: SFTPParts, _ body: (UnsafeRawBufferPointer, _ offset: UInt64) throws -> Void
  ) throws {
    let lost = SFTPError.lost(key: key, location: root.location)
    let object: SFTPObject
    do {
      object = try SFTPObject(key, length: nil, in: root, OpenSFTPFiles())
    } catch StoreError.notFound {
      throw lost
    }
    // Parts that were on the way when the connection broke may have arrived.
    guard object.length >= parts.length else { throw lost }
    for (offset, part) in parts.byOffset {
      let buffer = Buffer(capacity: part.count)
      try object.read(into: buffer.bytes, at: offset)
      let bytes = UnsafeRawBufferPointer(buffer.bytes)
      guard SFTPParts.Part(bytes) == part else { throw lost }
      try body(bytes, offset)
    }
  }
}
