internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Compares the objects of a target with the entries that they shall be: their presence, kinds, sizes, modes, owners,
/// and the targets of links. Contents and times are compared elsewhere, or not at all.
struct EntryPresence {
  /// The bits of a mode that a file loses where it cannot be given to its owner: set-user-ID and set-group-ID.
  private static let ownersBits: UInt32 = 0o6000
  let target: OpenFile
  let files: FileSystem
  let setsOwner: Bool

  /// Returns true if the target does not have what the step would restore.
  func differs(_ step: RestoreStep) throws -> Bool {
    let entry = step.entry
    switch step.action {
    case .keep, .nothing: return false
    case .directory, .content, .special: break
    }
    // The target itself is no object of a walk.
    guard let status = entry.path.isEmpty ? try target.status() : step.present else { return true }
    return try !hasAttributes(of: entry, status) || !isSame(entry, status)
  }

  private func hasAttributes(of entry: Entry, _ status: FileStatus) -> Bool {
    // It has those of the file, whose entry has its own turn.
    if case .hardLink = entry.content { return true }
    let wanted = entry.attributes
    if setsOwner, (status.userID, status.groupID) != (wanted.userID, wanted.groupID) { return false }
    if case .symbolicLink = entry.content { return true }
    return (status.mode ^ wanted.mode) & ~(setsOwner ? 0 : Self.ownersBits) == 0
  }

  private func isSame(_ entry: Entry, _ status: FileStatus) throws -> Bool {
    switch entry.content {
    case .directory, .fifo: return true
    case .file(let content): return status.size == content.size
    case .symbolicLink(let wanted):
      return try files.openReference(entry.path, beneath: target).symbolicLinkTarget(files) == wanted
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      return status.deviceMajor == major && status.deviceMinor == minor
    case .hardLink(let file):
      return try files.statusIfPresent(of: file, beneath: target)?.isSameFile(as: status) ?? false
    }
  }
}
