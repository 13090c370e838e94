internal import HoldfastModel
internal import HoldfastSystem

/// The files of a cluster that a snapshot of a standby has other than they lie there.
///
/// A server finds the end of such a backup in the control file, which therefore is read last; and it looks for it only
/// if it recovers from an archive. So the snapshot tells its server to do that, with no archive but the log that it
/// holds.
struct StandbyFiles {
  private static let signal = "recovery.signal"
  private static let settings = "postgresql.auto.conf"
  private static let settingsBytesMax = 1 << 20
  /// The names in the cluster's directory.
  static let names: Set<String> = [signal, settings, ControlFile.path.description]

  let cluster: PostgresCluster

  /// Returns the contents by name.
  func contents(in root: OpenFile, files: FileSystem) throws -> [String: [UInt8]] {
    [
      Self.signal: Array("# This snapshot was taken on a standby.\n".utf8),
      Self.settings: try settings(in: root, files: files),
      ControlFile.path.description: try control(in: root, files: files),
    ]
  }

  private func settings(in root: OpenFile, files: FileSystem) throws -> [UInt8] {
    let path = cluster.root.appending(Self.settings)
    var text: [UInt8] = []
    if try files.statusIfPresent(of: path, in: root)?.kind == .file {
      text = try files.openForCapture(path, in: root).contents(max: Self.settingsBytesMax)
    }
    let kept = SettingsText.silenced(text) { $0.hasPrefix("recovery_target") || $0 == "restore_command" }
    return kept + Array(Self.lines.utf8)
  }

  private static let lines = """
    # From holdfast, as this snapshot was taken on a standby: recovery ends with the log in pg_wal.
    restore_command = 'false'
    recovery_target = 'immediate'
    recovery_target_action = 'promote'
    recovery_target_timeline = 'current'

    """

  private func control(in root: OpenFile, files: FileSystem) throws -> [UInt8] {
    let path = cluster.root.appending(ControlFile.path.bytes)
    let buffer = Buffer(capacity: ControlFile.byteCount)
    guard try ControlFile.read(files.openForCapture(path, in: root), into: buffer.bytes) != nil else {
      throw PostgresFailure(
        "\(path) is not whole", hint: "Look at the disk of the standby; run the same command again.")
    }
    return Array(UnsafeRawBufferPointer(buffer.bytes).prefix(ControlFile.byteCount))
  }
}
