package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// Files with secrets. They are read only if nobody else can read them, and written with mode 0600.
package struct KeyFiles: Sendable {
  private static let bytesMax = 64 << 10

  /// The contents of such a file.
  package enum Kind: String {
    case identity
    case writerKey = "writer key"
    case passphrase
    /// The address for notifications: anyone who knows it can send false ones.
    case address

    /// Says what to do when there is no such file.
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

  private let files: FileSystem
  private let environment: ProcessEnvironment

  package init(files: FileSystem, environment: ProcessEnvironment) {
    (self.files, self.environment) = (files, environment)
  }

  /// - Throws: `KeyError` when it does not exist, or others could use it.
  package func read(_ kind: Kind, _ path: Path) throws -> SecretBytes {
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
    let rule = SecretFileRule(
      othersMayNot: .useIt, except: allowedPermissions(of: path, status), userID: environment.userID)
    if let objection = rule.objection(to: path, status, noun: "\(kind.rawValue) file") {
      throw KeyError(objection.message, hint: objection.hint)
    }
    guard status.size <= UInt64(Self.bytesMax) else {
      throw KeyError(
        "\(path) is too long for a key file", hint: "Name the file that holds the \(kind.rawValue).")
    }
    var bytes = try file.contents(max: Self.bytesMax)
    return SecretBytes(taking: &bytes)
  }

  /// Returns the permissions that others may have. systemd lets the user of a unit read a credential through an ACL,
  /// which shows as read permission of the group root.
  private func allowedPermissions(of path: Path, _ status: FileStatus) -> UInt32 {
    let isCredential = environment.credentialsDirectory.map { path.parent == $0 } ?? false
    return isCredential && status.userID == 0 && status.groupID == 0 ? 0o040 : 0
  }

  /// Returns the permissions that others may have on a file; none if the file does not exist.
  func allowedPermissions(of path: Path) throws -> UInt32 {
    try files.statusIfPresent(of: path).map { allowedPermissions(of: path, $0) } ?? 0
  }

  /// Makes a new file of mode 0600, durable on return. An existing file is never replaced.
  package func write(_ secret: SecretBytes, to path: Path) throws {
    let file: AtomicFile
    do throws(SystemError) {
      // It is written under its own name, so that the key never has a second name, and no incomplete or unknown key is
      // left behind.
      file = try AtomicFile(path, in: nil, as: .own, files: files)
    } catch {
      guard error.isExisting else { throw error }
      throw KeyError(
        "\(path) exists already", hint: "A key is never replaced: name another file, or move that one away.",
        exitStatus: .failed)
    }
    try secret.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }

  /// Returns the path of a systemd credential of this unit; `nil` when there is none.
  package func credential(_ name: String) throws -> Path? {
    guard let path = environment.credentialsDirectory?.appending(name) else { return nil }
    return try files.statusIfPresent(of: path) == nil ? nil : path
  }

  // MARK: Passphrases

  private static let lineEnds: Set<UInt8> = [UInt8(ascii: "\n"), UInt8(ascii: "\r")]

  /// Returns a passphrase as an operator would type it.
  /// - Throws: `KeyError` also when the file contains more than one line, or nothing.
  package func readPassphrase(_ path: Path) throws -> SecretBytes {
    let text = try read(.passphrase, path)
    // Newlines at the end, which editors add, are removed: the rest must be what an operator types at a terminal.
    var bytes = text.withUnsafeBytes { Array($0) }
    while let last = bytes.last, Self.lineEnds.contains(last) { bytes.removeLast() }
    guard !bytes.contains(where: { Self.lineEnds.contains($0) }) else {
      SecretBytes.wipe(&bytes)
      throw KeyError(
        "\(path) holds more than one line", hint: "Put the passphrase on one line, so that it can be typed as well.")
    }
    return try Self.checkedPassphrase(SecretBytes(taking: &bytes))
  }

  /// - Throws: `KeyError` when it is empty.
  package static func checkedPassphrase(_ passphrase: SecretBytes) throws -> SecretBytes {
    guard passphrase.count > 0 else {
      throw KeyError("the passphrase is empty", hint: "Use several words that nobody would guess.")
    }
    return passphrase
  }
}
