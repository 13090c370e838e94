/// Removes what is on a server. What is gone already is no error.
struct SFTPRemoval {
  let root: SFTPRoot

  init(_ root: SFTPRoot) { self.root = root }

  /// Removes files.
  /// - Returns: whether any was there.
  func remove(_ keys: [String]) throws -> Bool {
    var refused: [(key: String, failure: SFTPAnswer.Failure)] = []
    var isAny = false
    try root.ask("remove", keys.first ?? "") { link in
      try SFTPPipeline.run(keys.count) { index in
        try link.send(.remove(root.path(of: keys[index])))
      } take: { index, reply in
        do {
          try reply.wait().done()
          isAny = true
        } catch let failure as SFTPAnswer.Failure {
          if failure.code != .noSuchFile { refused.append((keys[index], failure)) }
        }
      }
    }
    for (key, failure) in refused { try refuse(key, failure) }
    return isAny
  }

  /// A server that allows no removal says so of what does not exist too.
  private func refuse(_ key: String, _ failure: SFTPAnswer.Failure) throws {
    guard try root.status(of: key) != nil else { return }
    guard failure.code == .permissionDenied else { throw root.error(failure, "remove", key) }
    throw StoreError.removalRefused(key: key, location: root.location, .sftp)
  }

  /// Removes a folder and everything in it, or a file of this name.
  /// - Returns: whether anything was there.
  func removeTree(_ folder: String) throws -> Bool {
    var files: [String] = []
    var folders = [folder]
    try SFTPFolderWalk.run(folder, in: root) { parent, name in
      let key = SFTPListing.joined(parent, name.name)
      if name.kind == .folder { folders.append(key) } else { files.append(key) }
      return true
    }
    _ = try remove(files)
    var isAny = false
    // Those in a folder come behind it.
    for inner in folders.reversed() { isAny = try removeFolder(inner) }
    return isAny
  }

  /// - Returns: whether it, or a file of this name, was there.
  private func removeFolder(_ folder: String) throws -> Bool {
    do {
      try root.ask("remove", folder) { try $0.send(.removeDirectory(root.path(of: folder))).wait().done() }
      return true
    } catch StoreError.notFound {
      return false
    } catch let error as SFTPError {
      guard let found = try root.status(of: folder) else { return false }
      guard found.kind == .directory else { return try remove([folder]) }
      guard case .forbidden = error else { throw error }
      throw StoreError.removalRefused(key: folder, location: root.location, .sftp)
    }
  }

  func removeIfEmpty(_ folder: String) { _ = try? removeFolder(folder) }
}
