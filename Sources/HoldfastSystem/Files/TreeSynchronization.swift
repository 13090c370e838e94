internal import HoldfastModel

extension FileSystem {
  /// Returns when everything below a directory is on stable storage. Uses syncfs(2); if a filter refuses that,
  /// synchronizes each file and directory.
  package func synchronizeTree(_ directory: OpenFile) throws(SystemError) {
    do throws(SystemError) {
      try directory.synchronizeFileSystem()
    } catch {
      guard error.isRefused else { throw error }
      try synchronizeEach(below: directory)
    }
  }

  private func synchronizeEach(below directory: OpenFile) throws(SystemError) {
    let listing = try directory.listing()
    for index in 0..<listing.count {
      let name = Path(bytes: Array(listing[index]))
      switch try statusIfPresent(of: name, in: directory)?.kind {
      case .directory: try synchronizeEach(below: openBeneath(name, in: directory, .directory))
      case .file: try openBeneath(name, in: directory, .read).synchronize()
      default: break
      }
    }
    try directory.synchronizeDirectory()
  }
}
