internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Makes the repository, or checks that the key opens the one that is there.
struct RepositoryStep {
  let site: SetupSite
  let request: SetupRequest
  private var host: Host { site.machine.host }
  private var keyFiles: KeyFiles { site.machine.keyFiles }

  /// The keys of the runs of this setup: for taking snapshots, and for restoring one.
  var keys: KeyRequest {
    var keys = KeyRequest()
    (keys.opens, keys.signs, keys.writerKey) = (true, true, request.writerKey)
    switch request.protection {
    case .keyFile(let path): keys.identities = [String(decoding: path.bytes, as: UTF8.self)]
    case .passphrase(let passphrase): keys.passphrase = passphrase
    case .unsealed: break
    }
    return keys
  }

  /// - Throws: when the repository that is there is not protected as it was asked for, or the key does not open it; or
  ///   when the key file would be lost together with what it opens.
  func check() throws {
    if case .keyFile(let path) = request.protection { try checkPlace(of: path) }
    guard let repository = site.repository else { return }
    guard let sealed = repository.keyring.sealed else {
      if case .unsealed = request.protection { return }
      throw EngineError(
        .usage, "the repository in \(repository.location) is there already, and it is not sealed",
        hint: "Say --unsealed to use it as it is, or name another place with --repository.", exitStatus: .usage)
    }
    let recipients = sealed.keyring.recipients
    let names = recipients.map { "\(Path($0.name)) (\($0.id.short))" }.joined(separator: ", ")
    switch request.protection {
    case .unsealed:
      throw EngineError(
        .usage, "the repository in \(repository.location) is there already, and it is sealed to \(names)",
        hint: "Say what opens it, with --key-file FILE or --passphrase, or name another place with --repository.",
        exitStatus: .usage)
    case .keyFile(let path):
      let identity = try RecoveryIdentity(file: keyFiles.read(.identity, path), name: path.description)
      guard recipients.contains(where: { $0.id == identity.recipient.id }) else {
        throw KeyError(
          "\(path) does not open the repository in \(repository.location)", hint: "It is sealed to \(names).")
      }
    case .passphrase:
      guard recipients.contains(where: { $0.passphrase != nil }) else {
        throw KeyError(
          "no passphrase opens the repository in \(repository.location)",
          hint: "It is sealed to \(names): say --key-file FILE.")
      }
      let context = try RepositoryContext(
        RepositoryRequest(repository: site.context.location.text, keys: keys), on: site.machine)
      _ = try context.open { _ in }.keyring.hasIdentity()
    }
  }

  /// The key files of this setup, whether they exist or not.
  var keyPaths: [(name: String, path: Path)] {
    get throws {
      var paths: [(name: String, path: Path)] = []
      if case .keyFile(let path) = request.protection { paths.append(("key file", path)) }
      if case .unsealed = request.protection { return paths }
      let context = try RepositoryContext(
        RepositoryRequest(repository: site.context.location.text, keys: keys), on: site.machine)
      return paths + [("writer key of this machine", try context.keys.writerPath())]
    }
  }

  /// A key that lies with what it opens is lost with it, and found with it.
  private func checkPlace(of keyFile: Path) throws {
    guard let parent = keyFile.parent, let place = site.place(of: parent) else { return }
    throw EngineError(
      .usage, "the key file \(keyFile) lies in the \(place.name) \(place.path)",
      hint: "Name a file elsewhere: whoever loses the \(place.name) would lose the key with it.", exitStatus: .usage)
  }

  /// True if the key file is to be made.
  var makesKeyFile: Bool {
    get throws {
      guard site.repository == nil, case .keyFile(let path) = request.protection else { return false }
      return try host.files.statusIfPresent(of: path) == nil
    }
  }

  /// Makes the key file, if it is to be made.
  /// - Returns: true if it was made.
  func makeKeyFile() throws -> Bool {
    guard try makesKeyFile, case .keyFile(let path) = request.protection else { return false }
    let text = try RecoveryIdentity().fileText(created: TimeText.utc(host.clock.now()))
    try keyFiles.write(text, to: path)
    return true
  }

  /// Makes the repository.
  func make(warn: (String) -> Void) throws -> Repository {
    let context = try RepositoryContext(
      RepositoryRequest(repository: site.context.location.text, keys: keys), on: site.machine)
    let targets = RepositoryTargets(context)
    try targets.checkMayBeMade(of: nil)
    var removal: RemovalTrial?
    let now = host.clock.now()
    let repository = try Repository.create(
      in: context.store(), host: host, sealing: try sealing(context), memory: site.machine.memory(),
      onProbe: { removal = RemovalTrial($0.capabilities, at: now) }, warn: warn)
    if let removal { context.rememberTrial(removal, of: repository.id, warn: warn) }
    _ = try targets.make(of: repository, warn: warn)
    return repository
  }

  private func sealing(_ context: RepositoryContext) throws -> Repository.Sealing? {
    let recipients: @Sendable (Identifier) throws -> [Keyring.Member]
    switch request.protection {
    case .unsealed: return nil
    case .keyFile(let path):
      let identity = try RecoveryIdentity(file: keyFiles.read(.identity, path), name: path.description)
      let recipient = identity.recipient
      recipients = { _ in [Keyring.Member(recipient, name: "recipient-1")] }
    case .passphrase(let passphrase):
      recipients = { repository in
        let identity = try RecoveryIdentity()
        let sealed = try PassphraseSeal(identity, passphrase: passphrase, repository: repository)
        return [Keyring.Member(identity.recipient, name: "passphrase-1", passphrase: sealed)]
      }
    }
    return Repository.Sealing(
      writer: try context.keys.writerOrNew().key, writerName: site.machine.environment.hostName,
      recipients: recipients)
  }
}
