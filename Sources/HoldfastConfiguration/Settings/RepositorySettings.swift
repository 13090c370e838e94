package import HoldfastModel

/// The configuration of a repository.
package struct RepositorySettings: Hashable, Sendable {
  /// The maximum number of targets of a repository (decision 30: each other one than home has a residue from 1 to 15).
  static let targetsMax = 16

  package let name: String
  /// The target that gives the numbers: the first target, or the only one.
  package let home: TargetSettings
  /// The other targets, in the order of the file.
  package let others: [TargetSettings]
  /// The number of targets that must have a snapshot, or their shards of it, before its backup ends with 0; all by
  /// default.
  package internal(set) var minCopies: Int
  /// The scheme in which archives are divided over the targets; `nil` if every target has them whole.
  package internal(set) var erasure: ErasureScheme?
  /// The longest wait at the end of a run for targets beyond `minCopies`.
  package internal(set) var linger = TimeSpan.seconds(10)
  /// True if a run takes its snapshot at another target where home is away.
  package internal(set) var continuesWithoutHome = false
  /// Files of identities that open it.
  package internal(set) var identities: [Path] = []
  package internal(set) var identityCommand: String?
  package internal(set) var passphraseFile: Path?
  package internal(set) var writerKey: Path?
  /// The digest that a revision of its keyring must have.
  package internal(set) var expectedKeyring: String?

  /// All of its targets, home first.
  package var targets: [TargetSettings] { [home] + others }
  /// The location of home, as it was written.
  package var location: String { home.location }

  init(name: String, home: TargetSettings, others: [TargetSettings]) {
    (self.name, self.home, self.others, minCopies) = (name, home, others, others.count + 1)
  }
}
