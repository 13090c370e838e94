package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// One revision of the list of targets (format.md, section 15): the targets of a repository, the one that is home, and
/// the numbers that each of them gives.
package struct TargetList: Hashable, Sendable, Codable {
  package struct Member: Hashable, Sendable, Codable {
    package var name: String
    /// The last three digits of the numbers that the target gives; `nil` for the first home.
    package var residue: UInt64?
    /// The location as an operator writes it, without credentials.
    package var location: String
    /// The names of its `site`, `provider`, `account` and `medium`; targets with the same name may fail together.
    package var domains: [String: String]
    /// The position of its shards; `nil` for a spare, and if the list has no scheme.
    package internal(set) var shard: Int?

    package init(name: String, residue: UInt64?, location: String, domains: [String: String] = [:]) {
      (self.name, self.residue, self.location, self.domains) = (name, residue, location, domains)
    }

    /// The residue is written as `null` where there is none, and never left out.
    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encode(residue, forKey: .residue)
      try container.encode(location, forKey: .location)
      try container.encode(domains, forKey: .domains)
      try container.encodeIfPresent(shard, forKey: .shard)
    }
  }

  /// The most targets: the first home, and one for each residue.
  package static let membersMax = 16
  static let domains: Set = ["site", "provider", "account", "medium"]

  package var format = Envelope.formatVersion
  package var features: [String]
  package var repository: Identifier
  package var revision: UInt64
  /// The digest of the revision before; `nil` in the first.
  package var previous: Digest?
  package var time: RecordedTime
  /// The name of the target that is home.
  package var home: String
  /// The lowest number to which residues apply. The first home gives all lower ones.
  package var residuesFrom: UInt64
  /// The residues of targets that were removed, in ascending order. No target gets them again.
  package var retired: [UInt64]
  package var targets: [Member]
  /// The scheme in which containers are divided over the targets; `nil` if every target has them whole.
  package private(set) var erasure: ErasureScheme?
  package var program: String
  package var signature: Signature?

  /// Makes the first revision, with only home in it.
  /// - Parameter highest: the highest number of a snapshot or of a revision of notes in the repository.
  package init(repository: Identifier, isSealed: Bool, home: Member, above highest: UInt64, time: RecordedTime) {
    features = isSealed ? [Feature.sealed] : []
    self.repository = repository
    revision = 1
    self.time = time
    self.home = home.name
    // A run that has not seen the list may still give the next number. At least 999 are left for that.
    let modulus = OwnNumbers.modulus
    residuesFrom = ((min(highest, Limits.sequenceMax) + modulus - 1) / modulus + 1) * modulus
    retired = []
    targets = [home]
    program = Program.nameAndVersion
  }

  /// Returns the target with this name; `nil` when there is none.
  package func member(_ name: String) -> Member? { targets.first { $0.name == name } }

  /// Returns the numbers that a target gives.
  package func ownNumbers(of member: Member) -> OwnNumbers { OwnNumbers(residue: member.residue, from: residuesFrom) }

  /// The lowest residue that was never given; `nil` when none is left.
  package var nextResidue: UInt64? {
    let given = Set(retired).union(targets.compactMap(\.residue))
    return OwnNumbers.residues.first { !given.contains($0) }
  }

  /// Removes a target. No other target gets its residue; the first spare gets its position.
  package mutating func remove(_ name: String) {
    retired = (retired + targets.filter { $0.name == name }.compactMap(\.residue)).sorted()
    let position = member(name)?.shard
    targets.removeAll { $0.name == name }
    if let spare = targets.firstIndex(where: { $0.shard == nil }) { targets[spare].shard = position }
  }

  /// Divides containers over the targets: home has the first position, and the others have the next ones in their
  /// order.
  /// - Parameter scheme: for no more shards than there are targets.
  package mutating func divide(_ scheme: ErasureScheme) {
    erasure = scheme
    features = features.filter { $0 != Feature.erasure } + [Feature.erasure]
    let order =
      targets.indices.filter { targets[$0].name == home } + targets.indices.filter { targets[$0].name != home }
    for (position, index) in order.enumerated() { targets[index].shard = position < scheme.shards ? position : nil }
  }

  /// The names of the targets that have no shards, though others have.
  package var spares: [String] { erasure == nil ? [] : targets.filter { $0.shard == nil }.map(\.name) }
}

