internal import CLinux
internal import Glibc
package import HoldfastModel

/// What the kernel says of one file.
package struct FileStatus: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case directory, file, symbolicLink, fifo, characterDevice, blockDevice, socket, unknown
  }

  package let kind: Kind
  /// The low twelve bits of st_mode.
  package let mode: UInt32
  package let userID: UInt32
  package let groupID: UInt32
  package let size: UInt64
  package let linkCount: UInt64
  package let device: UInt64
  package let inode: UInt64
  /// Bytes that the file occupies.
  package let allocated: UInt64
  package let modified: Timestamp
  package let changed: Timestamp
  package let deviceMajor: UInt32
  package let deviceMinor: UInt32

  /// The same file with another size and no holes: as a database in it has it.
  package func with(size: UInt64) -> FileStatus {
    FileStatus(self, size: size)
  }

  private init(_ other: FileStatus, size: UInt64) {
    (kind, mode, userID, groupID, linkCount) = (other.kind, other.mode, other.userID, other.groupID, other.linkCount)
    (device, inode, modified, changed) = (other.device, other.inode, other.modified, other.changed)
    (deviceMajor, deviceMinor) = (other.deviceMajor, other.deviceMinor)
    (self.size, allocated) = (size, size)
  }

  init(_ raw: stat) {
    // The numbers are those of inode(7): both C modules define the macros, and Swift cannot choose.
    kind =
      switch raw.st_mode & 0o170000 {
      case 0o040000: .directory
      case 0o100000: .file
      case 0o120000: .symbolicLink
      case 0o010000: .fifo
      case 0o020000: .characterDevice
      case 0o060000: .blockDevice
      case 0o140000: .socket
      default: .unknown
      }
    mode = raw.st_mode & 0o7777
    userID = raw.st_uid
    groupID = raw.st_gid
    size = UInt64(clamping: raw.st_size)
    linkCount = UInt64(raw.st_nlink)
    device = UInt64(raw.st_dev)
    inode = UInt64(raw.st_ino)
    allocated = UInt64(clamping: raw.st_blocks) &* 512
    modified = Timestamp(seconds: Int64(raw.st_mtim.tv_sec), nanoseconds: UInt32(raw.st_mtim.tv_nsec))
    changed = Timestamp(seconds: Int64(raw.st_ctim.tv_sec), nanoseconds: UInt32(raw.st_ctim.tv_nsec))
    deviceMajor = holdfast_major(raw.st_rdev)
    deviceMinor = holdfast_minor(raw.st_rdev)
  }

  /// Whether the two are names of the same file.
  package func isSameFile(as other: FileStatus) -> Bool {
    kind == other.kind && device == other.device && inode == other.inode
  }

  /// Whether the two describe the same file, untouched in between.
  package func isUntouched(since earlier: FileStatus) -> Bool {
    kind == earlier.kind && device == earlier.device && inode == earlier.inode && size == earlier.size
      && modified == earlier.modified && changed == earlier.changed
  }
}
