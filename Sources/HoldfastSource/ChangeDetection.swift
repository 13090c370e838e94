package import HoldfastModel
package import HoldfastSystem

/// Decides from metadata alone if an entry is still as the parent recorded it.
package struct ChangeDetection: Sendable {
  /// The racy window. If a timestamp is so close to the start of the parent's scan, a later write may not have changed
  /// it. Kernels stamp with the last timer tick, at most 10 ms old. A stamp without nanoseconds comes from a file
  /// system that stores whole seconds, or steps of two.
  private static let window = TimeSpan.milliseconds(50)
  private static let coarseWindow = TimeSpan.seconds(2)

  private let parentStarted: Timestamp?
  private let isParanoid: Bool

  /// - Parameters:
  ///   - parentStarted: the time at which the parent's scan began; `nil` without a parent.
  ///   - isParanoid: true to read every file, whatever its metadata says.
  package init(parentStarted: Timestamp?, isParanoid: Bool) {
    self.parentStarted = parentStarted
    self.isParanoid = isParanoid
  }

  /// Returns true if `entry`, as the parent recorded it, still describes what the scan found. Owner, mode, mtime, ctime
  /// and inode must be the same (times to the nanosecond), and neither time may be in the racy window of the parent's
  /// scan. A file must also have the same size, and must have been captured whole and not in a read transaction of
  /// SQLite.
  package func isUnchanged(_ status: FileStatus, since entry: Entry) -> Bool {
    guard !isParanoid, status.kind == entry.content.kind, status.inode == entry.identity.inode,
      status.modified == entry.attributes.modified, status.changed == entry.identity.changed,
      status.mode == entry.attributes.mode, status.userID == entry.attributes.userID,
      status.groupID == entry.attributes.groupID
    else { return false }
    if let file = entry.file {
      // The metadata of a database file does not show what its WAL contained.
      guard status.size == file.size, file.consistency.isComplete, file.consistency != .sqliteReadTransaction else {
        return false
      }
    }
    return !isRacy(status)
  }

  /// Returns the same for a database that is captured in a read transaction. In WAL mode a commit need not touch the
  /// main file. So the main file must be unchanged, and the generation of the WAL and its last commit must be those of
  /// the parent.
  package func isUnchanged(_ status: FileStatus, captured capture: SQLiteCapture, since entry: Entry) -> Bool {
    guard let file = entry.file, file.consistency == .sqliteReadTransaction else {
      return isUnchanged(status, since: entry) && capture.mark.isEmpty && capture.isByMetadata
    }
    return !capture.isByMetadata && file.size == capture.size && entry.identity.mark == capture.mark
      && hasSameMetadata(status, as: entry)
  }

  /// Returns true if the main file of a database in WAL mode is as the parent recorded it, while nobody could write to
  /// it. Then the database differs from the parent's only in what was committed to the WAL since.
  package func isMainFileUnchanged(of capture: SQLiteCapture, since entry: Entry) -> Bool {
    guard entry.file?.consistency == .sqliteReadTransaction, !capture.isByMetadata, let status = capture.mainStatus
    else { return false }
    return hasSameMetadata(status, as: entry)
  }

  private func hasSameMetadata(_ status: FileStatus, as entry: Entry) -> Bool {
    !isParanoid && status.inode == entry.identity.inode && status.modified == entry.attributes.modified
      && status.changed == entry.identity.changed && status.mode == entry.attributes.mode
      && status.userID == entry.attributes.userID && status.groupID == entry.attributes.groupID && !isRacy(status)
  }

  private func isRacy(_ status: FileStatus) -> Bool {
    parentStarted.map { Self.isRacy(status, at: $0) } ?? true
  }

  /// Returns true if a file that had this status at a time may have been written since without a change of the status.
  package static func isRacy(_ status: FileStatus, at time: Timestamp) -> Bool {
    [status.modified, status.changed].contains { stamp in
      time - stamp < (stamp.nanoseconds == 0 ? coarseWindow : window)
    }
  }
}

extension Content {
  var kind: FileStatus.Kind {
    switch self {
    case .directory: .directory
    case .file, .hardLink: .file
    case .symbolicLink: .symbolicLink
    case .fifo: .fifo
    case .characterDevice: .characterDevice
    case .blockDevice: .blockDevice
    }
  }
}

extension FileStatus {
  package func attributes(extended: [ExtendedAttribute]) -> Attributes {
    Attributes(mode: mode, userID: userID, groupID: groupID, modified: modified, extended: extended)
  }

  package var identity: Identity { Identity(changed: changed, device: device, inode: inode) }
}
