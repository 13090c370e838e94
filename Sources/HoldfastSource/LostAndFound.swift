package import HoldfastModel
package import HoldfastSystem

/// The directory that ext2 and its successors keep in the root of a file system, for what a check finds (e2fsck(8), mklost+found(8)). It belongs to the file system: it is no content, neither of a source nor of a target.
package enum LostAndFound {
  package static let name = Path("lost+found")

  /// Whether a directory with these names is the root of a file system and has one.
  package static func lies(
    in directory: OpenFile, _ listing: DirectoryListing, files: FileSystem
  ) throws(SystemError) -> Bool {
    guard listing.contains("lost+found"), try directory.isMountRoot(),
      let status = try files.statusIfPresent(of: name, in: directory)
    else { return false }
    return status.kind == .directory && status.userID == 0 && status.mode == 0o700
  }
}
