package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// The small clear part of a manifest (format.md, section 5): identifies a snapshot, its parent, its archives and its
/// body.
package struct Envelope: Hashable, Sendable, Codable {
  package static let formatVersion = 1

  package struct Source: Hashable, Sendable, Codable {
    package var name: SourceName
    /// The path of the source, as text.
    package var path: String

    package init(name: SourceName, path: String) {
      self.name = name
      self.path = path
    }
  }

  package struct Parent: Hashable, Sendable, Codable {
    package var snapshot: Identifier
    package var sequence: UInt64
    /// The digest of the parent's manifest.
    package var digest: Digest
  }

  package struct Time: Hashable, Sendable, Codable {
    /// The time at which the backup began, before it looked at the first entry.
    package var started: RecordedTime
    package var finished: RecordedTime

    package init(started: RecordedTime, finished: RecordedTime) {
      self.started = started
      self.finished = finished
    }
  }

  package struct Archive: Hashable, Sendable, Codable {
    /// The number of the archive along the chain.
    package var number: UInt64
    /// The sequence of the snapshot whose directory contains the archive.
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
    /// The sum of the file sizes.
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
    /// Pages that this snapshot stored; `bytes` is their size before compression.
    package var pages: UInt64
    package var pageBytes: UInt64
    /// Bytes that were read from the source.
    package var readBytes: UInt64

    package init() { (added, changed, removed, pages, pageBytes, readBytes) = (0, 0, 0, 0, 0, 0) }
  }

  /// The PostgreSQL cluster that was captured while its server ran.
  package struct Postgres: Hashable, Sendable, Codable {
    /// The system identifier of the cluster, in decimal.
    package var system: String
    /// The major version of the server.
    package var version: Int
    package var timeline: UInt32
    /// The positions at which the WAL that the snapshot needs begins and ends.
    package var start: LogSequenceNumber
    package var stop: LogSequenceNumber

    package init(
      system: String, version: Int, timeline: UInt32, start: LogSequenceNumber, stop: LogSequenceNumber
    ) {
      (self.system, self.version, self.timeline) = (system, version, timeline)
      (self.start, self.stop) = (start, stop)
    }
  }

  /// The state with which the snapshot was compared, and the result. It is the parent's state; for a full, that of the
  /// newest earlier snapshot.
  package struct Comparison: Hashable, Sendable, Codable {
    /// Entries of that state.
    package var entries: UInt64
    package var bytes: UInt64
    /// Number of samples of the captured pages; `denseSamples` of them look encrypted or compressed.
    package var samples: UInt64
    package var denseSamples: UInt64
    /// The changes that the history of the source does not explain.
    package var anomalies: [Anomaly] = []

    package init(entries: UInt64, bytes: UInt64, samples: UInt64, denseSamples: UInt64) {
      (self.entries, self.bytes) = (entries, bytes)
      (self.samples, self.denseSamples) = (samples, denseSamples)
    }
  }

  /// The parity of the containers that the snapshot added.
  package struct Parity: Hashable, Sendable, Codable {
    /// The share of pages that can be lost, in percent.
    package var percent: UInt64
    /// The stored bytes that are parity.
    package var bytes: UInt64

    package init(_ share: ParityShare, bytes: UInt64) { (percent, self.bytes) = (UInt64(share.percent), bytes) }

    /// `none` for a share that this version does not make.
    package var share: ParityShare { ParityShare("\(percent)%") ?? .none }
  }

  package struct KeyringReference: Hashable, Sendable, Codable {
    package var revision: UInt64
    package var digest: Digest

    package init(revision: UInt64, digest: Digest) {
      self.revision = revision
      self.digest = digest
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
  /// The weakest consistency class of the files in its state.
  package var consistency: ConsistencyClass
  package var incomplete: UInt64
  package var program: String
  package var postgres: Postgres?
  /// `nil` when the program that wrote the manifest did not compare.
  package var comparison: Comparison?
  /// `nil` when the containers have no parity.
  package var parity: Parity?
  /// The revision of the keyring under which the snapshot was taken, when it is sealed.
  package var keyring: KeyringReference?
  /// Set for a merged snapshot, which is a full or an incremental. Its times are those of the snapshot that it stands
  /// for.
  package var merged: Merge?
  /// The number of the lease under which the snapshot was committed. Each new holder has a higher one (format.md,
  /// section 14). `nil` in snapshots of earlier versions.
  package var lease: UInt64?
  /// The time until which everything that the snapshot needs was locked when it was committed (format.md, section 5);
  /// snapshots that build on it may have extended that. `nil` in a store that locks nothing.
  package var lockedUntil: RecordedTime?
  package var signature: Signature?

  package init(
    repository: Identifier, snapshot: Identifier, source: Source, sequence: UInt64, kind: SnapshotKind, parent: Parent?,
    time: Time, archives: [Archive], body: ObjectReference, state: State, changes: Changes,
    consistency: ConsistencyClass, incomplete: UInt64, program: String, postgres: Postgres? = nil,
    parity: Parity? = nil, keyring: KeyringReference? = nil, merged: Merge? = nil
  ) {
    self.format = Self.formatVersion
    self.features =
      (merged == nil || kind == .full ? [] : [Feature.mergedIncrement]) + (parity == nil ? [] : [Feature.parity])
      + (keyring == nil ? [] : [Feature.sealed])
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
    self.consistency = consistency
    self.incomplete = incomplete
    self.program = program
    self.postgres = postgres
    self.comparison = nil
    self.parity = parity
    self.keyring = keyring
    self.merged = merged
    self.lease = nil
    self.lockedUntil = nil
    self.signature = nil
  }

  /// Bytes that the snapshot added to the repository, without the envelope itself.
  package var storedBytes: UInt64 { body.length.saturatingAdding(archives.storedBytes) }
}

// MARK: - Bytes

/// Stored in manifests as the name of the case.
extension ConsistencyClass: Codable {
  package init(from decoder: any Decoder) throws {
    guard let known = try ConsistencyClass(name: decoder.singleValueContainer().decode(String.self)) else {
      throw UnsoundValue(finding: "its consistency class is unknown")
    }
    self = known
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
}

extension Envelope {
  /// Optional fields are written as `null` and never left out, except those that only some snapshots have.
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
    try container.encodeIfPresent(parity, forKey: .parity)
    try container.encodeIfPresent(keyring, forKey: .keyring)
    try container.encodeIfPresent(merged, forKey: .merged)
    try container.encodeIfPresent(lease, forKey: .lease)
    try container.encodeIfPresent(lockedUntil, forKey: .lockedUntil)
    try container.encode(signature, forKey: .signature)
  }

  /// The bytes of `manifest.json`.
  /// - Parameter key: the key of the writer, when the repository is sealed.
  package func serialized(signedBy key: SigningKey? = nil) throws -> [UInt8] {
    try ManifestJSON.encode(key.map { try signed(by: $0) } ?? self)
  }

  /// - Throws: `FormatError` for a newer format, `DamageError` for anything but a valid envelope.
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
    guard (parity != nil) == features.contains(Feature.parity) else {
      throw DamageError(name, "what it says about parity contradicts itself")
    }
    guard numbers.allSatisfy({ $0 <= Limits.sizeMax }) else { throw DamageError(name, "a number is out of its bounds") }
    guard source.path.utf8.count <= Limits.sourcePathBytesMax else {
      throw DamageError(name, "the path of its source is too long")
    }
    guard source.path.unicodeScalars.allSatisfy(Path.isPrintable) else {
      throw DamageError(name, "the path of its source is not printable")
    }
    let times = [time.started, time.finished] + [merged?.time, lockedUntil].compactMap { $0 }
    guard [program, postgres?.system ?? ""].allSatisfy({ $0.utf8.count <= Limits.manifestTextBytesMax }),
      !times.contains(where: \.isTooLong)
    else {
      throw DamageError(name, "a text in it is too long")
    }
    guard time.started.isSound, time.finished.isSound, lockedUntil?.isSound ?? true else {
      throw DamageError(name, "its times are not sound")
    }
    guard isMergeSound else { throw DamageError(name, "what it says of its merge is not sound") }
  }

  /// All numbers that must be within their limits, except those of the archives.
  private var numbers: [UInt64] {
    [
      sequence, parent?.sequence ?? 0, body.length, state.entries, state.files, state.bytes, changes.added,
      changes.changed, changes.removed, changes.pages, changes.pageBytes, changes.readBytes, incomplete,
      comparison?.entries ?? 0, comparison?.bytes ?? 0, comparison?.samples ?? 0, comparison?.denseSamples ?? 0,
      parity?.percent ?? 0, parity?.bytes ?? 0, lease ?? 0,
    ]
  }

  /// The beginning of the backup.
  package var started: Timestamp { time.started.moment }
}

extension Envelope: SignedManifest {
  static var domain: String { "holdfast-1 manifest" }
}

/// A snapshot as it is stored: its envelope, and the digest of its manifest.
package struct Snapshot: Hashable, Sendable {
  /// Its archives may have been dropped from memory: see `withoutArchives`.
  package var envelope: Envelope
  /// The digest of the manifest, by which children name this snapshot.
  package let digest: Digest
  /// True if it was under way when another host took over, as `Catalog.allSnapshots` finds in the notes on the source.
  package var isDiverged = false

  /// - Throws: `FormatError` for a newer format, `DamageError` for anything but a valid manifest.
  package init(parsing bytes: [UInt8], name: String) throws {
    let (line, digest) = try ManifestJSON.verify(bytes, name: name)
    envelope = try Envelope(parsing: line, name: name)
    self.digest = digest
  }

  /// Returns the digest of a manifest, which says if a reader knows it already; `nil` if the bytes are not whole.
  package static func digest(ofManifest bytes: [UInt8]) -> Digest? {
    try? ManifestJSON.verify(bytes, name: "the manifest").digest
  }

  /// The same snapshot without its archives in memory. Their number and their bytes stay known.
  package var withoutArchives: Snapshot {
    var copy = self
    copy.envelope.archives.release()
    return copy
  }

  package var id: Identifier { envelope.snapshot }
  package var sequence: UInt64 { envelope.sequence }
  package var sourceName: SourceName { envelope.source.name }

  /// The sequence number under which it counts: its own, or after a merge that of the snapshot that it stands for.
  package var standsFor: UInt64 { envelope.merged?.sequence ?? sequence }

  /// Sorts the snapshots of one source by `standsFor`: a merged snapshot comes directly after the one that it stands
  /// for.
  package static func isOlder(_ left: Snapshot, _ right: Snapshot) -> Bool {
    (left.standsFor, left.sequence) < (right.standsFor, right.sequence)
  }

  package var asParent: Envelope.Parent { Envelope.Parent(snapshot: id, sequence: sequence, digest: digest) }
}
