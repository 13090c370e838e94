package import HoldfastCodec
internal import HoldfastModel

/// What a writer signs when it removes a snapshot (format.md, section 12). A revision of notes says everything anew, and whoever writes it may be a
/// machine without the right to prune: each removal carries the signature of the writer that made it.
private struct RemovalClaim: Encodable {
  let repository: Identifier
  let source: SourceName
  let snapshot: Identifier
  let sequence: UInt64
  let revision: UInt64
  let time: String
  let collected: Bool

  /// - Returns: `nil` where the note removes nothing.
  init?(_ note: SourceNotes.Note, in notes: SourceNotes) {
    guard let removal = note.removed else { return nil }
    (repository, source) = (notes.repository, notes.source)
    (snapshot, sequence) = (note.snapshot, note.sequence)
    (revision, time, collected) = (removal.revision, removal.time, removal.isCollected)
  }

  func message() throws -> [UInt8] { Array("holdfast-1 removal\n".utf8) + (try ManifestJSON.line(of: self)) }
}

extension SourceNotes {
  /// Signs the removals that nobody has signed.
  package mutating func signRemovals(by key: SigningKey) throws {
    for index in notes.indices where notes[index].removed?.signature == nil {
      guard let claim = RemovalClaim(notes[index], in: self) else { continue }
      notes[index].removed?.signature = try key.sign(claim.message())
    }
  }

  /// The same notes, without the removals that do not count.
  ///
  /// A revision that was written by a writer with the right to prune counts as a whole. In another one a removal counts that such a writer has signed.
  /// - Parameter keyring: `nil` where the repository is not sealed: then every removal counts.
  /// - Returns: the notes, and those of which a removal was passed over.
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
