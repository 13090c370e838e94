internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

struct KeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key", abstract: "Make keys, and manage the recipients and writers of a repository.",
    discussion: HelpEnd.text("holdfast key generate recovery.key", "holdfast key list"),
    subcommands: [
      KeyGenerate.self, KeyList.self, KeyAdd.self, KeyRemove.self, KeyRotate.self, KeyPermit.self, KeyForget.self,
    ])
}

struct KeyGenerate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make a new key file, and print its public key.",
    discussion: """
      Without --writer, this makes an identity, which opens repositories and signs their keyrings. Make it and keep it \
      on a machine other than the one that takes backups. With --writer, it makes the key with which a machine signs \
      its snapshots.

      \(HelpEnd.text("holdfast key generate recovery.key", "holdfast key generate --writer /etc/holdfast/writer.key"))
      """)

  @Argument(help: "The key file, which must not exist.", completion: .file())
  var file: String

  @Flag(help: "Make a writer key instead of an identity.")
  var writer = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = MachineContext.ofThisProcess()
    let path = try machine.environment.absolute(file)
    let created = TimeText.utc(machine.host.clock.now())
    let publicKey: String
    if writer {
      let key = try WriterKey()
      try machine.keyFiles.write(key.fileText(created: created), to: path)
      publicKey = key.signing.publicKey.writerText
    } else {
      let identity = try RecoveryIdentity()
      try machine.keyFiles.write(identity.fileText(created: created), to: path)
      publicKey = identity.recipient.text
    }
    if output.json {
      try Console.json(NewKeyJSON(file: path, publicKey: publicKey))
    } else {
      Console.output(publicKey)
      if !writer, !output.quiet {
        Console.error("holdfast: keep \(path) away from the machines that take backups, and keep a second copy of it")
      }
    }
  }
}

struct KeyList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the recipients and writers of a repository.",
    discussion: HelpEnd.text("holdfast key list", "holdfast key list -r /backup/shop --json"))

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let repository = try location.context(location.machine(output)).open()
    let change = try KeyringChange(repository)
    let digest = repository.keyring.sealed?.revision.digest.description ?? ""
    if output.json { return try Console.json(KeyringJSON(change.keyring, digest: digest)) }
    Console.output("keyring of \(repository.id), revision \(change.keyring.revision), digest \(digest)")
    var table = Table()
    for member in change.keyring.recipients {
      let detail = member.passphrase == nil ? "" : "by passphrase"
      table.add(["recipient", member.id.short, Path(member.name).description, detail, member.recipient.text])
    }
    for writer in change.keyring.writers {
      let right = writer.mayPrune ? "may prune" : ""
      let detail = writer.revoked == nil ? right : "revoked; \(Self.counted(writer))"
      table.add(["writer", writer.key.short, Path(writer.name).description, detail, writer.key.writerText])
    }
    // Whole keys are shown, because the first digits can be forged.
    table.lines.forEach { Console.output("  " + $0) }
  }

  /// Returns the number of snapshots of a revoked writer that still count, in words.
  static func counted(_ writer: Keyring.Writer) -> String {
    Amount.count(UInt64(writer.revoked?.accepted.count ?? 0), "snapshot of it counts", "snapshots of it count")
  }
}

struct KeyForget: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Forget what this machine remembers of a repository.",
    discussion: """
      The next command then trusts the repository that it finds. Compare `holdfast key list` with what you have \
      written down.

      \(HelpEnd.text("holdfast key forget -r /backup/shop", "holdfast key forget -r s3:https://s3.example.org/shop-backup"))
      """)

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let context = try location.context(location.machine(output))
    let (machine, store) = (context.machine, try context.store())
    let location = store.location
    let directory = try machine.environment.stateDirectory()
    let isForgotten = try machine.memory().forget(
      store.places, Repository.id(in: store), files: machine.host.files)
    if output.json { return try Console.json(ForgottenJSON(location: location, forgotten: isForgotten)) }
    if !output.quiet {
      // Cron and a login often have different values of HOME, and so different memories.
      let place = directory.map { "in \($0)" } ?? "for lack of a directory"
      Console.output(isForgotten ? "forgot \(location)" : "nothing was remembered of \(location) \(place)")
    }
  }
}
