internal import Glibc
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Secrets in files: read only where nobody else can read them, written so that nobody else can.
enum KeyFiles {
  private static let bytesMax = 64 << 10
  /// Group and others: read, write, execute.
  private static let othersMask: UInt32 = 0o077

  /// What such a file holds.
  enum Kind: String {
    case identity
    case writerKey = "writer key"
    case passphrase
    /// Where somebody is told of runs: who knows it can tell lies.
    case address

    /// What to do where there is none.
    fileprivate func hintToFind(_ path: Path) -> String {
      switch self {
      case .identity:
        "Name the file that holds it with --identity, or with --identity-command a command that prints it."
      case .writerKey:
        "Run `holdfast key generate --writer \(path)`, and where the recovery identity is, `holdfast key add --writer` with what it prints."
      case .address: "Put the address into a file of mode 0600, and name that."
      case .passphrase: "Put the passphrase into a file of mode 0600, and name that with HOLDFAST_PASSPHRASE_FILE."
      }
    }
  }

  static func read(_ kind: Kind, _ path: Path, files: FileSystem) throws -> SecretBytes {
    let file: OpenFile
    do throws(SystemError) {
      file = try files.open(files.resolve(path), .read)
    } catch {
      guard error.isNotFound else { throw error }
      throw KeyError("there is no \(kind.rawValue) file \(path)", hint: kind.hintToFind(path))
    }
    let status = try file.status()
    guard status.kind == .file else {
      throw KeyError("\(path) is no file", hint: "Name the file that holds the \(kind.rawValue).")
    }
    guard status.mode & othersMask(path, status) == 0 else {
      throw KeyError(
        "the \(kind.rawValue) file \(path) can be used by others (mode 0\(String(status.mode, radix: 8)))",
        hint: "Run `chmod 600 \(path)`, and think about who may have read it.")
    }
    guard status.userID == geteuid() || status.userID == 0 else {
      throw KeyError(
        "the \(kind.rawValue) file \(path) belongs to another user (\(status.userID))",
        hint: "Run as that user, or use a copy that belongs to the one you are (\(geteuid())).")
    }
    guard status.size <= UInt64(bytesMax) else {
      throw KeyError(
        "\(path) is too long for a key file", hint: "Name the file that holds the \(kind.rawValue).")
    }
    var bytes = try file.contents(max: bytesMax)
    return SecretBytes(taking: &bytes)
  }

  /// The permissions that others may not have. systemd lets the user of a unit read a credential by an ACL, which shows as read permission of the group root.
  private static func othersMask(_ path: Path, _ status: FileStatus) -> UInt32 {
    let isCredential = credentialsDirectory.map { path.parent == $0 } ?? false
    return isCredential && status.userID == 0 && status.groupID == 0 ? othersMask & ~0o040 : othersMask
  }

  /// Makes a new file of mode 0600; durable when it returns. What is there is never replaced.
  static func write(_ secret: SecretBytes, to path: Path, files: FileSystem) throws {
    let file: OpenFile
    do throws(SystemError) {
      file = try files.open(path, .create)
    } catch {
      guard error.isExisting else { throw error }
      throw KeyError(
        "\(path) exists already", hint: "A key is never replaced: name another file, or move that one away.",
        exitStatus: .failed)
    }
    do {
      try secret.withUnsafeBytes { try file.write($0, at: 0) }
      try file.synchronize()
      if let parent = path.parent { try files.open(parent, .directoryFollowingLinks).synchronizeDirectory() }
    } catch {
      // Half a key, or one that nobody has been told of, is not left behind.
      try? files.removeFile(path)
      throw error
    }
  }

  /// Where systemd puts a credential of this unit; `nil` where there is none.
  static func credential(_ name: String, files: FileSystem) throws -> Path? {
    guard let path = credentialsDirectory?.appending(name) else { return nil }
    return try files.statusIfPresent(of: path) == nil ? nil : path
  }

  private static var credentialsDirectory: Path? {
    guard let directory = Environment.value("CREDENTIALS_DIRECTORY"), directory.hasPrefix("/") else { return nil }
    return Path(directory)
  }
}
