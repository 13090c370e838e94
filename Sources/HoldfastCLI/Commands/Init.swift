internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a new repository.",
    discussion: """
      A repository is encrypted to recipients. Make an identity with `holdfast key generate FILE` on another machine, \
      and give the public key that it prints to --recipient. This machine then takes backups that it cannot read \
      itself.

      \(HelpEnd.text("holdfast init -r /backup/shop --passphrase", "holdfast init -r s3:https://s3.example.org/shop-backup --unsealed"))
      """)

  @OptionGroup var location: RepositoryOptions

  @Option(
    help: ArgumentHelp(
      "Public key to encrypt to, as `holdfast key generate` prints it. May be repeated.", valueName: "recipient"))
  var recipient: [String] = []

  @Flag(help: "Encrypt to a new passphrase, which is asked for on the terminal or read from HOLDFAST_PASSPHRASE_FILE.")
  var passphrase = false

  @Flag(help: "Do not encrypt: anyone who can read the repository can read the orders in it.")
  var unsealed = false

  @Option(
    help: ArgumentHelp(
      "Share the repository with a group: all members can read and write all files in it.",
      valueName: "name"))
  var group: String?

  @Flag(
    help:
      "Make nothing: print what the server, or who has the disk, must do so that this host can add and not remove.")
  var appendOnlyRecipe = false

  @OptionGroup var writer: WriterOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    if appendOnlyRecipe { return try showRecipe() }
    let context = try location.context(location.machine(output), writer: writer)
    try context.checkIsHome()
    let targets = RepositoryTargets(context)
    // A target that was named later is made from what home contains.
    if !targets.others.isEmpty, let home = try openedHome(context) { return try complete(home, targets) }
    guard unsealed != (passphrase || !recipient.isEmpty) else {
      throw EngineError(
        .usage,
        unsealed
          ? "--unsealed and recipients exclude each other" : "a repository is sealed, and nobody is named to open it",
        hint: unsealed
          ? "Leave out --unsealed to encrypt."
          : "Run `holdfast key generate FILE` on another machine, and say --recipient with what it prints; or --passphrase; or --unsealed, and whoever can read the repository can read the orders in it.",
        exitStatus: .usage)
    }
    let recipients = try recipient.map { try Recipient(text: $0) }
    guard Set(recipients).count == recipients.count else {
      throw EngineError(.usage, "one recipient is named twice", hint: "Name each once.", exitStatus: .usage)
    }
    try targets.checkMayBeMade(of: nil)
    let store = try context.store(sharedWith: sharedGroup())
    let memory = try context.machine.memory()
    let made = try unsealed ? nil : context.keys.writerOrNew()
    let sealing = made.map { makeSealing(to: recipients, by: $0.key, context) }
    var removal: RemovalTrial?
    let now = context.machine.host.clock.now()
    let repository = try Repository.create(
      in: store, host: context.machine.host, sealing: sealing, memory: memory,
      onProbe: { removal = RemovalTrial($0.capabilities, at: now) }
    ) { Console.warn($0) }
    if let removal { context.rememberTrial(removal, of: repository.id) { Console.warn($0) } }
    let others = try targets.make(of: repository) { Console.warn($0) }
    try show(repository, key: made.map { ($0.path, $0.isNew) }, others)
  }

  /// Opens home, if there is a repository already.
  private func openedHome(_ context: RepositoryContext) throws -> Repository? {
    do {
      return try context.open()
    } catch let error as EngineError where error.exitStatus == .noRepository {
      return nil
    }
  }

  /// Makes the targets that do not exist yet.
  private func complete(_ home: Repository, _ targets: RepositoryTargets) throws {
    try targets.checkMayBeMade(of: home)
    let others = try targets.make(of: home) { Console.warn($0) }
    if output.json { return try Console.json(json(home, others)) }
    guard !output.quiet else { return }
    Console.output("repository \(home.id.short) is in \(home.location) already")
    show(others)
  }

  private typealias Made = (target: TargetSettings, location: String, isNew: Bool)

  private func json(_ repository: Repository, _ others: [Made]) -> RepositoryJSON {
    RepositoryJSON(
      repository.id, location: repository.location, keyring: repository.keyring.sealed?.revision.digest,
      targets: others.isEmpty ? nil : others.map { ($0.target.name, $0.location, $0.isNew) })
  }

  private func show(_ others: [Made]) {
    for other in others {
      Console.output(
        "\(other.isNew ? "made the target" : "left the target") \(other.target.name) in \(other.location)"
          + (other.isNew ? "; `holdfast sync` brings it up" : ", which is there already"))
    }
  }

  private func showRecipe() throws {
    let context = try location.context(location.machine(output))
    let recipe = try AppendOnlyRecipe(for: context.location, isLocked: context.locksObjects)
    if output.json { return try Console.json(AppendOnlyRecipeJSON(recipe)) }
    recipe.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().forEach {
      Console.output(String($0))
    }
  }

  private func sharedGroup() throws -> UInt32? {
    guard let group else { return nil }
    guard let id = Groups.id(of: group) else {
      throw EngineError(
        .usage, "there is no group \(Path(group)) on this machine",
        hint:
          "Make it with `groupadd --system \(group)`, and add users with `usermod --append --groups \(group) USER`.",
        exitStatus: .usage)
    }
    return id
  }

  private func makeSealing(
    to recipients: [Recipient], by writer: WriterKey, _ context: RepositoryContext
  ) -> Repository.Sealing {
    let isByPassphrase = passphrase
    return Repository.Sealing(writer: writer, writerName: context.machine.environment.hostName) { (id: Identifier) in
      var members: [Keyring.Member] = []
      for recipient in recipients { members.append(Keyring.Member(recipient, name: "recipient-\(members.count + 1)")) }
      if isByPassphrase {
        let name = "passphrase-\(members.count + 1)"
        members.append(try NewRecipients.byPassphrase(name: name, repository: id, context))
      }
      return members
    }
  }

  private func show(_ repository: Repository, key: (path: Path, isNew: Bool)?, _ others: [Made]) throws {
    let digest = repository.keyring.sealed?.revision.digest.description
    if output.json {
      return try Console.json(json(repository, others))
    }
    guard !output.quiet else { return }
    Console.output("made repository \(repository.id.short) in \(repository.location)")
    show(others)
    guard let sealed = repository.keyring.sealed, let digest else {
      return Console.output(
        "it is not sealed: whoever can read that \(repository.scheme.noun) can read the orders in it")
    }
    let names = sealed.keyring.recipients.map { "\($0.name) (\($0.id.short))" }.joined(separator: ", ")
    let byPassphrase = sealed.keyring.recipients.count { $0.passphrase != nil }
    let secret =
      byPassphrase == 0
      ? "the identity" : byPassphrase == sealed.keyring.recipients.count ? "the passphrase" : "identity and passphrase"
    Console.output("it is sealed to \(names); keep \(secret) safe: nothing else can restore")
    if let key {
      Console.output("this machine signs its snapshots with the \(key.isNew ? "new " : "")key in \(key.path)")
    }
    Console.output("write down the digest of its keyring: \(digest)")
  }
}
