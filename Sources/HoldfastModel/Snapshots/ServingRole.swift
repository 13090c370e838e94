/// The name by which a host is known to those that take turns in serving a source (`failover: {host: …}` in the
/// configuration). It is chosen, and is not the name of the machine, which may change. Its form is that of a source
/// name.
package struct HostName: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let text: String

  package init?(_ text: String) {
    guard SourceName(text) != nil else { return nil }
    self.text = text
  }

  package var description: String { text }
  package static func < (left: HostName, right: HostName) -> Bool { left.text < right.text }
}

extension HostName: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let name = HostName(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the name of a host")
    }
    self = name
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// The host that serves a source, or served it last (format.md, section 14). Every number of the source's lease repeats
/// it; a number that is announced changes it.
package struct ServingRole: Hashable, Codable, Sendable {
  /// The snapshot with which a host began to serve.
  package struct Start: Hashable, Codable, Sendable {
    package let sequence: UInt64
    package let snapshot: Identifier

    package init(sequence: UInt64, snapshot: Identifier) { (self.sequence, self.snapshot) = (sequence, snapshot) }
  }

  package let serving: HostName
  /// The number of the lease in which it was announced.
  package let since: UInt64
  /// `nil` if there was no snapshot.
  package let from: Start?
  /// The highest number that a snapshot of the source had then: that of `from`, or of a merge of an older one.
  package let highest: UInt64
  /// True until the host begins to serve: it may not have the data of `from` yet. No service starts on it, and it adds
  /// no snapshots, until its failover says in another number, and in the notes, that it begins.
  package let isAwaited: Bool

  package init(serving: HostName, since: UInt64, from: Start?, highest: UInt64, isAwaited: Bool = false) {
    (self.serving, self.since, self.from, self.highest) = (serving, since, from, highest)
    self.isAwaited = isAwaited
  }

  private enum CodingKeys: String, CodingKey {
    case serving, since, from, highest
    case isAwaited = "awaited"
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    serving = try container.decode(HostName.self, forKey: .serving)
    since = try container.decode(UInt64.self, forKey: .since)
    from = try container.decodeIfPresent(Start.self, forKey: .from)
    highest = try container.decode(UInt64.self, forKey: .highest)
    isAwaited = try container.decodeIfPresent(Bool.self, forKey: .isAwaited) ?? false
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(serving, forKey: .serving)
    try container.encode(since, forKey: .since)
    try container.encodeIfPresent(from, forKey: .from)
    try container.encode(highest, forKey: .highest)
    if isAwaited { try container.encode(true, forKey: .isAwaited) }
  }

  /// The same role of a host that begins to serve now.
  package var begun: ServingRole { ServingRole(serving: serving, since: since, from: from, highest: highest) }

  /// True if a snapshot was under way when its maker was overtaken: it was not there when the host began, and was made
  /// under an older number. It is kept, and is never the newest.
  /// - Parameter lease: the number of the lease under which it was committed; `nil` if it was none.
  package func isDiverged(sequence: UInt64, lease: UInt64?) -> Bool {
    sequence > highest && (lease ?? 0) < since
  }
}

/// The role in a number of a lease, as a reader finds it.
package enum RoleReading: Hashable, Sendable {
  /// No host has been announced.
  case none
  case known(ServingRole)
  /// There is a role, and it cannot be understood. Nobody may write under such a number, nor follow it by another.
  case unclear

  package var role: ServingRole? {
    if case .known(let role) = self { role } else { nil }
  }
}
