internal import Glibc
internal import HoldfastModel
internal import Synchronization
package import Testing

/// A property of the machine that a test needs, and that not every machine has.
///
/// A test names it as a trait, `@Test(.requires(.root))`. If the machine lacks it, the test is skipped and the reason
/// printed. If nothing may be skipped (`CI` or `HOLDFAST_TESTS_NO_SKIP` is set), the test fails instead.
package enum Requirement: Sendable {
  /// The tests run as root.
  case root
  /// File systems can be mounted, and a process can be given mounts of its own.
  case mounts
  /// An overlay file system can be mounted.
  case overlayMounts
  /// An ext4 on a loop device can be mounted, with the attribute "append only".
  case loopDevices
  /// A file system can be mounted that a process of another user serves.
  case fuse
  /// The program bindfs can mount a directory with other owners and modes.
  case bindfs
  /// A filter of system calls can be set for a process (seccomp).
  case systemCallFilter
  /// A user without privileges can run the tested binary.
  case unprivilegedUser
  /// The machine has the user `postgres`, and groups can be made.
  case userPostgres
  /// MariaDB is installed, with its own backup program.
  case mariaDB
  /// OpenSSH's server for SFTP is installed.
  case sftpServer
  /// OpenSSH is installed, and a user with the right to log in can do so on a loopback port.
  case sshServer
  /// The tested binary is a release build.
  case releaseBinary
  /// Files at /dev/shm can have any size.
  case hugeSparseFiles
  /// Files of the checkout can be taken out of the page cache: they are on a disk, and /tmp need not be on one.
  case droppablePageCache
  /// Files below /tmp can have extended attributes and access control lists.
  case accessLists
  /// SeaweedFS is installed, a server of S3.
  case seaweedFS
  /// rclone is installed, whose server of S3 replaces objects.
  case rclone

  /// The reason why a test is skipped.
  var reason: String {
    switch self {
    case .root: "needs root"
    case .mounts: "needs the right to mount file systems"
    case .overlayMounts: "needs the right to mount an overlay file system"
    case .loopDevices: "needs a loop device with an ext4 that knows chattr +a"
    case .fuse: "needs /dev/fuse and the right to mount"
    case .bindfs: "needs the program bindfs and the right to mount"
    case .systemCallFilter: "needs filters of system calls (seccomp), set by python3"
    case .unprivilegedUser: "needs a user without privileges who can run \(Tool.binary)"
    case .userPostgres: "needs root and the user postgres"
    case .mariaDB: "needs mariadb-server-core, mariadb-client-core and mariadb-backup"
    case .sftpServer: "needs openssh-sftp-server"
    case .sshServer: "needs openssh-server and openssh-client; for root also the right to mount"
    case .releaseBinary: "needs a release build, named by HOLDFAST_BINARY"
    case .hugeSparseFiles: "needs a tmpfs at /dev/shm, for sparse files of any size"
    case .droppablePageCache: "needs the checkout on a disk: files in memory cannot leave the page cache"
    case .seaweedFS: "needs SeaweedFS, which Scripts/install-engines installs"
    case .rclone: "needs rclone, which Scripts/install-engines installs"
    case .accessLists: "needs extended attributes and access control lists at /tmp"
    }
  }

  /// True if nothing may be skipped.
  private static var forbidsSkips: Bool {
    ["CI", "HOLDFAST_TESTS_NO_SKIP"].contains { !(Tool.environmentValue($0) ?? "").isEmpty }
  }

  /// The results of earlier trials, so that each requirement is tried once.
  private static let found = Mutex<[Requirement: Bool]>([:])

  /// True if the machine has it.
  /// - Throws: `Missing` if it does not, and nothing may be skipped.
  func isMet() throws(Missing) -> Bool {
    let isMet = Self.found.withLock { $0[self] } ?? tryOut()
    Self.found.withLock { $0[self] = isMet }
    guard isMet || !Self.forbidsSkips else { throw Missing(reason: reason) }
    return isMet
  }

  /// For a test that does more if the machine has it. If it does not, this prints what is left out.
  /// - Throws: `Missing` if it does not, and nothing may be skipped.
  package func allows(_ part: String) throws -> Bool {
    let isMet = try isMet()
    if !isMet { print("skipped \(part): \(reason)") }
    return isMet
  }

  package struct Missing: Error, CustomStringConvertible {
    let reason: String
    package var description: String { "\(reason), and no test may be skipped (CI or HOLDFAST_TESTS_NO_SKIP is set)" }
  }

  // MARK: Trying it out

  private func tryOut() -> Bool {
    switch self {
    case .root: Tool.isRoot
    case .mounts: succeeds("mount -t tmpfs tmpfs .")
    case .overlayMounts:
      succeeds(
        "mkdir a b; mount -t tmpfs tmpfs a; mkdir a/u a/w; mount -t overlay o -o lowerdir=/etc,upperdir=a/u,workdir=a/w b"
      )
    case .loopDevices:
      succeeds("truncate -s 16M d; mkfs.ext4 -q d; mkdir m; mount -o loop d m; chattr +a m; chattr -a m")
    case .fuse:
      succeeds("mkdir m; exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=65534,group_id=65534 x m")
    case .bindfs: succeeds("mkdir a b; bindfs --force-user=1234 a b; umount b")
    case .systemCallFilter: Refusal.isPossible
    case .unprivilegedUser: Unprivileged.isPossible
    case .userPostgres: Tool.isRoot && succeeds("getent passwd postgres")
    case .mariaDB:
      ["/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db", "/usr/bin/mariadb", "/usr/bin/mariadb-backup"]
        .allSatisfy { TestFiles.exists(Path($0)) }
    case .sftpServer: TestFiles.exists(SFTPServerProgram.path)
    case .sshServer:
      ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"].allSatisfy { TestFiles.exists(Path($0)) }
        && (try? SSHServer()) != nil
    case .releaseBinary: Tool.environmentValue("HOLDFAST_BINARY") != nil && Tool.binary.text.contains("/release/")
    case .hugeSparseFiles: Self.hasHugeSparseFiles
    case .droppablePageCache: Self.withDirectory(.inCheckout()) { ResidentPages.canBeDropped(in: $0) }
    case .seaweedFS: SeaweedFS.program != nil
    case .rclone: RcloneServer.program != nil
    case .accessLists: succeeds("touch f; setfattr -n user.shop -v 1 f; setfacl -m u:12345:rw f")
    }
  }

  /// True if a script succeeds in a directory and with mounts of its own, or without these if they are not allowed.
  private func succeeds(_ script: String) -> Bool {
    let apart = Tool.isRoot ? ["unshare", "--mount", "--propagation", "private"] : []
    return Self.withDirectory { directory in
      var start = RunningProcess.Start(apart + ["bash", "-ec", script])
      start.directory = directory
      return RunningProcess(start).wait().exitStatus == 0
    }
  }

  /// Tries something in a directory that is removed after it.
  private static func withDirectory(
    _ directory: TemporaryDirectory = TemporaryDirectory(), _ attempt: (Path) -> Bool
  ) -> Bool {
    return withExtendedLifetime(directory) { attempt(directory.path) }
  }

  private static var hasHugeSparseFiles: Bool {
    guard let directory = TemporaryDirectory(in: Path("/dev/shm")) else { return false }
    return withExtendedLifetime(directory) {
      let file = directory.appending("huge")
      TestFiles.write("", to: file)
      TestFiles.truncate(file, to: Int.max)
      return TestFiles.status(file)?.size == Int.max
    }
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips a test or a suite if the machine lacks something, or lets it fail there if nothing may be skipped.
  package static func requires(
    _ requirements: Requirement..., sourceLocation: SourceLocation = #_sourceLocation
  ) -> Self {
    let reasons = requirements.map(\.reason).joined(separator: ", ")
    return .enabled("\(reasons)", sourceLocation: sourceLocation) {
      for requirement in requirements where try !requirement.isMet() { return false }
      return true
    }
  }
}
