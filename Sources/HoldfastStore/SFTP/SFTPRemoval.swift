/// Removes files and folders on a server. It is not an error if they are gone already.
struct SFTPRemoval {
  let root: SFTPRoot

  init(_ root: SFTPRoot) { self.root = root }

  /// Removes files.
  /// - Returns: true if any of them existed.
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

  /// Throws an error if the file exists. A server that allows no removal also refuses to remove what does not exist.
  private func refuse(_ key: String, _ failure: SFTPAnswer.Failure) throws {
    guard try root.status(of: key) != nil else { return }
    guard failure.code == .permissionDenied else { throw root.error(failure, "remove", key) }
    throw StoreError.removalRefused(key: key, location: root.location, .sftp)
  }

  /// Removes a folder and everything in it, or a file of this name.
  /// - Returns: true if the folder or file existed.
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
    // A folder comes before the folders in it, so the order is reversed.
    for inner in folders.reversed() { isAny = try removeFolder(inner) }
    return isAny
  }

  /// - Returns: true if the folder, or a file of this name, existed.
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