// MARK: - Bytes

extension TargetList: RevisedManifest {
  package static var folder: String { Keys.targets }
  package static var title: String { "the list of targets" }
  package static var areMany: Bool { false }
  package static func key(_ revision: UInt64) -> String { Keys.targetList(revision) }

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
    try container.encode(home, forKey: .home)
    try container.encode(residuesFrom, forKey: .residuesFrom)
    try container.encode(retired, forKey: .retired)
    try container.encode(targets, forKey: .targets)
    try container.encodeIfPresent(erasure, forKey: .erasure)
    try container.encode(program, forKey: .program)
    try container.encode(signature, forKey: .signature)
  }

  /// Returns the bytes of its object.
  /// - Parameter key: the key of the writer, when the repository is sealed.
  package func serialized(signedBy key: SigningKey? = nil) throws -> [UInt8] { try serializedSigned(by: key) }

  package static func parse(_ bytes: [UInt8], name: String) throws -> (contents: TargetList, digest: Digest) {
    try parseSigned(bytes, name: name)
  }

  package func check(after previous: TargetList?, _ name: String) throws {
    guard (1...Self.membersMax).contains(targets.count), targets.allSatisfy(\.isSound),
      Set(targets.map(\.name)).count == targets.count, member(home) != nil
    else { throw DamageError(name, "its targets are not sound") }
    let given = retired + targets.compactMap(\.residue)
    guard given.allSatisfy(OwnNumbers.residues.contains), Set(given).count == given.count, retired == retired.sorted(),
      targets.count(where: { $0.residue == nil }) <= 1, residuesFrom % OwnNumbers.modulus == 0,
      (OwnNumbers.modulus...Limits.sequenceMax).contains(residuesFrom)
    else { throw DamageError(name, "its residues are not sound") }
    guard hasSoundShards else { throw DamageError(name, "its shards are not sound") }
    try checkResidues(after: previous, name)
  }

  /// True if each position belongs to one target, and home has one.
  private var hasSoundShards: Bool {
    let positions = targets.compactMap(\.shard)
    guard features.contains(Feature.erasure) == (erasure != nil) else { return false }
    guard let erasure else { return positions.isEmpty }
    return positions.sorted() == Array(0..<erasure.shards) && member(home)?.shard != nil
  }

  /// Checks that no two targets that were ever in the list can give the same number.
  private func checkResidues(after previous: TargetList?, _ name: String) throws {
    guard let previous else {
      guard retired.isEmpty, member(home)?.residue == nil else {
        throw DamageError(name, "its home is not the first one")
      }
      return
    }
    let left = Set(previous.targets).subtracting(targets).filter { member($0.name) == nil }.compactMap(\.residue)
    let isKept = targets.allSatisfy { target in
      if let known = previous.member(target.name) { return known.residue == target.residue }
      guard let residue = target.residue else { return false }
      return !previous.retired.contains(residue) && !previous.targets.contains { $0.residue == residue }
    }
    guard residuesFrom == previous.residuesFrom, isKept, Set(retired) == Set(previous.retired).union(left) else {
      throw DamageError(name, "it gives a target other numbers than the revision before it")
    }
  }
}

extension TargetList.Member {
  fileprivate var isSound: Bool {
    let texts = [location] + domains.values
    return Keyring.isName(name) && !location.isEmpty && domains.keys.allSatisfy(TargetList.domains.contains)
      && texts.allSatisfy { text in
        text.utf8.count <= Limits.pathBytesMax && text.unicodeScalars.allSatisfy(Path.isPrintable)
      }
  }
}

extension TargetList: SignedManifest {
  static var domain: String { "holdfast-1 targets" }
}

/// A revision of the list of targets as it is stored.
package typealias TargetListRevision = SignedRevision<TargetList>

extension SignedRevision<TargetList> {
  package var list: TargetList { contents }
}
