internal import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastModel
internal import HoldfastRepository
package import HoldfastStore

/// The error for a configured target at which no repository can be read.
package struct MissingRepository: OperatorError {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package let scope = ErrorScope.repository

  /// - Throws: the reason why it cannot be told if there is one.
  package init(at target: TargetSettings, of repository: RepositorySettings, in store: any Store) throws {
    do {
      _ = try store.object(Keys.descriptor)
    } catch StoreError.notFound {
      let command =
        target == repository.home
        ? "holdfast init -r \(repository.name)" : "holdfast target add \(target.name) -r \(repository.name)"
      message = "there is no repository in \(store.location)"
      hint = "Mount its disk if it should be there; if it is new, run `\(command)`."
      exitStatus = .objectiveMissed
      return
    }
    message = "\(Keys.descriptor) in \(store.location) is damaged"
    hint = "Copy it from another target, or from a copy of the repository: it never changes."
    exitStatus = .dataLoss
  }
}
