internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// With what a sealed repository is opened.
struct IdentityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The file of an identity that opens a sealed repository. May be repeated. (environment: HOLDFAST_IDENTITY_FILE)",
      valueName: "file"), completion: .file())
  var identity: [String] = []

  @Option(
    help: ArgumentHelp("A command that prints such a file: of a password manager, say.", valueName: "command"))
  var identityCommand: String?

  func validate() throws {
    guard identity.isEmpty || identityCommand == nil else {
      throw ValidationError("--identity and --identity-command exclude each other.")
    }
  }

  /// - Parameters:
  ///   - writer: where the writer key of this machine is, for what writes.
  ///   - asks: whether a passphrase may be asked for on the terminal.
  func credentials(_ host: Host, writer: WriterOptions? = nil, asks: Bool) -> Credentials {
    var credentials = Credentials.none
    credentials.identities = { keyring in
      let named = try named(host)
      return try named.isEmpty ? byPassphrase(keyring, host, asks: asks) : named
    }
    if let writer { credentials.writer = { try writer.read(host) } }
    return credentials
  }

  /// The identities of files or of a command; empty where none is named.
  private func named(_ host: Host) throws -> [RecoveryIdentity] {
    if let identityCommand {
      return [try printed(by: identityCommand, "the output of --identity-command", host)]
    }
    var paths = try identity.map { try Environment.absolute($0) }
    if paths.isEmpty, let file = Environment.value("HOLDFAST_IDENTITY_FILE"), !file.isEmpty {
      paths = [try Environment.absolute(file)]
    }
    if paths.isEmpty { paths = try KeyFiles.credential("holdfast-identity", files: host.files).map { [$0] } ?? [] }
    if paths.isEmpty, let command = ConfiguredRepository.current?.identityCommand {
      return [try printed(by: command, "the output of the configured identity-command", host)]
    }
    if paths.isEmpty { paths = ConfiguredRepository.current?.identities ?? [] }
    return try paths.map {
      try RecoveryIdentity(file: KeyFiles.read(.identity, $0, files: host.files), name: $0.description)
    }
  }

  private func printed(by command: String, _ name: String, _ host: Host) throws -> RecoveryIdentity {
    var output = try ShellCommand(command).output(host.cancellation)
    return try RecoveryIdentity(file: SecretBytes(taking: &output), name: name)
  }

  /// The identities that a passphrase opens; empty where there is none to be had.
  private func byPassphrase(_ keyring: Keyring, _ host: Host, asks: Bool) throws -> [RecoveryIdentity] {
    let members = keyring.recipients.filter { $0.passphrase != nil }
    guard !members.isEmpty,
      let passphrase = try Passphrase.fromFile(host.files)
        ?? (asks ? Passphrase.fromTerminal(isNew: false, host.cancellation) : nil)
    else { return [] }
    let identities = try members.compactMap { member -> RecoveryIdentity? in
      let identity = try member.passphrase?.open(passphrase: passphrase, repository: keyring.repository)
      return identity?.recipient.id == member.id ? identity : nil
    }
    guard identities.isEmpty else { return identities }
    let names = members.map { "\(Path($0.name)) (\($0.id.short))" }.joined(separator: ", ")
    throw KeyError("the passphrase is wrong", hint: "It is that of none of \(names): try again, or name an --identity.")
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
  /// - Returns: the key, where it lies, and whether it is a new one.
  func readOrMake(_ host: Host) throws -> (key: WriterKey, path: Path, isNew: Bool) {
    let path = try path(host)
    if try host.files.statusIfPresent(of: path) != nil { return (try read(host), path, false) }
    let key = try WriterKey()
    if let parent = path.parent {
      // What root configures is for everybody to read; the key in it is not.
      let isOfMachine = Environment.isRoot && parent == Environment.configurationDirectory()
      try host.files.makeDirectories(parent, permissions: isOfMachine ? 0o755 : 0o700)
    }
    try KeyFiles.write(key.fileText(created: TimeText.utc(host.clock.now())), to: path, files: host.files)
    return (key, path, true)
  }

  private func path(_ host: Host) throws -> Path {
    if let named = writerKey ?? Environment.value("HOLDFAST_WRITER_KEY_FILE"), !named.isEmpty {
      return try Environment.absolute(named)
    }
    if let credential = try KeyFiles.credential("holdfast-writer-key", files: host.files) { return credential }
    if let configured = ConfiguredRepository.current?.writerKey { return configured }
    guard let directory = Environment.configurationDirectory() else {
      throw KeyError("there is no home directory to keep a writer key in", hint: "Say --writer-key FILE.")
    }
    return directory.appending("writer.key")
  }
}
