internal import CLinux
internal import Glibc
package import HoldfastModel

/// The metadata that the kernel reports for one file.
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
  /// The number of bytes that the file occupies.
  package let allocated: UInt64
  package let modified: Timestamp
  package let changed: Timestamp
  package let deviceMajor: UInt32
  package let deviceMinor: UInt32

  /// Returns the same status with the size that a database has inside this file.
  /// - Parameter allocated: the bytes that are stored for it; `nil` for all of them.
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
    // The values are those of inode(7). Both C modules define the macros, and Swift cannot choose between them.
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

  /// True if every later write will change the times. The kernel stamps files with its last timer tick, so that tick
  /// must already be later than the last change.
  package var isSettled: Bool {
    var tick = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &tick)
    let seconds = Int64(tick.tv_sec) - (hasCoarseTimes ? Self.coarseGrain.wholeSeconds : 0)
    let now = Timestamp(seconds: seconds, nanoseconds: UInt32(tick.tv_nsec))
    return modified < now && changed < now
  }

  /// FAT stores times in steps of two seconds, other file systems in whole seconds.
  private static let coarseGrain = TimeSpan.seconds(2)
  /// True if the file system stores whole seconds. Nobody can set the change time, so a whole second shows it.
  private var hasCoarseTimes: Bool { changed.nanoseconds == 0 }

  /// The time after which a new time stamp differs from an old one, whatever the clock shows: the longest tick of the
  /// kernel with a margin, or the step of the file system.
  package var timeGrain: TimeSpan { hasCoarseTimes ? Self.coarseGrain : .milliseconds(20) }

  /// Returns true if both have the same content, as far as size and modification time tell.
  package func hasSameContent(as other: FileStatus) -> Bool {
    isSameFile(as: other) && size == other.size && modified == other.modified
  }

  /// Returns true if both are names of the same file.
  package func isSameFile(as other: FileStatus) -> Bool {
    kind == other.kind && device == other.device && inode == other.inode
  }

  /// Returns true if both describe the same file, unchanged in between.
  package func isUntouched(since earlier: FileStatus) -> Bool {
    kind == earlier.kind && device == earlier.device && inode == earlier.inode && size == earlier.size
      && modified == earlier.modified && changed == earlier.changed
  }
}
