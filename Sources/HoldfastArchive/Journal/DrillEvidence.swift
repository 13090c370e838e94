package import HoldfastCodec
package import HoldfastModel

/// The result of a drill, as the journal keeps it (format.md, section 13).
package struct DrillEvidence: Hashable, Sendable, Codable {
  package static let phasesMax = 16
  private static let nameBytesMax = 32

  /// One phase of a drill, with its duration.
  package struct Phase: Hashable, Sendable, Codable {
    package var name: String
    @SpanInMilliseconds package var took: TimeSpan

    package init(_ name: String, took: TimeSpan) {
      self.name = name
      self.took = took
    }
  }

  /// True if everything was as it should be.
  package var passed: Bool
  /// The phases in their order. The one in which the drill failed is the last one before the clean-up.
  package var phases: [Phase]
  /// The time until the restored database answered: the phases from the opening of the repository on, without the
  /// checks, the assertions and the clean-up.
  @SpanInMilliseconds package var restoreTime: TimeSpan
  /// The number of databases that were opened, and the number of assertions that held.
  package var databases: UInt64
  package var assertions: UInt64
  /// True if it was a drill of another snapshot than the newest one; `nil` otherwise.
  package var isOlder: Bool?
  /// In a sealed repository, the signature of the writer that made the drill; `nil` if that has no key.
  package var signature: Signature?

  private enum CodingKeys: String, CodingKey {
    case passed, phases, restoreTime, databases, assertions
    case isOlder = "older"
    case signature
  }

  package init(
    passed: Bool, phases: [Phase], restoreTime: TimeSpan, databases: UInt64, assertions: UInt64, isOlder: Bool? = nil
  ) {
    self.isOlder = isOlder
    self.passed = passed
    self.phases = phases
    self.restoreTime = restoreTime
    self.databases = databases
    self.assertions = assertions
  }

  /// False for what no drill writes: the journal may be hostile.
  var isSound: Bool {
    phases.count <= Self.phasesMax && databases <= Limits.sizeMax && assertions <= Limits.sizeMax
      && ([restoreTime] + phases.map(\.took)).allSatisfy { (.zero...JournalEntry.durationMax).contains($0) }
      && phases.allSatisfy {
        $0.name.utf8.count <= Self.nameBytesMax && $0.name.unicodeScalars.allSatisfy(Path.isPrintable)
      }
  }
}

/// The data that a writer signs of a drill.
private struct DrillClaim: Encodable {
  let repository: Identifier
  let source: SourceName
  let snapshot: Identifier?
  let host: String
  @InstantInMilliseconds var began: Timestamp
  @InstantInMilliseconds var ended: Timestamp
  let status: Int32
  let drill: DrillEvidence

  init?(_ entry: JournalEntry, of source: SourceName, in repository: Identifier) {
    guard entry.command == .drill, var drill = entry.drill else { return nil }
    drill.signature = nil
    (self.repository, self.source, self.drill) = (repository, source, drill)
    (snapshot, host, status) = (entry.snapshot, entry.host, entry.status)
    began = entry.began
    ended = entry.ended
  }

  func message() throws -> [UInt8] { Array("holdfast-1 drill\n".utf8) + (try ManifestJSON.line(of: self)) }
}

extension JournalEntry {
  /// Signs the evidence of a drill; any other entry stays as it is.
  package mutating func signDrill(of source: SourceName, in repository: Identifier, by key: SigningKey) throws {
    guard let claim = DrillClaim(self, of: source, in: repository) else { return }
    drill?.signature = try key.sign(claim.message())
  }

  /// True if a writer that the keyring has, and has not revoked, signed the evidence of this drill.
  package func hasSignedDrill(of source: SourceName, in repository: Identifier, by keyring: Keyring) -> Bool {
    guard let signature = drill?.signature,
      keyring.writers.contains(where: { $0.key == signature.key && $0.revoked == nil }),
      let message = try? DrillClaim(self, of: source, in: repository)?.message()
    else { return false }
    return signature.isValid(for: message)
  }
}
