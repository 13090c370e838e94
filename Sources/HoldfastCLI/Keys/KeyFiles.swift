internal import Glibc
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Secrets in files: read only where nobody else can read them, written so that nobody else can.
enum KeyFiles {
  private static let bytesMax = 64 << 10
  /// Group and others: read, write, execute.
  private static let othersMask: UInt32 = 0o077
  /// systemd lets the user of a unit read a credential by an ACL, which shows as the group's bits.
  private static let credentialMask: UInt32 = 0o037

  static func read(_ path: Path, files: FileSystem) throws -> SecretBytes {
    let file: OpenFile
    do throws(SystemError) {
      file = try files.open(files.resolve(path), .read)
    } catch {
      guard error.isNotFound else { throw error }
      throw KeyError("the key file \(path) does not exist", hint: "Run `holdfast key generate` to make one.")
    }
    let status = try file.status()
    guard status.kind == .file else { throw KeyError("\(path) is no file", hint: "Name the file that holds the key.") }
    let isCredential = credentialsDirectory.map { $0.contains(path) } ?? false
    guard status.mode & (isCredential ? credentialMask : othersMask) == 0 else {
      throw KeyError(
        "the key file \(path) can be used by others (mode 0\(String(status.mode, radix: 8)))",
        hint: "Run `chmod 600 \(path)`, and think about who may have read it.")
    }
    guard status.userID == geteuid() || status.userID == 0 else {
      throw KeyError(
        "the key file \(path) belongs to another user (\(status.userID))", hint: "Keep keys in files of your own.")
    }
    var bytes = try file.contents(max: bytesMax)
    return SecretBytes(taking: &bytes)
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
    try secret.withUnsafeBytes { try file.write($0, at: 0) }
    try file.synchronize()
    if let parent = path.parent { try files.open(parent, .directoryFollowingLinks).synchronizeDirectory() }
  }

  /// Where systemd puts a credential of this unit; `nil` where there is none.
  static func credential(_ name: String, files: FileSystem) throws -> Path? {
    guard let path = credentialsDirectory?.appending(name) else { return nil }
    return try files.statusIfPresent(of: path) == nil ? nil : path
  }

  private static var credentialsDirectory: Path? {
    Environment.value("CREDENTIALS_DIRECTORY").flatMap { $0.hasPrefix("/") ? Path($0) : nil }
  }
}
