internal import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

extension RepositoryTargets {
  /// Makes a store a target, forgets what is remembered of an earlier one, and remembers what was found about removals.
  /// - Returns: `false` if it was one already.
  func make(
    _ target: TargetSettings, in store: any Store, of repository: Repository, warn: (String) -> Void
  ) throws -> Bool {
    var trial: RemovalTrial?
    let now = repository.host.clock.now()
    let isNew = try TargetSync.make(
      store, of: repository, onProbe: { trial = RemovalTrial($0.capabilities, at: now) }, warn: warn)
    if isNew { try repository.machine.forgetScrubs(at: target.name) }
    // A machine that remembers nothing can still make a target.
    if let trial { try? repository.machine.remember(trial, at: target.name, in: target.location) }
    return isNew
  }
}

extension RepositoryContext {
  /// Remembers what a check of the place that the context means has found about removals. Nothing is remembered of a
  /// place that is no target of a configured repository, or where there is no repository yet.
  /// - Parameter warn: is told when this machine cannot remember it.
  package func rememberTrial(_ check: StoreCheck, warn: (String) -> Void) {
    if let repository = check.repository { rememberTrial(check.removal, of: repository, warn: warn) }
  }

  /// - Parameter repository: the ID of the repository that is there.
  package func rememberTrial(_ trial: RemovalTrial, of repository: Identifier, warn: (String) -> Void) {
    guard let target else { return }
    do {
      let records = try machine.memory().records(of: repository, files: machine.host.files)
      try records.remember(trial, at: target.name, in: target.location)
    } catch {
      warn(
        "this machine cannot remember the trial to remove something at \(target.name): \(describe(error).message); set HOLDFAST_STATE_DIR"
      )
    }
  }
}
