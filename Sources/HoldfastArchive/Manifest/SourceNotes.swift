package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSystem

/// One revision of the notes on a source (format.md, section 12): what was said about its snapshots after they were taken. Each revision says
/// all of it anew.
package struct SourceNotes: Hashable, Sendable, Codable {
  /// What somebody said, and when.
  package struct Remark: Hashable, Sendable, Codable {
    package var reason: String
    package var time: String

    package init(reason: String, time: String) {
      self.reason = reason
      self.time = time
    }
  }

  /// That a verify found it sound.
  package struct Proof: Hashable, Sendable, Codable {
    /// Which share of its stored bytes was read, in percent; 0 where it was only looked at.
    package var share: Int
    package var time: String

    package init(share: Int, time: String) {
      self.share = share
      self.time = time
    }
  }

  /// That it is no more, or will be.
  package struct Removal: Hashable, Sendable, Codable {
    /// Whether it is beyond recall: its objects are being removed, or are gone.
    package var isCollected: Bool
    /// In which it was removed.
    package var revision: UInt64
    package var time: String
    /// Of the writer that removed it, where the repository is sealed: whoever says everything anew in the next revision need not have the right to prune.
    package var signature: Signature?

    package init(revision: UInt64, time: String, isCollected: Bool = false) {
      self.revision = revision
      self.time = time
      self.isCollected = isCollected
    }

    /// The same removal, beyond recall; nobody has signed that yet.
    package var collected: Removal { Removal(revision: revision, time: time, isCollected: true) }

    private enum CodingKeys: String, CodingKey {
      case isCollected = "collected"
      case revision, time, signature
    }
  }

  /// All that is said about one snapshot.
  package struct Note: Hashable, Sendable, Codable {
    package var snapshot: Identifier
    package var sequence: UInt64
    package var tags: [Tag] = []
    package var pinned: Remark?
    /// That its anomalies are none.
    package var accepted: Remark?
    package var proved: Proof?
    /// When a verify found it damaged, and none has read all of it and found it sound since.
    package var damaged: String?
    package var removed: Removal?

    package init(snapshot: Identifier, sequence: UInt64) {
      self.snapshot = snapshot
      self.sequence = sequence
    }

    /// Whether it says nothing.
    package var isEmpty: Bool {
      tags.isEmpty && pinned == nil && accepted == nil && proved == nil && damaged == nil && removed == nil
    }

    /// Whether the snapshot was committed, and nobody has collected it since: more is said than the tags that a killed run may have left.
    package var speaksOfACommit: Bool {
      removed?.isCollected != true
        && (pinned != nil || accepted != nil || proved != nil || damaged != nil || removed != nil)
    }

    /// Optional fields are written as `null`, never left out.
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
    }
  }

  package var format = Envelope.formatVersion
  package var features: [String]
  package var repository: Identifier
  package var source: SourceName
  package var revision: UInt64
  package var time: String
  /// The highest number that a snapshot of the source has had: none is used again.
  package var highest: UInt64
  /// By ascending sequence, each of another one.
  package var notes: [Note]
  package var program: String
  package var signature: Signature?

  /// Those of a source of which nothing was said yet.
  package init(repository: Identifier, source: SourceName, isSealed: Bool) {
    self.features = isSealed ? [Feature.sealed] : []
    self.repository = repository
    self.source = source
    self.revision = 0
    self.time = TimeText.utc(Timestamp(seconds: 0, nanoseconds: 0))
    self.highest = 0
    self.notes = []
    self.program = Program.nameAndVersion
  }
}

// MARK: - One by one

extension SourceNotes {
  /// What is said about a snapshot; an empty note where that is nothing.
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
        // Of another snapshot: of a run that was killed before it could use its number.
        notes[index] = newValue
      } else {
        notes.insert(newValue, at: index)
      }
    }
  }

  /// Where the note on this number is, or would be.
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
  /// Optional fields are written as `null`, never left out.
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
    try container.encode(program, forKey: .program)
    try container.encode(signature, forKey: .signature)
  }

  /// The bytes of its object.
  /// - Parameter key: of the writer, where the repository is sealed.
  package func serialized(signedBy key: SigningKey? = nil) throws -> [UInt8] {
    var unsigned = self
    unsigned.signature = nil
    return try ManifestJSON.encode(key.map { try unsigned.signed(by: $0) } ?? unsigned)
  }

  fileprivate func check(_ name: String) throws {
    guard (1...Limits.sequenceMax).contains(revision), highest <= Limits.sequenceMax, TimeText.parse(time) != nil,
      notes.count <= Limits.chainLengthMax
    else {
      throw DamageError(name, "its revision, its time or the number of its notes is not sound")
    }
    guard zip(notes, notes.dropFirst()).allSatisfy({ $0.sequence < $1.sequence }), (notes.first?.sequence ?? 1) >= 1,
      (notes.last?.sequence ?? 1) <= Limits.sequenceMax
    else { throw DamageError(name, "its notes are not in order") }
    for note in notes where !note.isSound(in: revision) {
      throw DamageError(name, "its note on number \(note.sequence) is not sound")
    }
  }
}

extension SourceNotes.Note {
  fileprivate func isSound(in current: UInt64) -> Bool {
    guard tags.count <= Limits.tagsMax, Set(tags).count == tags.count else { return false }
    for remark in [pinned, accepted] {
      if let remark, TimeText.parse(remark.time) == nil || !SourceNotes.isReason(remark.reason) { return false }
    }
    if let damaged, TimeText.parse(damaged) == nil { return false }
    if let proved, TimeText.parse(proved.time) == nil || !(0...100).contains(proved.share) { return false }
    if let removed, TimeText.parse(removed.time) == nil || !(1...current).contains(removed.revision) { return false }
    return true
  }
}

extension SourceNotes {
  /// Printable and short: reasons are shown on terminals.
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

/// A revision of the notes as it stands in the repository: its contents and its digest.
package struct NotesRevision: Hashable, Sendable {
  package let notes: SourceNotes
  package let digest: Digest

  /// - Throws: `FormatError` for a newer format, `DamageError` for what is not sound. Who may sign is for the keyring to say.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, digest) = try ManifestJSON.prove(bytes, name: name)
    notes = try ManifestJSON.decode(SourceNotes.self, from: line, name: name)
    self.digest = digest
    guard notes.isSealed == (notes.signature != nil) else {
      throw DamageError(name, "what it says about sealing contradicts itself")
    }
    if notes.isSealed { try notes.checkSignature(line: line, name: name) }
    try notes.check(name)
  }
}
