package import HoldfastArchive
package import HoldfastModel
internal import HoldfastSystem

extension Restore {
  /// What stays of a target that is restored over.
  package enum Keep: Sendable, Equatable {
    /// What the snapshot has: everything else goes.
    case nothing
    /// What the snapshot does not have. What SQLite keeps beside a database that is restored goes: it is of another state of it.
    case others
    /// All that is there: only what is missing is brought back.
    case everything
  }

  /// What a restore over existing content would do to one directory, in entries, without that directory.
  package struct TargetFigures: Sendable, Equatable {
    package let target: Path
    /// What the snapshot has as well, under the same name and as the same kind of thing.
    package var shared: UInt64 = 0
    /// Files among them that have another size or another time there.
    package var changed: UInt64 = 0
    /// What would go, with everything that lies in directories which go.
    package var removed: UInt64 = 0
    /// Of the files among them.
    package var removedBytes: UInt64 = 0
    /// Of what would go: what SQLite keeps beside databases that are restored.
    package var companions: UInt64 = 0
    /// Whether an earlier restore into it did not end: files of it may wait elsewhere, and it was the right directory then.
    package var isUnfinished = false

    package init(target: Path) { self.target = target }

    /// Whether more would go than stay. What belongs to a database that is restored speaks for no other directory.
    package var isMostlyRemoved: Bool { !isUnfinished && removed - min(companions, removed) > shared }

    mutating func remove(_ status: FileStatus) {
      removed += 1
      guard status.kind == .file else { return }
      let (sum, isTooMuch) = removedBytes.addingReportingOverflow(status.size)
      removedBytes = isTooMuch ? .max : sum
    }
  }

  /// What a restore would do to what is there, before it does anything.
  package struct Impact: Sendable {
    package let snapshot: Snapshot
    /// Where the repository is.
    package let location: String
    /// The target, and each place of a tablespace: those that exist and are restored over.
    package let parts: [TargetFigures]

    /// Whether anything that is there would be changed or removed, as far as sizes and times tell.
    package var isAny: Bool { parts.contains { $0.changed > 0 || $0.removed > 0 } }

    /// - Throws: `EngineError` where most of what is in a directory would go: it is probably another one than was meant.
    package func check() throws {
      guard let part = parts.first(where: \.isMostlyRemoved) else { return }
      let goes = "\(Amount.count(part.removed, "entry", "entries")) (\(Amount.bytes(part.removedBytes)))"
      let name = snapshot.envelope.source.name
      throw EngineError(
        part.shared == 0
          ? "\(part.target) has nothing in common with snapshot \(snapshot.id.short) of \(name): all that is in it would be removed, \(goes)"
          : "most of what is in \(part.target) would be removed: snapshot \(snapshot.id.short) of \(name) has \(part.shared) of its entries, and \(goes) would go",
        hint:
          "See them with --dry-run. If it is the right directory, say --yes; --no-remove removes nothing, --missing-only brings back only what is gone."
      )
    }
  }
}
