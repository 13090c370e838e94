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

  /// The same file with another size: as a database in it has it.
  /// - Parameter allocated: bytes that are stored for it; `nil`: all of them.
  package func with(size: UInt64, allocated: UInt64? = nil) -> FileStatus {
    FileStatus(self, size: size, allocated: allocated ?? size)
  }

  private init(_ other: FileStatus, size: UInt64, allocated: UInt64) {
    (kind, mode, userID, groupID, linkCount) = (other.kind, other.mode, other.userID, other.groupID, other.linkCount)
    (device, inode, modified, changed) = (other.device, other.inode, other.modified, other.changed)
    (deviceMajor, deviceMinor) = (other.deviceMajor, other.deviceMinor)
    (self.size, self.allocated) = (size, allocated)
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

  /// Whether whatever is written from now on shows in the times: the kernel stamps with its last tick, and that is a later one than the last change by now.
  package var isSettled: Bool {
    var tick = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &tick)
    let seconds = Int64(tick.tv_sec) - (hasCoarseTimes ? Self.coarseSeconds : 0)
    let now = Timestamp(seconds: seconds, nanoseconds: UInt32(tick.tv_nsec))
    return modified < now && changed < now
  }

  /// FAT has times of two seconds, others whole ones.
  private static let coarseSeconds: Int64 = 2
  /// Nobody can set the time of the change: where it is a whole second, the file system keeps no parts of seconds.
  private var hasCoarseTimes: Bool { changed.nanoseconds == 0 }

  /// After so long a time stamps are later ones, whatever the clock shows: the kernel's longest tick, with some to spare, or what the file system keeps.
  package var timeGrain: Duration { hasCoarseTimes ? .seconds(Self.coarseSeconds) : .milliseconds(20) }

  /// Whether what is in the two is the same, as far as size and time of the last write tell.
  package func hasSameContent(as other: FileStatus) -> Bool {
    isSameFile(as: other) && size == other.size && modified == other.modified
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
