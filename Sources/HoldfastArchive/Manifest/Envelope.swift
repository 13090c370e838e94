package import HoldfastCodec
package import HoldfastModel
internal import HoldfastSystem

/// The small clear part of a manifest (format.md, section 5): what a snapshot is and what it rests on.
package struct Envelope: Hashable, Sendable, Codable {
  package static let formatVersion = 1

  package struct Source: Hashable, Sendable, Codable {
    package var name: SourceName
    /// Where it lay, as text.
    package var path: String

    package init(name: SourceName, path: String) {
      self.name = name
      self.path = path
    }
  }

  package struct Parent: Hashable, Sendable, Codable {
    package var snapshot: Identifier
    package var sequence: UInt64
    /// The parent's manifest digest.
    package var digest: Digest
  }

  package struct Time: Hashable, Sendable, Codable {
    /// Before the first entry was looked at.
    package var started: String
    package var finished: String

    package init(started: String, finished: String) {
      self.started = started
      self.finished = finished
    }
  }

  package struct Archive: Hashable, Sendable, Codable {
    /// Counts on along the chain.
    package var number: UInt64
    /// The snapshot in whose directory it lies.
    package var sequence: UInt64
    package var id: Identifier
    package var length: UInt64
    package var digest: Digest

    package init(number: UInt64, sequence: UInt64, id: Identifier, length: UInt64, digest: Digest) {
      self.number = number
      self.sequence = sequence
      self.id = id
      self.length = length
      self.digest = digest
    }

    package var reference: ObjectReference { ObjectReference(id: id, length: length, digest: digest) }
  }

  package struct State: Hashable, Sendable, Codable {
    package var root: Digest
    package var entries: UInt64
    package var files: UInt64
    /// The sum of the files' sizes.
    package var bytes: UInt64

    package init(root: Digest, entries: UInt64, files: UInt64, bytes: UInt64) {
      self.root = root
      self.entries = entries
      self.files = files
      self.bytes = bytes
    }
  }

  package struct Changes: Hashable, Sendable, Codable {
    package var added: UInt64
    package var changed: UInt64
    package var removed: UInt64
    /// Pages that this snapshot stored, and their bytes before compression.
    package var pages: UInt64
    package var pageBytes: UInt64
    /// Bytes that were read from the source.
    package var readBytes: UInt64

    package init() { (added, changed, removed, pages, pageBytes, readBytes) = (0, 0, 0, 0, 0, 0) }
  }

  /// Of a snapshot that holds a cluster captured while its server ran.
  package struct Postgres: Hashable, Sendable, Codable {
    /// The cluster's system identifier, decimal.
    package var system: String
    /// The major version.
    package var version: Int
    package var timeline: UInt32
    /// Where its WAL begins, and where it has become whole.
    package var start: LogSequenceNumber
    package var stop: LogSequenceNumber

    package init(
      system: String, version: Int, timeline: UInt32, start: LogSequenceNumber, stop: LogSequenceNumber
    ) {
      (self.system, self.version, self.timeline) = (system, version, timeline)
      (self.start, self.stop) = (start, stop)
    }
  }

  /// With what a snapshot was compared, and what was found: its parent's state; of a full, that of the newest snapshot before it.
  package struct Comparison: Hashable, Sendable, Codable {
    /// Of that state.
    package var entries: UInt64
    package var bytes: UInt64
    /// How many stretches of the captured pages were looked at, and how many of them look encrypted or compressed.
    package var samples: UInt64
    package var denseSamples: UInt64
    /// What the history of the source does not explain.
    package var anomalies: [Anomaly] = []

    package init(entries: UInt64, bytes: UInt64, samples: UInt64, denseSamples: UInt64) {
      (self.entries, self.bytes) = (entries, bytes)
      (self.samples, self.denseSamples) = (samples, denseSamples)
    }
  }

  package struct KeyringReference: Hashable, Sendable, Codable {
    package var revision: UInt64
    package var digest: Digest

    package init(revision: UInt64, digest: Digest) {
      self.revision = revision
      self.digest = digest
    }
  }

  /// Which snapshot a merged full stands for, and when it was made.
  package struct Merge: Hashable, Sendable, Codable {
    package var snapshot: Identifier
    package var sequence: UInt64
    /// The manifest digest of that snapshot.
    package var digest: Digest
    package var time: String

    package init(snapshot: Identifier, sequence: UInt64, digest: Digest, time: String) {
      self.snapshot = snapshot
      self.sequence = sequence
      self.digest = digest
      self.time = time
    }
  }

  package var format: Int
  package var features: [String]
  package var repository: Identifier
  package var snapshot: Identifier
  package var source: Source
  package var sequence: UInt64
  package var kind: SnapshotKind
  package var parent: Parent?
  package var time: Time
  package var archives: ArchiveList
  package var body: ObjectReference
  package var state: State
  package var changes: Changes
  package var consistency: String
  package var incomplete: UInt64
  package var program: String
  package var postgres: Postgres?
  /// `nil` where the program that wrote it did not compare.
  package var comparison: Comparison?
  /// The revision under which it was taken, where it is sealed.
  package var keyring: KeyringReference?
  /// Of a full that was made of a chain: its times are those of the snapshot for which it stands.
  package var merged: Merge?
  package var signature: Signature?

  package init(
    repository: Identifier, snapshot: Identifier, source: Source, sequence: UInt64, kind: SnapshotKind, parent: Parent?,
    time: Time, archives: [Archive], body: ObjectReference, state: State, changes: Changes,
    consistency: ConsistencyClass, incomplete: UInt64, program: String, postgres: Postgres? = nil,
    keyring: KeyringReference? = nil
  ) {
    self.format = Self.formatVersion
    self.features = keyring == nil ? [] : [Feature.sealed]
    self.repository = repository
    self.snapshot = snapshot
    self.source = source
    self.sequence = sequence
    self.kind = kind
    self.parent = parent
    self.time = time
    self.archives = ArchiveList(archives)
    self.body = body
    self.state = state
    self.changes = changes
    self.consistency = consistency.name
    self.incomplete = incomplete
    self.program = program
    self.postgres = postgres
    self.comparison = nil
    self.keyring = keyring
    self.merged = nil
    self.signature = nil
  }

  /// Bytes that the snapshot added to the repository, the envelope itself left out.
  package var storedBytes: UInt64 { body.length.saturatingAdding(archives.storedBytes) }

  package var consistencyClass: ConsistencyClass { ConsistencyClass(name: consistency) ?? .unreadable }
}

