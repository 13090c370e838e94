internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository

/// Opens a repository as its commands do: its keyring, and what this machine remembers of it.
struct OpeningTrial: Trial {
  /// Gets the open repository.
  let opens: Opening
  let opening: Opening? = nil
  let name = "repository"
  var group: TrialGroup { TrialGroup(.repository, of: opens.name) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    var warnings: [String] = []
    let repository = try opens.settings.context(on: machine).open(looksAround: true) { warnings.append($0) }
    opens.keep(repository)
    guard warnings.isEmpty else { return warnings.map { result(.warning, $0) } }
    let kind = repository.keyring.isSealed ? "sealed" : "not sealed"
    let sources = Amount.count(UInt64(try repository.catalog.sourceNames().count), "source")
    return [result(.ok, "\(repository.id) is open; it is \(kind) and has \(sources)")]
  }

}
