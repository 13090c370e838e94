internal import HoldfastArchive
package import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The keys to a repository exactly as a command line names them, and their use.
package struct KeyRequest: Sendable {
  /// Files of identities.
  package var identities: [String] = []
  /// A command that prints an identity.
  package var identityCommand: String?
  /// The file of this machine's writer key.
  package var writerKey: String?
  /// True if the command opens sealed objects.
  package var opens = false
  /// True if the command signs what it writes.
  package var signs = false
  /// The only way by which sealed objects are opened; `nil` for the first that is named.
  package var way: OpeningWay?
  /// The passphrase, if it is known already: it goes before all others, and before identities that only the environment
  /// or the configuration names.
  package var passphrase: SecretBytes?
  /// Asks a person for a passphrase, and returns `nil` when there is no terminal; `nil` when nobody may be asked.
  package var askPassphrase: (@Sendable () throws -> SecretBytes?)?

  package init() {}
}

/// The ways to open sealed objects.
package enum OpeningWay: String, Sendable, CaseIterable {
  case identity, passphrase
}

/// The sources of the keys to one repository. The first that names a key is used: command line, environment, systemd
/// credential, configuration of this repository. Nothing is read before a key is needed.
package struct RepositoryKeys: Sendable {
  private let request: KeyRequest
  private let configured: RepositorySettings?
  private let machine: MachineContext

  package init(_ request: KeyRequest, configured: RepositorySettings?, machine: MachineContext) {
    self.request = request
    self.configured = configured
    self.machine = machine
  }

  /// The keys that the command needs.
  package var credentials: Credentials {
    var credentials = Credentials.none
    if request.opens {
      credentials.identities = { keyring in
        let named = try request.way == .passphrase || request.passphrase != nil ? [] : namedIdentities()
        return try named.isEmpty && request.way != .identity ? identitiesByPassphrase(keyring) : named
      }
    }
    if request.signs { credentials.writer = { try writer() } }
    return credentials
  }

  // MARK: Identities

  private enum IdentitySource {
    /// - Parameter name: the name of the command in messages.
    case command(String, name: String)
    case files([Path])
  }

  private func identitySource(withCredentials: Bool) throws -> IdentitySource {
    if let command = request.identityCommand { return .command(command, name: "the output of --identity-command") }
    var files = try request.identities.map { try machine.environment.absolute($0) }
    if files.isEmpty, let file = machine.environment.text("HOLDFAST_IDENTITY_FILE") {
      files = [try machine.environment.absolute(file)]
    }
    if files.isEmpty, withCredentials {
      files = try machine.keyFiles.credential("holdfast-identity").map { [$0] } ?? []
    }
    if files.isEmpty, let command = configured?.identityCommand {
      return .command(command, name: "the output of the configured identity-command")
    }
    return .files(files.isEmpty ? configured?.identities ?? [] : files)
  }

  /// Returns the identities of files or of a command; empty when none is named.
  private func namedIdentities() throws -> [RecoveryIdentity] {
    switch try identitySource(withCredentials: true) {
    case .command(let command, let name):
      var output = try ShellCommand(command).output(machine.host.cancellation)
      return [try RecoveryIdentity(file: SecretBytes(taking: &output), name: name)]
    case .files(let files):
      return try files.map { try RecoveryIdentity(file: machine.keyFiles.read(.identity, $0), name: $0.description) }
    }
  }

  /// Returns options that name the same identities to another run, which gets no credential of this unit.
  /// - Parameter quote: quotes a word for the program that starts that run.
  package func identityOptions(_ quote: (String) -> String) throws -> [String] {
    switch try identitySource(withCredentials: false) {
    case .command(let command, _): ["--identity-command", quote(command)]
    case .files(let files): files.flatMap { ["--identity", quote(String(decoding: $0.bytes, as: UTF8.self))] }
    }
  }

  /// Returns the identities that a passphrase opens; empty when there is no passphrase.
  private func identitiesByPassphrase(_ keyring: Keyring) throws -> [RecoveryIdentity] {
    let members = keyring.recipients.filter { $0.passphrase != nil }
    guard !members.isEmpty, let passphrase = try knownPassphrase() ?? request.askPassphrase?() else { return [] }
    let identities = try members.compactMap { member -> RecoveryIdentity? in
      let identity = try member.passphrase?.open(passphrase: passphrase, repository: keyring.repository)
      return identity?.recipient.id == member.id ? identity : nil
    }
    guard identities.isEmpty else { return identities }
    let names = members.map { "\(Path($0.name)) (\($0.id.short))" }.joined(separator: ", ")
    throw KeyError("the passphrase is wrong", hint: "It is that of none of \(names): try again, or name an --identity.")
  }

  private func knownPassphrase() throws -> SecretBytes? { try request.passphrase ?? passphraseFromFile() }

  /// Returns the passphrase in the file of `HOLDFAST_PASSPHRASE_FILE`, of the systemd credential `holdfast-passphrase`,
  /// or of the configuration; `nil` when none is named.
  package func passphraseFromFile() throws -> SecretBytes? {
    try passphrasePath().map { try machine.keyFiles.readPassphrase($0) }
  }

  private func passphrasePath() throws -> Path? {
    let named = try machine.environment.text("HOLDFAST_PASSPHRASE_FILE").map { try machine.environment.absolute($0) }
    return try named ?? machine.keyFiles.credential("holdfast-passphrase") ?? configured?.passphraseFile
  }

  /// True if the command line, the environment, a systemd credential or the configuration names a key for this way.
  package func names(_ way: OpeningWay) throws -> Bool {
    switch way {
    case .identity:
      if case .files(let files) = try identitySource(withCredentials: true) { return !files.isEmpty }
      return true
    case .passphrase: return try passphrasePath() != nil
    }
  }

  // MARK: The writer key

  /// Returns the key with which this machine signs its snapshots.
  package func writer() throws -> WriterKey {
    let path = try writerPath()
    return try WriterKey(file: machine.keyFiles.read(.writerKey, path), name: path.description)
  }

  /// Returns the writer key of this machine, and makes one if there is none yet.
  /// - Returns: the key and its path; `isNew` is true if it was made now.
  package func writerOrNew() throws -> (key: WriterKey, path: Path, isNew: Bool) {
    let path = try writerPath()
    let files = machine.host.files
    if try files.statusIfPresent(of: path) != nil { return (try writer(), path, false) }
    let key = try WriterKey()
    if let parent = path.parent {
      // The configuration directory of root is readable by everybody; the key in it is not.
      let isOfMachine = try machine.environment.isRoot && parent == machine.environment.configurationDirectory()
      try files.makeDirectories(parent, permissions: isOfMachine ? 0o755 : 0o700)
    }
    try machine.keyFiles.write(key.fileText(created: TimeText.utc(machine.host.clock.now())), to: path)
    return (key, path, true)
  }

  /// Returns the path of the writer key of this machine, which need not exist.
  package func writerPath() throws -> Path {
    let environment = machine.environment
    if let named = request.writerKey ?? environment.value("HOLDFAST_WRITER_KEY_FILE"), !named.isEmpty {
      return try environment.absolute(named)
    }
    if let credential = try machine.keyFiles.credential("holdfast-writer-key") { return credential }
    if let configured = configured?.writerKey { return configured }
    guard let directory = try environment.configurationDirectory() else {
      throw KeyError("there is no home directory to keep a writer key in", hint: "Say --writer-key FILE.")
    }
    return directory.appending("writer.key")
  }
}