// MARK: - Bytes

extension Envelope {
  /// Optional fields are written as `null`, never left out, but for what only some snapshots have.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(format, forKey: .format)
    try container.encode(features, forKey: .features)
    try container.encode(repository, forKey: .repository)
    try container.encode(snapshot, forKey: .snapshot)
    try container.encode(source, forKey: .source)
    try container.encode(sequence, forKey: .sequence)
    try container.encode(kind, forKey: .kind)
    try container.encode(parent, forKey: .parent)
    try container.encode(time, forKey: .time)
    try container.encode(archives, forKey: .archives)
    try container.encode(body, forKey: .body)
    try container.encode(state, forKey: .state)
    try container.encode(changes, forKey: .changes)
    try container.encode(consistency, forKey: .consistency)
    try container.encode(incomplete, forKey: .incomplete)
    try container.encode(program, forKey: .program)
    try container.encodeIfPresent(postgres, forKey: .postgres)
    try container.encodeIfPresent(comparison, forKey: .comparison)
    try container.encodeIfPresent(keyring, forKey: .keyring)
    try container.encodeIfPresent(merged, forKey: .merged)
    try container.encode(signature, forKey: .signature)
  }

  /// The bytes of `manifest.json`.
  /// - Parameter key: of the writer, where the repository is sealed.
  package func serialized(signedBy key: SigningKey? = nil) throws -> [UInt8] {
    try ManifestJSON.encode(key.map { try signed(by: $0) } ?? self)
  }

  /// - Throws: `FormatError` for a newer format, `DamageError` for what is no sound envelope.
  fileprivate init(parsing line: [UInt8], name: String) throws {
    self = try ManifestJSON.decode(Envelope.self, from: line, name: name)
    guard isSealed || signature == nil else { throw FormatError(name, "it is signed and not sealed") }
    guard isSealed == (keyring != nil) else { throw DamageError(name, "what it says about sealing contradicts itself") }
    if isSealed { try checkSignature(line: line, name: name) }
    try check(name)
  }

  private func check(_ name: String) throws {
    guard (parent == nil) == (kind == .full), parent.map({ $0.sequence < sequence }) ?? true, sequence >= 1 else {
      throw DamageError(name, "its kind and its parent contradict each other")
    }
    guard ConsistencyClass(name: consistency) != nil else {
      throw DamageError(name, "its consistency class is unknown")
    }
    let first = archives.first?.number ?? 0
    for (number, archive) in archives.enumerated() {
      guard archive.number == (first &+ UInt64(number)), archive.sequence <= sequence,
        archive.length <= Limits.sizeMax, archive.number <= Limits.sizeMax
      else { throw DamageError(name, "its list of archives is not sound") }
    }
    guard postgres.map({ UInt64($0.system) != nil && $0.start < $0.stop && $0.timeline > 0 }) ?? true else {
      throw DamageError(name, "what it says of a PostgreSQL cluster is not sound")
    }
    guard
      comparison.map({
        $0.denseSamples <= $0.samples && $0.anomalies.count <= Anomaly.Kind.allCases.count
          && $0.anomalies.allSatisfy(\.isSound)
      }) ?? true
    else { throw DamageError(name, "what it was compared with is not sound") }
    guard numbers.allSatisfy({ $0 <= Limits.sizeMax }) else { throw DamageError(name, "a number is out of its bounds") }
    guard source.path.utf8.count <= Limits.sourcePathBytesMax else {
      throw DamageError(name, "the path of its source is too long")
    }
    guard source.path.unicodeScalars.allSatisfy(Path.isPrintable) else {
      throw DamageError(name, "the path of its source is not printable")
    }
    let texts = [time.started, time.finished, program, postgres?.system ?? "", merged?.time ?? ""]
    guard texts.allSatisfy({ $0.utf8.count <= Limits.manifestTextBytesMax }) else {
      throw DamageError(name, "a text in it is too long")
    }
    guard TimeText.parse(time.started) != nil, TimeText.parse(time.finished) != nil else {
      throw DamageError(name, "its times are not sound")
    }
    guard let merged else { return }
    guard kind == .full, (1..<sequence).contains(merged.sequence), TimeText.parse(merged.time) != nil else {
      throw DamageError(name, "what it says of its merge is not sound")
    }
  }

  /// Everything in it that counts, but for its archives.
  private var numbers: [UInt64] {
    [
      sequence, parent?.sequence ?? 0, body.length, state.entries, state.files, state.bytes, changes.added,
      changes.changed, changes.removed, changes.pages, changes.pageBytes, changes.readBytes, incomplete,
      comparison?.entries ?? 0, comparison?.bytes ?? 0, comparison?.samples ?? 0, comparison?.denseSamples ?? 0,
    ]
  }

  /// When the snapshot was begun. The text was checked when the envelope was read.
  package var started: Timestamp { TimeText.parse(time.started) ?? Timestamp(seconds: 0, nanoseconds: 0) }
}

