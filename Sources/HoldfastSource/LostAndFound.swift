package import HoldfastModel
package import HoldfastSystem

/// The `lost+found` directory that ext2 to ext4 keep in the root of a file system for the finds of a check (e2fsck(8),
/// mklost+found(8)). It belongs to the file system, so it is content neither of a source nor of a restore target.
package enum LostAndFound {
  package static let name = Path("lost+found")

  /// Returns true if the directory with these names is the root of a file system, and `lost+found` in it is a directory
  /// of root with mode 0700.
  package static func lies(
    in directory: OpenFile, _ listing: DirectoryListing, files: FileSystem
  ) throws(SystemError) -> Bool {
    guard listing.contains("lost+found"), try directory.isMountRoot(),
      let status = try files.statusIfPresent(of: name, in: directory)
    else { return false }
    return status.kind == .directory && status.userID == 0 && status.mode == 0o700
  }
}
