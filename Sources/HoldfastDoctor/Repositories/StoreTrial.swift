internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Tries whether a target answers, and what its storage can do.
struct StoreTrial: Trial {
  private let repository: RepositorySettings
  private let target: TargetSettings
  private let writes: Bool
  let opening: Opening? = nil
  let group: TrialGroup

  /// - Parameter writes: true if it may write and remove small objects, without which only reading is tried.
  init(target: TargetSettings, of repository: RepositorySettings, writes: Bool) {
    (self.repository, self.target, self.writes) = (repository, target, writes)
    group = TrialGroup(.repository, of: repository.name)
  }

  var name: String { repository.lineName(of: target) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    let place = try repository.context(on: machine).on(target)
    let store = try place.store()
    guard writes else { return [try look(at: store, machine)] }
    let check = try StoreCheck.run(store, host: machine.host)
    guard check.repository != nil else { return [try absence(in: store)] }
    var warnings = check.weaknesses
    place.rememberTrial(check) { warnings.append($0) }
    let time = Int((check.roundTrip.seconds * 1000).rounded())
    // Who can remove is a fact to know, and none to mend on a machine that prunes.
    let exposure = check.removal.outcome == .removed ? "this host can remove what is stored" : check.exposure
    let found = result(.ok, "\(check.location) answers in \(time) ms; \(exposure)")
    return warnings.isEmpty ? [found] : warnings.map { result(.warning, $0) }
  }

  private func look(at store: any Store, _ machine: MachineContext) throws -> TrialResult {
    if let directory = store.directory, try machine.host.files.statusIfPresent(of: directory) == nil {
      throw EngineError(
        .usage, "there is no directory \(directory)", hint: "Mount its disk, or correct the configuration.")
    }
    _ = try store.list("", .children, after: nil, max: 1)
    guard Repository.id(in: store) != nil else { return try absence(in: store) }
    return result(.ok, "\(store.location) answers; what it can do was not tried (--no-write)")
  }

  /// Returns the result for a place where no repository can be read.
  /// - Throws: the reason why it cannot, if one may be there.
  private func absence(in store: any Store) throws -> TrialResult {
    failure(try MissingRepository(at: target, of: repository, in: store))
  }
}
