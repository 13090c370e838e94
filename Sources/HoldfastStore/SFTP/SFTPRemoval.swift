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
  func removeTree(_ folder: String, depth: Int = 0) throws -> Bool {
    guard let found = try root.status(of: folder) else { return false }
    guard found.kind == .directory else { return try remove([folder]) }
    guard depth < SFTPRoot.depthMax else { throw StoreError.foreign(key: folder, location: root.location) }
    var listing = SFTPListing(root)
    let names = try listing.read([folder])[0]
    for inner in names where inner.kind == .folder { _ = try removeTree("\(folder)/\(inner.name)", depth: depth + 1) }
    _ = try remove(names.filter { $0.kind != .folder }.map { "\(folder)/\($0.name)" })
    try removeFolder(folder)
    return true
  }

  private func removeFolder(_ folder: String) throws {
    do {
      try root.ask("remove", folder) { link in
        do {
          try link.send(.removeDirectory(root.path(of: folder))).wait().done()
        } catch let failure as SFTPAnswer.Failure where failure.code == .permissionDenied {
          throw StoreError.removalRefused(key: folder, location: root.location, .sftp)
        }
      }
    } catch StoreError.notFound {
      return
    }
  }

  func removeIfEmpty(_ folder: String) { try? removeFolder(folder) }
}
