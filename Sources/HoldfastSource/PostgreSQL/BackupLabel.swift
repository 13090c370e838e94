internal import HoldfastModel

/// The server's description of a backup that has ended (`backup_label`).
package struct BackupLabel: Sendable {
  package static let name = "backup_label"
  /// The most bytes of a label that are read.
  package static let byteCountMax = 4096
  /// The timeline on which the backup began.
  let timeline: UInt32?
  /// True if the backup was taken on a standby. No record of the log tells then where it ended; a server finds that in
  /// the control file, and only if it recovers from an archive.
  package let isOfStandby: Bool

  package init(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes.prefix(Self.byteCountMax), as: UTF8.self).split(separator: "\n")
    func value(_ key: String) -> Substring? {
      lines.first { $0.hasPrefix(key + ": ") }.map { $0.dropFirst(key.utf8.count + 2) }
    }
    timeline = value("START TIMELINE").flatMap { UInt32($0) }
    isOfStandby = value("BACKUP FROM") == "standby"
  }
}
