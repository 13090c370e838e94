internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// With what a sealed repository is opened.
struct IdentityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The file of an identity that opens a sealed repository. (environment: HOLDFAST_IDENTITY_FILE)",
      valueName: "file"), completion: .file())
  var identity: String?

  @Option(
    help: ArgumentHelp("A command that prints such a file: of a password manager, say.", valueName: "command"))
  var identityCommand: String?

  func validate() throws {
    guard identity == nil || identityCommand == nil else {
      throw ValidationError("--identity and --identity-command exclude each other.")
    }
  }

  /// - Parameters:
  ///   - writer: where the writer key of this machine is, for what writes.
  ///   - asks: whether a passphrase may be asked for on the terminal.
  func credentials(_ host: Host, writer: WriterOptions? = nil, asks: Bool) -> Credentials {
    var credentials = Credentials.none
    credentials.identities = { keyring in
      if let identity = try named(host) { return [identity] }
      return try byPassphrase(keyring, host, asks: asks).map { [$0] } ?? []
    }
    if let writer { credentials.writer = { try writer.read(host) } }
    return credentials
  }

  /// The identity of a file or a command; `nil` where none is named.
  private func named(_ host: Host) throws -> RecoveryIdentity? {
    if let identityCommand {
      var output = try ShellCommand.output(of: identityCommand, host.cancellation)
      return try RecoveryIdentity(file: SecretBytes(taking: &output), name: "the output of --identity-command")
    }
    let named = identity ?? Environment.value("HOLDFAST_IDENTITY_FILE").flatMap { $0.isEmpty ? nil : $0 }
    guard
      let path = try named.map({ try Environment.absolute($0) })
        ?? KeyFiles.credential("holdfast-identity", files: host.files)
    else { return nil }
    return try RecoveryIdentity(file: KeyFiles.read(.identity, path, files: host.files), name: path.description)
  }

  private func byPassphrase(_ keyring: Keyring, _ host: Host, asks: Bool) throws -> RecoveryIdentity? {
    let members = keyring.recipients.filter { $0.passphrase != nil }
    guard !members.isEmpty,
      let passphrase = try Passphrase.fromFile(host.files)
        ?? (asks ? Passphrase.fromTerminal(isNew: false, host.cancellation) : nil)
    else { return nil }
    for member in members {
      let identity = try member.passphrase?.open(passphrase: passphrase, repository: keyring.repository)
      if let identity, identity.recipient.id == member.id { return identity }
    }
    let names = keyring.recipients.map { "\(Path($0.name)) (\($0.id.short))" }.joined(separator: ", ")
    throw KeyError(
      "the passphrase is wrong", hint: "The repository is sealed to \(names): try again, or name an --identity.")
  }
}

/// With what this machine signs its snapshots.
struct WriterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The writer key of this machine. (environment: HOLDFAST_WRITER_KEY_FILE; default: holdfast/writer.key below ~/.config, for root /etc/holdfast/writer.key)",
      valueName: "file"), completion: .file())
  var writerKey: String?

  func read(_ host: Host) throws -> WriterKey {
    let path = try path(host)
    return try WriterKey(file: KeyFiles.read(.writerKey, path, files: host.files), name: path.description)
  }

  /// The key of this machine; a new one where there is none yet.
  /// - Returns: the key, and where a new one was written.
  func readOrMake(_ host: Host) throws -> (key: WriterKey, made: Path?) {
    let path = try path(host)
    if try host.files.statusIfPresent(of: path) != nil { return (try read(host), nil) }
    let key = try WriterKey()
    if let parent = path.parent { try host.files.makeDirectories(parent) }
    try KeyFiles.write(key.fileText(created: TimeText.utc(host.clock.now())), to: path, files: host.files)
    return (key, path)
  }

  private func path(_ host: Host) throws -> Path {
    if let named = writerKey ?? Environment.value("HOLDFAST_WRITER_KEY_FILE"), !named.isEmpty {
      return try Environment.absolute(named)
    }
    if let credential = try KeyFiles.credential("holdfast-writer-key", files: host.files) { return credential }
    guard let directory = Environment.configurationDirectory() else {
      throw KeyError("there is no home directory to keep a writer key in", hint: "Say --writer-key FILE.")
    }
    return directory.appending("writer.key")
  }
}
