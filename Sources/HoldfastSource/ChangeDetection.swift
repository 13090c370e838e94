package import HoldfastModel
package import HoldfastSystem

/// Decides from metadata alone whether an entry is still as the parent recorded it.
package struct ChangeDetection: Sendable {
  /// The racy window: a timestamp so close to the start of the parent's scan may hide a later write. Kernels stamp with
  /// the last timer tick, at most 10 ms old. A stamp without nanoseconds comes from a file system that stores whole
  /// seconds, or steps of two.
  private static let window = TimeSpan.milliseconds(50)
  private static let coarseWindow = TimeSpan.seconds(2)

  private let parentStarted: Timestamp?
  private let isParanoid: Bool

  /// - Parameters:
  ///   - parentStarted: when the parent's scan began; `nil` without a parent.
  ///   - isParanoid: whether every file is read, whatever its metadata says.
  package init(parentStarted: Timestamp?, isParanoid: Bool) {
    self.parentStarted = parentStarted
    self.isParanoid = isParanoid
  }

  /// Whether `entry`, as the parent recorded it, still describes what the scan found. A file must have the same size,
  /// mtime, ctime and inode (times to the nanosecond), must have been captured whole, and must not have been written
  /// within the racy window of the parent's scan.
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

  /// The same for a database that is captured in a read transaction. A commit in WAL mode need not touch the main file:
  /// the generation of the WAL and its last commit must be those of the parent, and the main file must be unchanged.
  package func isUnchanged(_ status: FileStatus, captured capture: SQLiteCapture, since entry: Entry) -> Bool {
    guard let file = entry.file, file.consistency == .sqliteReadTransaction else {
      return isUnchanged(status, since: entry) && capture.mark.isEmpty && capture.isByMetadata
    }
    return !isParanoid && !capture.isByMetadata && file.size == capture.size && entry.identity.mark == capture.mark
      && status.inode == entry.identity.inode && status.modified == entry.attributes.modified
      && status.changed == entry.identity.changed && status.mode == entry.attributes.mode
      && status.userID == entry.attributes.userID && status.groupID == entry.attributes.groupID && !isRacy(status)
  }

  private func isRacy(_ status: FileStatus) -> Bool {
    parentStarted.map { Self.isRacy(status, at: $0) } ?? true
  }

  /// Whether a file that had this status at some time may have been written since, without a sign of it in the status.
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
