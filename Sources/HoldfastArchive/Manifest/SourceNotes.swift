package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// One revision of the notes on a source (format.md, section 12), which were made on its snapshots after they were
/// taken. Each revision contains all notes.
package struct SourceNotes: Hashable, Sendable, Codable {
  /// The reason that an operator gave, and the time.
  package struct DatedReason: Hashable, Sendable, Codable {
    package var reason: String
    package var time: RecordedTime

    package init(reason: String, time: RecordedTime) {
      self.reason = reason
      self.time = time
    }
  }

  /// The best verification of a full.
  package struct Verification: Hashable, Sendable, Codable {
    /// The share of its stored bytes that was read, in percent; 0 when no data was read.
    package var share: Int
    package var time: RecordedTime

    package init(share: Int, time: RecordedTime) {
      self.share = share
      self.time = time
    }
  }

  /// Says that the snapshot is removed.
  package struct Removal: Hashable, Sendable, Codable {
    /// True if it is collected: its objects are being deleted, or are gone.
    package var isCollected: Bool
    /// The revision of the notes in which it was removed.
    package var revision: UInt64
    /// The time at which it was removed; the time at which it was collected, if it is collected.
    package var time: RecordedTime
    /// The seconds for which it can be undone, as was promised when a source was removed as a whole: no prune collects
    /// it earlier. `nil` if the rules of who prunes decide.
    package var graceSeconds: UInt64?
    /// The names of the targets for which it does not hold, in ascending order; `nil` if it holds for all.
    package var spares: [String]?
    /// The signature of the writer that removed it, when the repository is sealed. The writer of a later revision,
    /// which repeats the note, need not have the right to prune.
    package var signature: Signature?

    package init(revision: UInt64, time: RecordedTime, isCollected: Bool = false) {
      self.revision = revision
      self.time = time
      self.isCollected = isCollected
    }

    /// The same removal, collected at a time, and not signed yet.
    package func collected(at time: RecordedTime) -> Removal {
      var collected = Removal(revision: revision, time: time, isCollected: true)
      collected.spares = spares
      return collected
    }

    private enum CodingKeys: String, CodingKey {
      case isCollected = "collected"
      case revision, time, graceSeconds, spares, signature
    }
  }

  /// The notes on one snapshot.
  package struct Note: Hashable, Sendable, Codable {
    package var snapshot: Identifier
    package var sequence: UInt64
    package var tags: [Tag] = []
    package var pinned: DatedReason?
    /// Set when an operator has accepted its anomalies.
    package var accepted: DatedReason?
    package var proved: Verification?
    /// The time at which a verify found it damaged; `nil` again after a verify read all of it and found it sound.
    package var damaged: RecordedTime?
    /// Its removal at home, and at every target that the removal does not spare and that is not in `removedAt`.
    package var removed: Removal?
    /// Its removals at targets with a retention of their own, by the names of the targets; `nil` if there are none.
    package internal(set) var removedAt: [String: Removal]?

    package init(snapshot: Identifier, sequence: UInt64) {
      self.snapshot = snapshot
      self.sequence = sequence
    }

    /// True if the note contains nothing.
    package var isEmpty: Bool {
      tags.isEmpty && pinned == nil && accepted == nil && proved == nil && damaged == nil && removed == nil
        && removedAt == nil
    }

    /// True if the note proves that the snapshot was committed and is not collected. Tags alone do not prove that: a
    /// killed run may have left them.
    package var speaksOfACommit: Bool {
      removed?.isCollected != true
        && (pinned != nil || accepted != nil || proved != nil || damaged != nil || removed != nil || removedAt != nil)
    }

    /// Optional fields are written as `null` and never left out, but for `removedAt`.
    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(snapshot, forKey: .snapshot)
      try container.encode(sequence, forKey: .sequence)
      try container.encode(tags, forKey: .tags)
      try container.encode(pinned, forKey: .pinned)
      try container.encode(accepted, forKey: .accepted)
      try container.encode(proved, forKey: .proved)
      try container.encode(damaged, forKey: .damaged)
      try container.encode(removed, forKey: .removed)
      try container.encodeIfPresent(removedAt, forKey: .removedAt)
    }
  }

  package var format = Envelope.formatVersion
  package var features: [String]
  package var repository: Identifier
  package var source: SourceName
  package var revision: UInt64
  package var time: RecordedTime
  /// The highest number that a snapshot of the source has had. No number is used twice.
  package var highest: UInt64
  /// In ascending order of sequence, each number once.
  package var notes: [Note]
  /// The hosts that have served the source, the newest last; `nil` if none was ever announced.
  package internal(set) var eras: [Era]?
  package var program: String
  package var signature: Signature?

  /// Makes the notes on a source that has none yet.
  package init(repository: Identifier, source: SourceName, isSealed: Bool) {
    self.features = isSealed ? [Feature.sealed] : []
    self.repository = repository
    self.source = source
    self.revision = 0
    self.time = RecordedTime(Timestamp(seconds: 0, nanoseconds: 0))
    self.highest = 0
    self.notes = []
    self.program = Program.nameAndVersion
  }
}

// MARK: - One by one

extension SourceNotes {
  /// The note on a snapshot; an empty note when there is none.
  package subscript(snapshot: Snapshot) -> Note { self[snapshot.id, snapshot.sequence] }

  package subscript(id: Identifier, sequence: UInt64) -> Note {
    get {
      let index = index(of: sequence)
      guard index < notes.count, notes[index].sequence == sequence, notes[index].snapshot == id else {
        return Note(snapshot: id, sequence: sequence)
      }
      return notes[index]
    }
    set {
      let index = index(of: sequence)
      let isThere = index < notes.count && notes[index].sequence == sequence
      if newValue.isEmpty {
        if isThere, notes[index].snapshot == id { notes.remove(at: index) }
      } else if isThere {
        // A note on another snapshot, whose run was killed before it could use its number.
        notes[index] = newValue
      } else {
        notes.insert(newValue, at: index)
      }
    }
  }

