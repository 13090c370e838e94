package import HoldfastArchive
package import HoldfastModel

/// The snapshots of a repository, as `list --json` shows them.
package struct ListJSON: Encodable {
  let location: String
  let snapshots: [SnapshotJSON]
  let damage: [String]

  package init(_ snapshots: [SnapshotJSON], damage: [DamageError], location: String) {
    (self.location, self.snapshots, self.damage) = (location, snapshots, damage.map(\.message))
  }
}

/// The results for all configured repositories, as `list`, `status` and `verify` show them with `--json` when several
/// are configured and none is named.
package struct RepositoriesJSON<Value: Encodable>: Encodable {
  package struct Repository: Encodable {
    /// Its name in the configuration.
    let name: String
    let location: String
    let exitStatus: Int32
    /// The document of the command for it alone; `null` if it failed.
    let result: Known<Value>
    let error: Known<ErrorJSON.Failure>

    package init(
      _ name: String, location: String, status: ExitStatus, _ result: Result<Value, any Error>
    ) {
      (self.name, self.location, exitStatus) = (name, location, status.rawValue)
      switch result {
      case .success(let value): (self.result, error) = (Known(value), Known(nil))
      case .failure(let failure): (self.result, error) = (Known(nil), Known(ErrorJSON.Failure(describe(failure))))
      }
    }
  }

  let repositories: [Repository]

  package init(_ repositories: [Repository]) { self.repositories = repositories }
}
