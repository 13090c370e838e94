internal import HoldfastModel

/// Removals at single targets (format.md, section 12). A target with a retention of its own keeps more or less than
/// home: it is spared by removals that its own retention does not demand, and has others of its own.
extension SourceNotes {
  /// True if a removal holds for some targets and not for others.
  var speaksOfTargets: Bool { notes.contains { $0.removed?.spares != nil || $0.removedAt != nil } }

  /// The names of the targets that a removal spares, or that have a removal of their own.
  package var targetsApart: Set<String> {
    notes.reduce(into: []) { $0.formUnion($1.targetsApart) }
  }

  /// Returns the notes as they hold at a target: there, the removal of each snapshot is `removed`.
  /// - Parameter target: the name of the target; `nil` when it has none.
  package func holding(at target: String?) -> SourceNotes {
    guard let target, speaksOfTargets else { return self }
    var held = self
    held.notes = notes.compactMap { note in
      guard note.targetsApart.contains(target) else { return note }
      var own = note
      own.removed = note.removal(at: target)
      own.removed?.spares = note.removed?.spares.flatMap { Self.targets($0.filter { $0 != target }) }
      own.removedAt?[target] = nil
      if own.removedAt?.isEmpty == true { own.removedAt = nil }
      return own.isEmpty ? nil : own
    }
    return held
  }

  /// Returns notes that hold at each target as these do, and in which `removed` is the removal at another home.
  /// - Parameter names: the names of all targets; what is noted for others is dropped.
  package func based(at home: String, among names: Set<String>) -> SourceNotes {
    var based = self
    for (index, note) in notes.enumerated() where note.targetsApart.contains(home) {
      based.notes[index].removed = note.removal(at: home)?.general
      based.notes[index].removedAt = nil
      for name in names where name != home { based.notes[index].setRemoval(note.removal(at: name)?.general, at: name) }
    }
    based.notes.removeAll(where: \.isEmpty)
    return based
  }

  /// Returns the list for `Removal.spares`.
  package static func targets(_ names: some Collection<String>) -> [String]? { names.isEmpty ? nil : names.sorted() }

  /// True if these can be the names of targets, in ascending order, each once.
  static func areTargets(_ names: [String]) -> Bool {
    names.count <= TargetList.membersMax && names.allSatisfy(Keyring.isName)
      && zip(names, names.dropFirst()).allSatisfy { $0 < $1 }
  }
}

extension SourceNotes.Removal {
  /// The same removal, for any target, and not signed yet.
  fileprivate var general: Self {
    var general = self
    (general.spares, general.signature) = (nil, nil)
    return general
  }
}

extension SourceNotes.Note {
  /// The names of the targets that its removal spares, or that have a removal of their own.
  package var targetsApart: Set<String> { Set(removed?.spares ?? []).union((removedAt ?? [:]).keys) }

  /// Returns the removal that holds at a target; `nil` if the snapshot is not removed there.
  package func removal(at target: String) -> SourceNotes.Removal? {
    if let own = removedAt?[target] { return own }
    return removed.flatMap { $0.spares?.contains(target) == true ? nil : $0 }
  }

  /// Sets the removal that holds at a target, and at no other.
  /// - Parameter removal: `nil` if the snapshot is kept there.
  package mutating func setRemoval(_ removal: SourceNotes.Removal?, at target: String) {
    guard removal != self.removal(at: target) else { return }
    if let general = removed, general.spares?.contains(target) != true {
      spare([target])
    }
    removedAt = removedAt ?? [:]
    removedAt?[target] = removal
    if removedAt?.isEmpty == true { removedAt = nil }
  }

  /// True if it is removed at home, or at a target that still has to collect it.
  package var isOnItsWayOut: Bool { removed != nil || (removedAt ?? [:]).values.contains { !$0.isCollected } }

  /// Undoes its removals at single targets, but for those that are collected.
  package mutating func callBackEverywhere() {
    removedAt = removedAt?.filter { $0.value.isCollected }
    if removedAt?.isEmpty == true { removedAt = nil }
  }

  /// Makes its removal spare these targets too.
  package mutating func spare(_ targets: Set<String>) {
    guard let known = removed, !targets.isSubset(of: known.spares ?? []) else { return }
    removed?.spares = SourceNotes.targets(targets.union(known.spares ?? []))
    // What was signed did not spare them.
    removed?.signature = nil
  }
}