  /// The removal of the source as a whole, as far as notes tell of it: that of the snapshot with the highest number,
  /// which no policy removes. `nil` if that is not removed.
  package var removalOfHighest: Removal? { note(on: highest)?.removed }

  /// True if the snapshot with this number is collected: it is no loss if it is not there.
  package func isCollected(_ sequence: UInt64) -> Bool { note(on: sequence)?.removed?.isCollected ?? false }

  private func note(on sequence: UInt64) -> Note? {
    let index = index(of: sequence)
    return index < notes.count && notes[index].sequence == sequence ? notes[index] : nil
  }

  /// Returns the index of the note on this number, or the index at which it would be inserted.
  private func index(of sequence: UInt64) -> Int {
    var range = 0..<notes.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range =
        notes[middle].sequence < sequence ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }
}

// MARK: - Bytes

extension SourceNotes {
  /// Optional fields are written as `null` and never left out, but for `eras`.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(format, forKey: .format)
    try container.encode(features, forKey: .features)
    try container.encode(repository, forKey: .repository)
    try container.encode(source, forKey: .source)
    try container.encode(revision, forKey: .revision)
    try container.encode(time, forKey: .time)
    try container.encode(highest, forKey: .highest)
    try container.encode(notes, forKey: .notes)
    try container.encodeIfPresent(eras, forKey: .eras)
    try container.encode(program, forKey: .program)
    try container.encode(signature, forKey: .signature)
  }

  /// The bytes of the notes' object.
  /// - Parameter key: the key of the writer, when the repository is sealed.
  package func serialized(signedBy key: SigningKey? = nil) throws -> [UInt8] {
    var unsigned = self
    unsigned.signature = nil
    unsigned.features.removeAll { $0 == Feature.removalsByTarget || $0 == Feature.eras }
    if speaksOfTargets { unsigned.features.append(Feature.removalsByTarget) }
    if eras != nil { unsigned.features.append(Feature.eras) }
    return try ManifestJSON.encode(key.map { try unsigned.signed(by: $0) } ?? unsigned)
  }

  fileprivate func check(_ name: String) throws {
    guard (1...Limits.sequenceMax).contains(revision), highest <= Limits.sequenceMax, time.isSound,
      notes.count <= Limits.chainLengthMax
    else {
      throw DamageError(name, "its revision, its time or the number of its notes is not sound")
    }
    guard zip(notes, notes.dropFirst()).allSatisfy({ $0.sequence < $1.sequence }), (notes.first?.sequence ?? 1) >= 1,
      (notes.last?.sequence ?? 1) <= Limits.sequenceMax
    else { throw DamageError(name, "its notes are not in order") }
    guard areErasSound else { throw DamageError(name, "what it says of the hosts that serve is not sound") }
    for note in notes where !note.isSound(in: revision) {
      throw DamageError(name, "its note on number \(note.sequence) is not sound")
    }
  }
}

extension SourceNotes.Note {
  fileprivate func isSound(in current: UInt64) -> Bool {
    guard tags.count <= Limits.tagsMax, Set(tags).count == tags.count else { return false }
    for reason in [pinned, accepted] {
      if let reason, !reason.time.isSound || !SourceNotes.isReason(reason.reason) { return false }
    }
    if let damaged, !damaged.isSound { return false }
    if let proved, !proved.time.isSound || !(0...100).contains(proved.share) { return false }
    let removals = [removed].compactMap(\.self) + (removedAt ?? [:]).values
    return removals.allSatisfy { $0.isSound(in: current) } && SourceNotes.areTargets((removedAt ?? [:]).keys.sorted())
  }
}

extension SourceNotes.Removal {
  fileprivate func isSound(in current: UInt64) -> Bool {
    time.isSound && (1...current).contains(revision) && SourceNotes.areTargets(spares ?? [])
      && graceSeconds ?? 0 <= Limits.graceSecondsMax
  }
}

extension SourceNotes {
  /// True if a reason is printable and short: reasons are shown on terminals.
  package static func isReason(_ text: String) -> Bool {
    text.utf8.count <= Limits.pinReasonBytesMax && text.unicodeScalars.allSatisfy(Path.isPrintable)
  }
}

extension SourceNotes: SignedManifest {
  static var domain: String { "holdfast-1 notes" }
}

extension SourceNotes {
  package var isSealed: Bool { features.contains(Feature.sealed) }
}

/// A revision of the notes as it is stored: its contents and its digest.
package struct NotesRevision: Hashable, Sendable {
  package let notes: SourceNotes
  package let digest: Digest

  /// - Throws: `FormatError` for a newer format, `DamageError` for contents that are not valid. The keyring decides if
  ///   the signer is allowed to write notes.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, digest) = try ManifestJSON.verify(bytes, name: name)
    notes = try ManifestJSON.decode(SourceNotes.self, from: line, name: name)
    self.digest = digest
    guard notes.speaksOfTargets == notes.features.contains(Feature.removalsByTarget) else {
      throw DamageError(name, "what it says about targets contradicts itself")
    }
    guard (notes.eras != nil) == notes.features.contains(Feature.eras) else {
      throw DamageError(name, "what it says about the hosts that serve contradicts itself")
    }
    guard notes.isSealed == (notes.signature != nil) else {
      throw DamageError(name, "what it says about sealing contradicts itself")
    }
    if notes.isSealed { try notes.checkSignature(line: line, name: name) }
    try notes.check(name)
  }
}
