package import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository

/// Compares the changes of a source from snapshot to snapshot.
struct SourceComparison {
  let catalog: Catalog
  let notes: NotesStore

  init(in repository: Repository) { (catalog, notes) = (repository.catalog, repository.notes) }

  /// Compares a snapshot that is about to be committed with the state before it, and with the earlier changes of its
  /// source.
  /// - Parameters:
  ///   - before: the state to compare with; `nil` for the first snapshot.
  ///   - onDamage: gets the parts of the history that cannot be read; they are left out.
  func comparison(
    of envelope: Envelope, with before: Envelope.State?, _ density: Density.Count, onDamage: (DamageError) -> Void
  ) throws -> Envelope.Comparison {
    var comparison = Envelope.Comparison(
      entries: before?.entries ?? 0, bytes: before?.bytes ?? 0, samples: density.samples, denseSamples: density.dense)
    var compared = envelope
    compared.comparison = comparison
    guard let figures = ChangeFigures(compared), AnomalyCheck.isWorthwhile(figures) else { return comparison }
    let history = try history(of: envelope.source.name, like: envelope.kind, onDamage: onDamage)
    comparison.anomalies = AnomalyCheck(history: history).anomalies(in: figures)
    return comparison
  }

  private static let lookBackMax = 4 * AnomalyCheck.historyMax

  /// Returns the changes of the newest snapshots of one kind, without snapshots whose anomalies nobody has accepted.
  private func history(
    of name: SourceName, like kind: SnapshotKind, onDamage: (DamageError) -> Void
  ) throws -> [ChangeFigures] {
    let notes = try notes.read(name)
    notes.damage.forEach(onDamage)
    var found: [ChangeFigures] = []
    for sequence in try catalog.sequences(of: name).suffix(Self.lookBackMax).reversed()
    where found.count < AnomalyCheck.historyMax {
      do {
        guard let snapshot = try catalog.snapshotIfCommitted(name, sequence), snapshot.envelope.kind == kind,
          !snapshot.isSuspicious(notes.notes), let figures = ChangeFigures(snapshot.envelope)
        else { continue }
        found.append(figures)
      } catch let damage as DamageError {
        onDamage(damage)
      }
    }
    return found
  }
}

extension Snapshot {
  /// Returns true if the snapshot has anomalies that nobody has accepted.
  package func isSuspicious(_ notes: SourceNotes) -> Bool {
    !(envelope.comparison?.anomalies.isEmpty ?? true) && notes[self].accepted == nil
  }
}

extension ChangeFigures {
  /// Takes the figures from an envelope; `nil` if it contains no comparison.
  init?(_ envelope: Envelope) {
    guard let before = envelope.comparison else { return nil }
    let (now, changes) = (envelope.state, envelope.changes)
    let fewer = before.entries > now.entries ? before.entries - now.entries : 0
    self.init(
      kind: envelope.kind, entriesBefore: before.entries, bytesBefore: before.bytes, entries: now.entries,
      bytes: now.bytes, removed: envelope.kind == .full ? fewer : changes.removed, capturedBytes: changes.pageBytes,
      storedBytes: envelope.archives.storedBytes, samples: before.samples,
      denseSamples: before.denseSamples)
  }
}
