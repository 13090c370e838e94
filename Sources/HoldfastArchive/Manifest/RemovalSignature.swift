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

  /// - Returns: `nil` when the note removes nothing.
  init?(_ note: SourceNotes.Note, in notes: SourceNotes) {
    guard let removal = note.removed else { return nil }
    (repository, source) = (notes.repository, notes.source)
    (snapshot, sequence) = (note.snapshot, note.sequence)
    (revision, time, collected) = (removal.revision, removal.time, removal.isCollected)
  }

  func message() throws -> [UInt8] { Array("holdfast-1 removal\n".utf8) + (try ManifestJSON.line(of: self)) }
}

extension SourceNotes {
  /// Signs the removals that have no signature yet.
  package mutating func signRemovals(by key: SigningKey) throws {
    for index in notes.indices where notes[index].removed?.signature == nil {
      guard let claim = RemovalClaim(notes[index], in: self) else { continue }
      notes[index].removed?.signature = try key.sign(claim.message())
    }
  }

  /// The same notes without the removals that do not count.
  ///
  /// A revision by a writer with the right to prune counts as a whole. In any other revision, a removal counts when
  /// such a writer has signed it.
  /// - Parameter keyring: `nil` when the repository is not sealed; then every removal counts.
  /// - Returns: the notes, and the notes whose removal does not count.
  package func removalsThatCount(by keyring: Keyring?) -> (notes: SourceNotes, ignored: [Note]) {
    guard let keyring, let signature, !keyring.mayPrune(signature.key) else { return (self, []) }
    var result = self
    var ignored: [Note] = []
    result.notes = notes.compactMap { note in
      guard let claim = RemovalClaim(note, in: self) else { return note }
      if let signature = note.removed?.signature, keyring.mayHaveRemoved(signature.key),
        let message = try? claim.message(),
        signature.isValid(for: message)
      {
        return note
      }
      ignored.append(note)
      var note = note
      note.removed = nil
      return note.isEmpty ? nil : note
    }
    return (result, ignored)
  }
}
