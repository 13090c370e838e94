package import HoldfastModel

/// Thrown when a repository was removed or overwritten, in a store that still has the versions from before.
package struct DeletedRepository: OperatorError, Equatable {
  package let location: String

  package var message: String {
    "the repository in \(location) was deleted or written over, but the versions of its objects are still there"
  }

  package var hint: String? {
    "Read the first of each: HOLDFAST_VERSIONS=first holdfast list --repository \(location); see docs/operations.md, \"Everything was deleted\"."
  }

  package var exitStatus: ExitStatus { .noRepository }
  package var scope: ErrorScope { .usage }
}
