import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport

/// What tests of SFTP have in common.
enum SFTPTest {
  /// All extensions that are used where a server has them.
  static let extensions = [
    "hardlink@openssh.com", "posix-rename@openssh.com", "fsync@openssh.com", "statvfs@openssh.com",
    "limits@openssh.com",
  ]

  static func host(_ cancellation: Cancellation = Cancellation()) -> Host {
    Host(cancellation: cancellation, workers: 2, scratchDirectories: [Path("/tmp")])
  }

  /// A store that a command reaches.
  /// - Parameter server: the server; `nil` where the command needs to know none.
  static func store(
    _ path: Path, _ command: String, _ server: SSHServer? = nil, patience: SFTPPatience = SFTPPatience(),
    _ cancellation: Cancellation = Cancellation()
  ) -> SFTPStore {
    let address = SFTPAddress(
      user: server?.user ?? "backup", host: "127.0.0.1", port: server?.port,
      location: server?.location(path) ?? "sftp:backup@127.0.0.1\(path.text)")
    return SFTPStore(address, path: path.text, command: command, host: host(cancellation), patience: patience)
  }
}
