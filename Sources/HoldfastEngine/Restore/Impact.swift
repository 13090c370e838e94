package import HoldfastArchive
package import HoldfastModel
internal import HoldfastSystem

extension Restore {
  /// The existing content of a target that a restore keeps.
  package enum Keep: Sendable, Equatable {
    /// Nothing but what the snapshot has: everything else is removed.
    case nothing
    /// Also what the snapshot does not have, except companions of restored SQLite databases, which belong to another
    /// state.
    case others
    /// Everything: only missing files are restored.
    case everything
  }

  /// The effect of a restore on the contents of one existing directory, counted in entries.
  package struct TargetFigures: Sendable, Equatable {
    package let target: Path
    /// The number of entries that the snapshot has under the same name and with the same type.
    package var shared: UInt64 = 0
    /// The number of files among them with another size or time.
    package var changed: UInt64 = 0
    /// The number of entries that would be removed, with the contents of removed directories.
    package var removed: UInt64 = 0
    /// The bytes of the files among them.
    package var removedBytes: UInt64 = 0
    /// The number of removed entries that are companions of restored SQLite databases.
    package var companions: UInt64 = 0
    /// True if an earlier restore into it was interrupted: then it is the right directory, and some of its files may be
    /// staged.
    package var isUnfinished = false

    package init(target: Path) { self.target = target }

    /// True if more would be removed than kept. Companions of a restored database do not suggest a wrong directory.
    package var isMostlyRemoved: Bool { !isUnfinished && removed - min(companions, removed) > shared }

    mutating func remove(_ status: FileStatus) {
      removed += 1
      guard status.kind == .file else { return }
      let (sum, isTooMuch) = removedBytes.addingReportingOverflow(status.size)
      removedBytes = isTooMuch ? .max : sum
    }
  }

  /// The effect of a restore on existing content, before it does anything.
  package struct Impact: Sendable {
    package let snapshot: Snapshot
    /// The location of the repository.
    package let location: String
    /// The target, and each tablespace directory, if they exist and are restored over.
    package let parts: [TargetFigures]

    /// True if anything existing would be changed or removed, as far as sizes and times tell.
    package var isAny: Bool { parts.contains { $0.changed > 0 || $0.removed > 0 } }

    /// The reason for which the restore is refused without a confirmation: most of the contents of a directory would be
    /// removed, so that it is probably the wrong one. `nil` if it is not refused.
    package var refusal: EngineError? {
      guard let part = parts.first(where: \.isMostlyRemoved) else { return nil }
      let goes = "\(Amount.count(part.removed, "entry", "entries")) (\(Amount.bytes(part.removedBytes)))"
      let name = snapshot.envelope.source.name
      return EngineError(
        .usage,
        part.shared == 0
          ? "\(part.target) has nothing in common with snapshot \(snapshot.id.short) of \(name): all that is in it would be removed, \(goes)"
          : "most of what is in \(part.target) would be removed: snapshot \(snapshot.id.short) of \(name) has \(part.shared) of its entries, and \(goes) would go",
        hint:
          "See them with --dry-run. If it is the right directory, say --yes; --no-remove removes nothing, --missing-only brings back only what is gone."
      )
    }

    /// - Throws: the error of `refusal`.
    package func check() throws { if let refusal { throw refusal } }
  }
}
