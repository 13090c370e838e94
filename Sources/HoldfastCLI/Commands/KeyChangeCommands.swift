internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

/// Opens a repository for the commands that change its keyring, and publishes the change.
private struct KeyringEditor {
  let context: RepositoryContext
  let repository: Repository

  init(_ location: RepositoryOptions, _ identity: IdentityOptions, _ output: OutputOptions) throws {
    context = try location.context(location.machine(output), identity: identity, asks: true)
    repository = try context.openToWrite { Console.warn($0) }
    try KeyringChange(repository).checkAuthority()
  }

  func publish(_ change: KeyringChange, _ output: OutputOptions, _ said: String) throws {
    let revision = try change.publish()
    if output.json { return try Console.json(KeyringJSON(revision.keyring, digest: revision.digest.description)) }
    guard !output.quiet else { return }
    Console.output("\(said); the keyring is at revision \(revision.keyring.revision), digest \(revision.digest)")
  }
}

struct KeyAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Add a recipient who can open future snapshots, or a writer.",
    discussion: """
      This needs the identity of a recipient. The next backup takes a full; a new recipient can open that and all \
      later snapshots.

      \(HelpEnd.text("holdfast key add --recipient RECIPIENT --label safe --identity old.key", "holdfast key add --writer WRITER --label shop-2 --identity recovery.key"))
      """)

  @Option(help: ArgumentHelp("Public key to encrypt to, as `holdfast key generate` prints it.", valueName: "recipient"))
  var recipient: String?

  @Option(
    help: ArgumentHelp(
      "Public key of a writer whose snapshots are accepted, as `holdfast key generate --writer` prints it.",
      valueName: "writer"))
  var writer: String?

  @Flag(help: "Encrypt to a new passphrase, which is asked for on the terminal or read from HOLDFAST_PASSPHRASE_FILE.")
  var passphrase = false

  @Flag(name: .long, help: "Let the writer prune. Without this it can add snapshots but remove none.")
  var mayPrune = false

  @Option(help: ArgumentHelp("A name for the key. (default: a name with a number)", valueName: "name"))
  var label: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard [recipient != nil, writer != nil, passphrase].filter({ $0 }).count == 1 else {
      throw ValidationError("one of --recipient, --writer and --passphrase is needed")
    }
    guard !mayPrune || writer != nil else { throw ValidationError("--may-prune is for a --writer") }
  }

  func run() throws {
    let editor = try KeyringEditor(location, identity, output)
    var change = try KeyringChange(editor.repository)
    if let writer {
      let name = label ?? "writer-\(change.keyring.writers.count + 1)"
      let key = try PublicKey(writerText: writer)
      try change.enrol(Keyring.Writer(name: name, key: key, mayPrune: mayPrune))
      return try editor.publish(change, output, "added the writer \(name) (\(key.short))")
    }
    let name = label ?? (passphrase ? "passphrase" : "recipient") + "-\(change.keyring.recipients.count + 1)"
    let member =
      try recipient.map { Keyring.Member(try Recipient(text: $0), name: name) }
      ?? NewRecipients.byPassphrase(name: name, repository: editor.repository.id, editor.context)
    try change.add(member)
    try editor.publish(change, output, "added the recipient \(name) (\(member.id.short))")
  }
}

struct KeyRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove a recipient, or revoke a writer.",
    discussion: """
      This needs the identity of a recipient. A removed recipient can still open what was encrypted to it, but nothing \
      from the next full on.
      The snapshots of a revoked writer that are in the repository now still count: look at `holdfast list` first.

      \(HelpEnd.text("holdfast key remove safe --identity recovery.key", "holdfast key remove shop-2 --identity recovery.key"))
      """)

  @Argument(help: "The recipient or writer: its name, its ID, or the beginning of the ID.")
  var key: String

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let editor = try KeyringEditor(location, identity, output)
    var change = try KeyringChange(editor.repository)
    if let writer = try change.revokeWriter(key) {
      let counted = KeyList.counted(writer)
      return try editor.publish(
        change, output,
        "revoked the writer \(Path(writer.name)) (\(writer.key.short)); \(counted)")
    }
    let member = try change.removeRecipient(key)
    try editor.publish(
      change, output, "removed the recipient \(Path(member.name)) (\(member.id.short))")
  }
}

struct KeyPermit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "permit", abstract: "Allow or forbid a writer to prune.",
    discussion: """
      This needs the identity of a recipient. The machine that made the repository may prune until this is forbidden; \
      a writer that is added later may prune only if it is allowed to. Removals by a writer without this right do not \
      count.

      \(HelpEnd.text("holdfast key permit shop-2 --prune --identity recovery.key", "holdfast key permit shop-2 --no-prune --identity recovery.key"))
      """)

  @Argument(help: "The writer: its name, its public key, or the beginning of the key.")
  var key: String

  @Flag(inversion: .prefixedNo, help: "Whether the writer may prune.")
  var prune: Bool

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let editor = try KeyringEditor(location, identity, output)
    var change = try KeyringChange(editor.repository)
    let writer = try change.permit(key, toPrune: prune)
    try editor.publish(
      change, output, "the writer \(Path(writer.name)) (\(writer.key.short)) \(prune ? "may" : "may not") prune")
  }
}

struct KeyRotate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate", abstract: "Replace a recipient by another one.",
    discussion: """
      Nothing is encrypted again: the old identity can still open what was encrypted to it. The next backup takes a \
      full for the new recipient.

      \(HelpEnd.text("holdfast key rotate safe --recipient RECIPIENT --identity old.key", "holdfast key rotate safe --recipient RECIPIENT --label new-safe"))
      """)

  @Argument(help: "The recipient to replace: its name, its ID, or the beginning of the ID.")
  var key: String

  @Option(
    help: ArgumentHelp("Public key of the new recipient, as `holdfast key generate` prints it.", valueName: "recipient")
  )
  var recipient: String

  @Option(help: ArgumentHelp("A name for the key. (default: that of the old key)", valueName: "name"))
  var label: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let editor = try KeyringEditor(location, identity, output)
    var change = try KeyringChange(editor.repository)
    let member = try change.replaceRecipient(key, by: Recipient(text: recipient), name: label)
    try editor.publish(
      change, output, "sealed to \(Path(member.name)) (\(member.id.short)) from now on")
  }
}

/// Makes new recipients.
enum NewRecipients {
  /// Makes an identity that is sealed under a passphrase, which is asked for.
  static func byPassphrase(name: String, repository: Identifier, _ context: RepositoryContext) throws -> Keyring.Member
  {
    guard
      let passphrase = try context.keys.passphraseFromFile()
        ?? Passphrase.fromTerminal(isNew: true, context.machine.host.cancellation)
    else {
      throw KeyError(
        "there is no terminal to ask for a passphrase on",
        hint: "Put it into a file, and set HOLDFAST_PASSPHRASE_FILE.",
        exitStatus: .usage)
    }
    let identity = try RecoveryIdentity()
    let sealed = try PassphraseSeal(identity, passphrase: passphrase, repository: repository)
    return Keyring.Member(identity.recipient, name: name, passphrase: sealed)
  }
}
