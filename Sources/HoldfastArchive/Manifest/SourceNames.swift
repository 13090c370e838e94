package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// One revision of the names of sources (format.md, section 17): by which name each source that was renamed is called.
/// A source that was never renamed is not in it. It is called by the name under which it is stored.
package struct SourceNames: Hashable, Sendable, Codable {
  package struct Entry: Hashable, Sendable, Codable {
    /// The name under which the source is stored, for ever.
    package let source: String
    /// The name by which it is called.
    package var name: String
    /// The other names by which it was called since its first rename, in the order in which it lost them.
    package var earlier: [String]

    /// The names that were given to it.
    fileprivate var given: Set<String> { Set(earlier + [name]) }
  }

  /// The most sources that can be renamed.
  static let entriesMax = 10_000
  /// The most names of one source.
  static let earlierMax = 1000

  package var format = Envelope.formatVersion
  package var features: [String]
  package let repository: Identifier
  package var revision: UInt64
  /// The digest of the revision before; `nil` in the first.
  package var previous: Digest?
  package var time: RecordedTime
  /// In the order in which they were first renamed.
  package private(set) var sources: [Entry]
  package var program: String
  package var signature: Signature?

  /// Makes what holds in a repository where no source was renamed: the revision before the first.
  package init(repository: Identifier, isSealed: Bool, time: RecordedTime) {
    features = isSealed ? [Feature.sealed] : []
    (self.repository, self.time) = (repository, time)
    (revision, sources, program) = (0, [], Program.nameAndVersion)
  }

  /// Returns the source that has or had a name, or is stored under it and nobody else has or had it; `nil` for a name
  /// that no rename speaks of.
  package func entry(of name: String) -> Entry? {
    sources.first { $0.name == name || $0.earlier.contains(name) } ?? entry(stored: name)
  }

  /// Returns the source that is stored under a name; `nil` for one that was never renamed.
  package func entry(stored name: String) -> Entry? { sources.first { $0.source == name } }

  /// True if no more sources are renamed, and no more names are given to one, than a revision may say.
  package var isWithinLimits: Bool {
    sources.count <= Self.entriesMax && sources.allSatisfy { $0.earlier.count <= Self.earlierMax }
  }

  /// Gives a source another name.
  /// - Parameter stored: the name under which it is stored.
  /// - Returns: false if the name means another source, or is the one that it has.
  package mutating func rename(_ stored: String, to name: String) -> Bool {
    guard entry(of: name).map({ $0.source == stored }) ?? true else { return false }
    guard let index = sources.firstIndex(where: { $0.source == stored }) else {
      guard name != stored else { return false }
      sources.append(Entry(source: stored, name: name, earlier: []))
      return true
    }
    guard sources[index].name != name else { return false }
    sources[index].earlier = sources[index].earlier.filter { $0 != name } + [sources[index].name]
    sources[index].name = name
    return true
  }
}

// MARK: - Bytes

extension SourceNames: RevisedManifest {
  package static var folder: String { Keys.names }
  package static var title: String { "the names of sources" }
  package static var areMany: Bool { true }
  package static func key(_ revision: UInt64) -> String { Keys.names(revision) }

  package var isSealed: Bool { features.contains(Feature.sealed) }

  /// Optional fields are written as `null` and never left out.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(format, forKey: .format)
    try container.encode(features, forKey: .features)
    try container.encode(repository, forKey: .repository)
    try container.encode(revision, forKey: .revision)
    try container.encode(previous, forKey: .previous)
    try container.encode(time, forKey: .time)
    try container.encode(sources, forKey: .sources)
    try container.encode(program, forKey: .program)
    try container.encode(signature, forKey: .signature)
  }

  package static func parse(_ bytes: [UInt8], name: String) throws -> (contents: SourceNames, digest: Digest) {
    try parseSigned(bytes, name: name)
  }

  package func serialized(signedBy key: SigningKey? = nil) throws -> [UInt8] { try serializedSigned(by: key) }

  /// Checks that every name means one source, and that no name that was given before is taken back.
  package func check(after previous: SourceNames?, _ name: String) throws {
    let texts = sources.flatMap { $0.earlier + [$0.source, $0.name] }
    guard isWithinLimits, texts.allSatisfy({ SourceName($0) != nil }), sources.allSatisfy(\.isSound)
    else { throw DamageError(name, "its names are not sound") }
    guard Set(sources.map(\.source)).count == sources.count, givesEachNameOnce else {
      throw DamageError(name, "it gives one name to two sources")
    }
    let known = previous?.sources ?? []
    guard sources.count >= known.count,
      zip(known, sources).allSatisfy({ $0.source == $1.source && $0.given.isSubset(of: $1.given) })
    else { throw DamageError(name, "it takes back a name that the revision before it has") }
  }

  /// True if no source is given a name that another one was given, or under which one before it is stored. A source may
  /// be stored under a name of one before it: a host began it that did not know of the rename.
  private var givesEachNameOnce: Bool {
    var taken: Set<String> = []
    return sources.allSatisfy { entry in
      guard taken.isDisjoint(with: entry.given) else { return false }
      taken.formUnion(entry.given)
      taken.insert(entry.source)
      return true
    }
  }
}

extension SourceNames.Entry {
  /// True if no name stands in it twice. The name under which it is stored may be one of the others.
  fileprivate var isSound: Bool { Set(earlier).count == earlier.count && !earlier.contains(name) }
}

extension SourceNames: SignedManifest {
  static var domain: String { "holdfast-1 names" }
}
