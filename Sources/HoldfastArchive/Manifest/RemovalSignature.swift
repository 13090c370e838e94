package import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// The data that a writer signs when it removes a snapshot (format.md, section 12). Every revision of notes repeats all
/// notes, and its writer may lack the right to prune. So each removal has the signature of the writer that made it.
private struct RemovalClaim: Encodable {
  let repository: Identifier
  let source: SourceName
  let snapshot: Identifier
  let sequence: UInt64
  let revision: UInt64
  let time: RecordedTime
  let collected: Bool
  /// Left out if it is `nil`, as are `spares` and `target`.
  let graceSeconds: UInt64?
  let spares: [String]?
  /// The target at which it is removed; `nil` for home and all targets that are not spared.
  let target: String?

  init(_ removal: SourceNotes.Removal, at target: String?, of note: SourceNotes.Note, in notes: SourceNotes) {
    (repository, source) = (notes.repository, notes.source)
    (snapshot, sequence) = (note.snapshot, note.sequence)
    (revision, time, collected) = (removal.revision, removal.time, removal.isCollected)
    (graceSeconds, spares, self.target) = (removal.graceSeconds, removal.spares, target)
  }

  func message() throws -> [UInt8] { Array("holdfast-1 removal\n".utf8) + (try ManifestJSON.line(of: self)) }
}

extension SourceNotes {
  /// Signs the removals that have no signature yet.
  package mutating func signRemovals(by key: SigningKey) throws {
    let unsigned = self
    for (index, note) in unsigned.notes.enumerated() {
      try notes[index].mapRemovals { removal, target in
        guard removal.signature == nil else { return removal }
        var signed = removal
        signed.signature = try key.sign(RemovalClaim(removal, at: target, of: note, in: unsigned).message())
        return signed
      }
    }
  }

  /// The same notes without the removals that do not count.
  ///
  /// A revision by a writer with the right to prune counts as a whole. In any other revision, a removal counts when
  /// such a writer has signed it.
  /// - Parameter keyring: `nil` when the repository is not sealed; then every removal counts.
  /// - Returns: the notes, and the notes of which a removal does not count.
  package func removalsThatCount(by keyring: Keyring?) -> (notes: SourceNotes, ignored: [Note]) {
    guard let keyring, let signature, !keyring.mayPrune(signature.key) else { return (self, []) }
    var result = self
    var ignored: [Note] = []
    result.notes = notes.compactMap { note in
      var counted = note
      counted.mapRemovals { removal, target in
        guard let signature = removal.signature, keyring.mayHaveRemoved(signature.key),
          let message = try? RemovalClaim(removal, at: target, of: note, in: self).message(),
          signature.isValid(for: message)
        else { return nil }
        return removal
      }
      if counted != note { ignored.append(note) }
      return counted.isEmpty ? nil : counted
    }
    return (result, ignored)
  }
}

extension SourceNotes.Note {
  /// Replaces each removal by what `change` returns for it and for its target, which is `nil` for `removed`.
  fileprivate mutating func mapRemovals(
    _ change: (SourceNotes.Removal, _ target: String?) throws -> SourceNotes.Removal?
  ) rethrows {
    removed = try removed.flatMap { try change($0, nil) }
    for (target, removal) in removedAt ?? [:] { removedAt?[target] = try change(removal, target) }
    if removedAt?.isEmpty == true { removedAt = nil }
  }
}
