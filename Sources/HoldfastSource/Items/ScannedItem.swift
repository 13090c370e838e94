package import HoldfastModel
package import HoldfastSystem

/// An item that the scan found.
package struct ScannedItem: Sendable {
  package let path: Path
  package let status: FileStatus
  /// The open directory, if the item is one.
  package let directory: OpenFile?
  /// True if it is in a PostgreSQL data directory, whose files have pages of 8 KiB.
  package let isInPostgreSQL: Bool
  /// The target that a symbolic link has in the snapshot, if it is not the one in the source.
  package private(set) var linkTarget: [UInt8]?
  /// The open directory from which the item is reached without following a link.
  let origin: Origin
  /// The directory that contains its name, for an item that is not opened for reading.
  private let container: OpenFile?

  struct Origin: Sendable {
    let directory: OpenFile
    /// The path of the directory, relative to the source.
    let path: Path

    func relative(_ path: Path) -> Path {
      Path(bytes: Array(path.bytes.dropFirst(self.path.isEmpty ? 0 : self.path.bytes.count + 1)))
    }
  }

  /// - Parameter root: the source, from which the item is reached.
  package init(path: Path, status: FileStatus, directory: OpenFile?, isInPostgreSQL: Bool, root: OpenFile) {
    self.init(path, status, directory, isInPostgreSQL, Origin(directory: root, path: .root))
  }

  init(
    _ path: Path, _ status: FileStatus, _ directory: OpenFile?, _ isInPostgreSQL: Bool, _ origin: Origin,
    in container: OpenFile? = nil
  ) {
    self.path = path
    self.status = status
    self.directory = directory
    self.isInPostgreSQL = isInPostgreSQL
    self.origin = origin
    self.container = container
  }

  func leading(to target: [UInt8]) -> ScannedItem {
    var copy = self
    copy.linkTarget = target
    return copy
  }

  /// Opens the file for reading, without following a link on the way.
  package func open(_ files: FileSystem) throws(SystemError) -> OpenFile {
    try files.openForCapture(origin.relative(path), in: origin.directory)
  }

  /// Returns the extended attributes of an item that is not opened for reading.
  package func extendedAttributes(_ files: FileSystem) throws(SystemError) -> [ExtendedAttribute] {
    if let directory { return try directory.extendedAttributes() }
    let (parent, name) = try located(files)
    return try files.extendedAttributes(of: name, in: parent)
  }

  /// Returns the target of a symbolic link.
  package func readSymbolicLink(_ files: FileSystem) throws(SystemError) -> [UInt8] {
    let (parent, name) = try located(files)
    return try files.readSymbolicLink(name, in: parent)
  }

  private func located(_ files: FileSystem) throws(SystemError) -> (OpenFile, Path) {
    if let container { return (container, Path(bytes: Array(path.lastComponent))) }
    return try files.locate(origin.relative(path), beneath: origin.directory)
  }
}
