internal import ArgumentParser
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Try what the storage of a repository can do.",
    discussion: """
      Writes small objects below probe/, two at once under one name, reads and lists them, and removes them where \
      this host may. Says what is kept of the promises that a repository needs, and warns of what is weaker. It needs \
      no repository there, and says whether there is one; `init` does the same before it makes one. For the snapshots themselves see `verify`.

      \(HelpEnd.text("holdfast check -r s3:https://s3.example.org/shop-backup", "holdfast check -r sftp:backup@nas/volume/shop --json"))
      """)

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let context = try location.context(machine)
    let check = try StoreCheck.run(context.store(), host: machine.host)
    context.rememberTrial(check) { Console.warn($0) }
    if location.expectKeyring != nil { _ = try context.open() }
    if output.json {
      try Console.json(StoreCheckJSON(check), machine)
    } else if !output.quiet {
      StoreCheckText.lines(check).forEach(Console.output)
      Console.transfer(machine)
    }
    check.weaknesses.forEach { Console.warn($0) }
  }
}
