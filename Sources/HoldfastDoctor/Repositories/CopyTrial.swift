internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore

/// Compares the repository at another target with that at home: it must be the same one.
struct CopyTrial: Trial {
  let target: TargetSettings
  let opening: Opening?

  var group: TrialGroup { TrialGroup(.repository, of: opening?.name) }
  var name: String { "copy at \(target.name)" }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening else { return [] }
    let store = try opening.settings.context(on: machine).on(target).store()
    let home = try opening.use().id
    guard let id = Repository.id(in: store) else {
      return [result(.notTried, "there is no repository that can be compared")]
    }
    guard id == home else {
      return [
        result(
          .failed, "in \(store.location) is another repository, \(id)",
          hint: "Correct the location of the target, or empty that place and run `holdfast target add \(target.name)`.")
      ]
    }
    return [result(.ok, "it is the same repository")]
  }
}