extension Envelope: SignedManifest {
  static var domain: String { "holdfast-1 manifest" }
}

/// A snapshot as it stands in the repository: its envelope and the digest of that.
package struct Snapshot: Hashable, Sendable {
  /// Its archives may be not held: see `withoutArchives`.
  package private(set) var envelope: Envelope
  /// The manifest digest, by which children name this snapshot.
  package let digest: Digest

  /// - Throws: `FormatError` for a newer format, `DamageError` for what is no sound manifest.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, digest) = try ManifestJSON.prove(bytes, name: name)
    envelope = try Envelope(parsing: line, name: name)
    self.digest = digest
  }

  /// The same, without its archives in memory: how many there are, and their bytes, is still known.
  package var withoutArchives: Snapshot {
    var copy = self
    copy.envelope.archives.release()
    return copy
  }

  package var id: Identifier { envelope.snapshot }
  package var sequence: UInt64 { envelope.sequence }
  package var sourceName: SourceName { envelope.source.name }

  /// The number in whose place it counts: its own, or that of the snapshot for which it stands since a merge.
  package var standsFor: UInt64 { envelope.merged?.sequence ?? sequence }

  /// The order of one source's snapshots by what they stand for: a merged one comes right behind the one for which it stands.
  package static func isOlder(_ left: Snapshot, _ right: Snapshot) -> Bool {
    (left.standsFor, left.sequence) < (right.standsFor, right.sequence)
  }

  package var asParent: Envelope.Parent {
    Envelope.Parent(snapshot: id, sequence: sequence, digest: digest)
  }
}
