package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// The choice of a snapshot by an operator: by a name, for one source, or at or before a time.
package struct SnapshotSelector: Sendable {
  /// `latest`, an ID, or a unique beginning of one.
  package enum Name: Hashable, Sendable, CustomStringConvertible {
    case latest
    case id(String)

    package init(_ text: String) { self = text == "latest" ? .latest : .id(text) }

    package var description: String {
      switch self {
      case .latest: "latest"
      case .id(let text): text
      }
    }
  }

  package var name: Name
  package var source: SourceName?
  /// Chooses the newest snapshot that was begun at or before this, the last instant that the operator's text can mean.
  package var at: Timestamp?

  package init(_ name: Name, source: SourceName? = nil, at: Timestamp? = nil) {
    self.name = name
    self.source = source
    self.at = at
  }

  /// - Parameter onDamage: gets the envelopes that cannot be read; such a snapshot cannot be chosen.
  package func choose(in catalog: Catalog, onDamage: (DamageError) -> Void) throws -> Snapshot {
    try chooseAmongAll(in: catalog, onDamage: onDamage).chosen
  }

  /// Chooses like `choose`, and returns all snapshots that were read for it.
  package func chooseAmongAll(
    in catalog: Catalog, onDamage: (DamageError) -> Void
  ) throws -> (chosen: Snapshot, all: [Snapshot]) {
    var damaged: [DamageError] = []
    let source = try source.map { try catalog.names.source($0) }
    // A removed snapshot, and a diverged one, is found only by its ID.
    let isNamed = name != .latest && at == nil
    let all = try catalog.allSnapshots(of: source, includingRemoved: isNamed, includingDiverged: isNamed) {
      damaged.append($0)
      onDamage($0)
    }
    if name == .latest, at == nil {
      // This is reported, and never prevents a restore: anybody who can write to the store can put it into the journal.
      let told = try source.map { try [catalog.newerThanPresent(of: $0)].compactMap { $0 } }
      for newer in try told ?? catalog.newerThanPresent()
      where !damaged.contains(where: { $0.object == newer.object }) { onDamage(newer) }
    }
    var candidates = all
    guard !candidates.isEmpty else {
      if let damage = damaged.last { throw damage }
      throw EngineError(
        .usage, "there is no snapshot in \(catalog.store.location)",
        hint: "Run `holdfast backup SOURCE` to take the first.")
    }
    if let at {
      candidates = candidates.filter { $0.envelope.started <= at }
      guard !candidates.isEmpty else {
        throw EngineError(
          .usage, "no snapshot is as old as \(TimeText.local(at))", hint: "Run `holdfast list` to see which there are.")
      }
    }
    switch name {
    case .latest: return (try latest(candidates, damaged: damaged), all)
    case .id(let text): return (try match(text, candidates), all)
    }
  }

  /// The next newer snapshot of the same source; `nil` for the newest.
  package static func newer(than chosen: Snapshot, among all: [Snapshot]) -> Snapshot? {
    all.filter { !$0.isDiverged && $0.sourceName == chosen.sourceName && $0.sequence > chosen.sequence }
      .min(by: Snapshot.isOlder)
  }

  private func latest(_ candidates: [Snapshot], damaged: [DamageError]) throws -> Snapshot {
    let sources = Set(candidates.map(\.sourceName)).sorted()
    guard sources.count == 1 else {
      throw EngineError(
        .usage,
        "\"\(name)\" is ambiguous: the repository holds the sources " + sources.map(\.text).joined(separator: ", "),
        hint: "Say which one with --name NAME, or name a snapshot by its ID.", exitStatus: .usage)
    }
    guard let newest = candidates.max(by: Snapshot.isOlder) else { preconditionFailure("not empty") }
    // An older snapshot must not be taken for the newest without a warning.
    let newestKey = Keys.manifest(newest.sourceName, newest.sequence)
    if at == nil,
      let behind = damaged.last(where: { $0.object >= newestKey && $0.object.hasPrefix(Keys.source(newest.sourceName)) }
      )
    {
      throw EngineError(
        .repository, "the latest snapshot cannot be read: \(behind.message)",
        hint:
          "The newest that can be read is \(newest.id.short), of \(TimeText.local(newest.envelope.started)): name it by its ID.",
        exitStatus: .dataLoss)
    }
    return newest
  }

  private func match(_ text: String, _ candidates: [Snapshot]) throws -> Snapshot {
    let matches = candidates.filter { $0.id.description.hasPrefix(text.lowercased()) && !text.isEmpty }
    if matches.count == 1 { return matches[0] }
    if matches.isEmpty {
      throw EngineError(
        .usage, "there is no snapshot \"\(text.isEmpty ? "" : Path(text).description)\"",
        hint: "Run `holdfast list` to see which there are.")
    }
    let shown = matches.prefix(10).map {
      "\n  \($0.id)  \($0.sourceName)/\($0.sequence)  \(TimeText.local($0.envelope.started))"
    }
    throw EngineError(
      .usage, "\"\(text)\" fits \(matches.count) snapshots:" + shown.joined() + (matches.count > 10 ? "\n  …" : ""),
      hint: "Type more digits of the ID.", exitStatus: .usage)
  }
}
