internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// States that a WAL segment was archived before its server asked for it, and the digest of its bytes.
package struct WALReceipt: Codable, Equatable, Sendable {
  /// Distinguishes a file from others, and shows if it was written since. Times are exact to the nanosecond.
  package struct FileIdentity: Codable, Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: UInt64
    private let modified: [Int64]
    private let changed: [Int64]

    package init(_ status: FileStatus) {
      (device, inode, size) = (status.device, status.inode, status.size)
      modified = [status.modified.seconds, Int64(status.modified.nanoseconds)]
      changed = [status.changed.seconds, Int64(status.changed.nanoseconds)]
    }
  }

  fileprivate let location: String
  fileprivate let source: SourceName
  fileprivate let file: WALFileName
  package let system: SystemIdentifier
  /// SHA-256 of the file.
  package let digest: Digest
  /// `nil` when the file had been written so recently that a later write might not show in its times.
  package let identity: FileIdentity?
  fileprivate let moment: MachineMoment
}

/// The receipts that this machine keeps for one source in one repository. Each is a file of its own, is valid for
/// minutes, and is used once. It only saves the server's next call a request to the repository.
package struct WALReceipts: Sendable {
  /// Longer than a server takes to ask for everything that one push has archived.
  private static let validity = TimeSpan.minutes(10)
  private let directory: Path?
  private let location: String
  private let source: SourceName
  private let host: Host

  /// - Parameters:
  ///   - memory: the memory of this machine.
  ///   - location: the location of the repository. A receipt is taken without reaching it.
  package init(_ memory: ClientMemory, at location: String, of source: SourceName, on host: Host) {
    (directory, self.location, self.source, self.host) = (memory.directory, location, source, host)
  }

  /// Keeps a receipt.
  /// - Throws: also when this machine remembers nothing.
  package func keep(
    _ file: WALFileName, of system: SystemIdentifier, _ digest: Digest, _ identity: WALReceipt.FileIdentity?
  ) throws {
    let receipt = WALReceipt(
      location: location, source: source, file: file, system: system, digest: digest, identity: identity,
      moment: MachineMoment(on: host))
    try MemoryFolder(making: directory, files: host.files).whileLocked { folder in
      try folder.replace(memoryFile(file), by: receipt, durability: .none)
    }
  }

  /// Checks that receipts can be kept, and removes those that the server has not asked for in time.
  /// - Throws: when this machine remembers nothing.
  package func tidy() throws {
    let now = MachineMoment(on: host)
    guard now.isWithin(.zero, before: now) else { throw UnknownStart() }
    try MemoryFolder(making: directory, files: host.files).whileLocked { folder in
      try folder.removeKinds(of: .location(location), beginningWith: MemoryFile.receiptKind) { (receipt: WALReceipt) in
        receipt.moment.isWithin(Self.validity, before: now)
      }
    }
  }

  /// Takes the receipt of a file, which is removed by this.
  /// - Returns: `nil` when there is no valid one.
  package func take(_ file: WALFileName) -> WALReceipt? {
    guard let directory, let folder = try? MemoryFolder(directory, files: host.files),
      let receipt = folder.valueIfReadable(WALReceipt.self, of: memoryFile(file)),
      // A receipt that cannot be removed would be used twice.
      (try? folder.remove(memoryFile(file))) == true,
      receipt.location == location, receipt.source == source, receipt.file == file,
      receipt.moment.isWithin(Self.validity, before: MachineMoment(on: host))
    else { return nil }
    return receipt
  }

  private func memoryFile(_ file: WALFileName) -> MemoryFile {
    let name = Hasher.digest(Array("\(source.key)\n\(file)".utf8)).description.prefix(32)
    return .location(location, kind: MemoryFile.receiptKind + name)
  }
}

/// Thrown when this machine does not tell when it was started. No receipt would be valid, so no segment is archived
/// ahead.
private struct UnknownStart: Error {}
