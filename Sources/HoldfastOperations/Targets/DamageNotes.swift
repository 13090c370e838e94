internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastEngine
internal import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Notes damage that a run has met while it read, so that the status tells of it until it is repaired: damage at home
/// in the notes, damage at other targets in the memory of this machine. It never makes a run fail.
extension RepositoryContext {
  /// Notes what a command that reads has met.
  /// - Parameter repository: the repository that was read.
  /// - Returns: for people, what is noted, and what could not be.
  package func noteDamage(metIn repository: Repository) -> [String] {
    guard let outcomes = repository.outcomes else { return [] }
    let targets = RepositoryTargets(self, isChosen: true)
    return ReadDamage.all(in: outcomes).compactMap { damage in
      targets.note(damage, repository) {
        // The repository was opened for reading, by keys that need not be those of a writer.
        damage.target == configured?.home.name ? try openToWrite(warn: { _ in }) : nil
      }
    }
  }

  /// Remembers damage that a verify has found at a target that it has read alone.
  /// - Returns: for people, the reason why it could not be remembered; `nil` if it was.
  package func rememberDamage(_ report: Verify.Report, at target: String, _ repository: Repository) -> String? {
    let damaged = report.snapshots.filter { !$0.isSound }.map(\.snapshot.sourceName)
    guard !damaged.isEmpty, target != configured?.home.name else { return nil }
    let damage = ReadDamage(target, keys: Dictionary(damaged.map { ($0, []) }) { first, _ in first })
    do {
      try damage.remember(
        in: repository.machine, of: RepositoryTargets(self, isChosen: true).identity(of: self.target(named: target)))
      return nil
    } catch {
      return "this machine cannot remember the damage at \(target): \(describe(error).message)"
    }
  }
}

extension RepositoryTargets {
  /// Notes what a run that adds a snapshot has met.
  /// - Parameter repository: the repository at home or at the target that stands in for it.
  func noteDamage(metIn outcomes: TargetOutcomes?, _ repository: Repository) -> [String] {
    (outcomes.map(ReadDamage.all) ?? []).compactMap { damage in
      note(damage, repository) { damage.target == homeName && repository.isHome ? repository : nil }
    }
  }

  /// - Parameter home: returns the repository at home, opened to write, if the damage is there.
  /// - Returns: for people, what is noted, or why it could not be; `nil` when only a manifest is damaged, which every
  ///   status names.
  fileprivate func note(_ damage: ReadDamage, _ repository: Repository, home: () throws -> Repository?) -> String? {
    do {
      if let home = try home() {
        let damaged = try damage.note(atHome: home)
        guard !damaged.isEmpty else { return nil }
        let count = Amount.count(UInt64(damaged.count), "snapshot")
        return "\(damage.target) has wrong bytes, needed by \(count), which is noted: run `holdfast scrub --repair`"
      }
      guard let target = all.first(where: { $0.name == damage.target }) else {
        return "\(damage.target) has wrong bytes"
      }
      try damage.remember(in: repository.machine, of: identity(of: target))
      return "\(damage.target) has wrong bytes: this machine remembers that; run `holdfast scrub --repair`"
    } catch {
      return "\(damage.target) has wrong bytes, and that could not be noted: \(describe(error).message)"
    }
  }
}
