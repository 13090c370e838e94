internal import Glibc
package import HoldfastModel

/// A real sshd on a loopback port, with keys and a configuration in a temporary directory. A test that uses it says
/// `.requires(.sshServer)`.
package final class SSHServer {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// A subsystem that lets a user only add, as docs/operations.md has it.
  package static let onlyAdding =
    "internal-sftp -P remove,rmdir,rename,posix-rename,setstat,fsetstat,lsetstat,symlink,copy-data"
  private static let triesMax = 20
  private let directory = TemporaryDirectory()
  private let process: RunningProcess
  package let port: UInt16
  /// The user who can log in.
  package let user: String

  /// - Parameters:
  ///   - user: the user who logs in; by default the one who runs the tests.
  ///   - subsystem: the program that answers.
  package convenience init(user: String? = nil, subsystem: String = "internal-sftp") throws {
    try self.init(user: user ?? Self.ownName) { directory in
      let place = directory.path.text
      return Setup(
        configuration: """
          AuthorizedKeysFile \(place)/authorized
          Subsystem sftp \(subsystem)
          ForceCommand \(subsystem)
          """)
    }
  }

  /// Makes a server whose machine was set up by commands for its root, which find the client's key as `holdfast.pub`.
  /// They change an /etc and a /home of the server's own. It needs root.
  package convenience init(user: String, setUpBy commands: String) throws {
    try self.init(user: user) { directory in
      let place = directory.path.text
      TestFiles.makeDirectory(directory.appending("bin"))
      TestFiles.write("#!/bin/sh\n", to: directory.appending("bin/systemctl"))
      TestFiles.setMode(directory.appending("bin/systemctl"), 0o755)
      TestFiles.write(commands, to: directory.appending("commands"))
      return Setup(
        configuration: "Include /etc/ssh/sshd_config.d/*.conf\nSubsystem sftp internal-sftp",
        script: """
          rm -rf \(place)/etc && cp -a /etc \(place)/etc && mount --bind \(place)/etc /etc
          mount -t tmpfs tmpfs /home && mount -t tmpfs tmpfs /var/mail
          rm -rf /etc/ssh/sshd_config.d && mkdir -p /etc/ssh/sshd_config.d && cp \(place)/config /etc/ssh/sshd_config
          cd \(place) && cp client.pub holdfast.pub
          PATH=\(place)/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -e commands >&2

          """)
    }
  }

  private struct Setup {
    var configuration: String
    /// The commands of root before the server starts.
    var script = ""
  }

  private init(user: String, _ makeSetup: (TemporaryDirectory) -> Setup) throws {
    self.user = user
    // sshd enters the directory as the user who logs in.
    TestFiles.setMode(directory.path, 0o755)
    for name in ["host", "client", "stranger"] { try Self.makeKey(directory.appending(name)) }
    TestFiles.write(
      String(decoding: TestFiles.read(directory.appending("client.pub")) ?? [], as: UTF8.self),
      to: directory.appending("authorized"))
    TestFiles.setMode(directory.appending("authorized"), 0o644)
    let setup = makeSetup(directory)
    for _ in 0..<Self.triesMax {
      let port = UInt16.random(in: 20_000...32_000)
      if let process = Self.start(directory, port: port, setup) {
        (self.port, self.process) = (port, process)
        try writeKnownHosts("known", key: "host")
        try writeKnownHosts("changed", key: "stranger")
        TestFiles.write("", to: directory.appending("unknown"))
        return
      }
    }
    throw Failure(description: "sshd does not start: \(Self.log(directory))")
  }

  deinit { process.send(SIGKILL) }

  private static var ownName: String {
    getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "root"
  }

  private static func makeKey(_ path: Path) throws {
    let made = RunningProcess(RunningProcess.Start(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path.text]))
      .wait()
    guard made.exitStatus == 0 else { throw Failure(description: made.error) }
  }

  /// Returns `nil` when the port is taken.
  private static func start(_ directory: TemporaryDirectory, port: UInt16, _ setup: Setup) -> RunningProcess? {
    let place = directory.path.text
    let pid = directory.appending("pid")
    TestFiles.remove(pid)
    TestFiles.write(
      """
      \(setup.configuration)
      ListenAddress 127.0.0.1
      Port \(port)
      HostKey \(place)/host
      PidFile \(pid.text)
      StrictModes no
      UsePAM no
      PasswordAuthentication no
      KbdInteractiveAuthentication no
      PermitRootLogin prohibit-password
      PermitUserRC no
      MaxSessions 64
      MaxStartups 64

      """, to: directory.appending("config"))
    // An sshd of root needs a directory of its own in /run. This makes it without touching the machine's.
    let script = """
      set -e
      mount -t tmpfs tmpfs /run && mkdir /run/sshd
      \(setup.script)exec /usr/sbin/sshd -D -e -f \(place)/config
      """
    var start =
      Tool.isRoot
      ? RunningProcess.Start(["unshare", "--mount", "--propagation", "private", "sh", "-c", script])
      : RunningProcess.Start(["/usr/sbin/sshd", "-D", "-e", "-f", "\(place)/config"])
    TestFiles.write("", to: directory.appending("log"))
    start.error = .file(directory.appending("log").text)
    let process = RunningProcess(start)
    for _ in 0..<5000 {
      if TestFiles.status(pid) != nil { return process }
      if log(directory).contains("Cannot bind") { return nil }
      usleep(1000)
    }
    return nil
  }

  private static func log(_ directory: TemporaryDirectory) -> String {
    String(decoding: TestFiles.read(directory.appending("log")) ?? [], as: UTF8.self)
  }

  private func writeKnownHosts(_ name: String, key: String) throws {
    let words = String(decoding: TestFiles.read(directory.appending("\(key).pub")) ?? [], as: UTF8.self)
      .split(separator: " ")
    guard words.count > 1 else { throw Failure(description: "ssh-keygen made no key") }
    TestFiles.write("[127.0.0.1]:\(port) \(words[0]) \(words[1])\n", to: directory.appending(name))
  }

  /// Returns the location of a directory on it.
  package func location(_ path: Path) -> String { "sftp:\(user)@127.0.0.1:\(port)\(path.text)" }

  /// The hosts that the client knows.
  package enum Known: String { case known, changed, unknown }

  /// Returns the command that connects, in place of `ssh`. It ignores the configuration of the machine and of the user.
  /// - Parameter key: `client`, or `stranger`, which the server does not accept.
  package func command(known: Known = .known, key: String = "client") -> String {
    let place = directory.path.text
    return "ssh -F none -i \(place)/\(key) -o IdentitiesOnly=yes -o IdentityAgent=none"
      + " -o UserKnownHostsFile=\(place)/\(known.rawValue) -o GlobalKnownHostsFile=/dev/null"
      + " -o StrictHostKeyChecking=yes"
  }

  /// Ends it: there are no more connections.
  package func stop() { process.send(SIGKILL) }
}
