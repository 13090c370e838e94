package import HoldfastModel

/// A retention policy for people and for JSON, by the names of the keys below `keep`.
package struct RetentionText: Encodable {
  private let policy: RetentionPolicy

  package init(_ policy: RetentionPolicy) { self.policy = policy }

  /// `last 3, daily 7, monthly 84, within 30 d, tag release`.
  package var text: String {
    var parts = counts.map { "\($0.name) \($0.count)" }
    if policy.within > .zero { parts.append("within \(Amount.age(policy.within))") }
    parts += policy.tags.map(\.text).sorted().map { "tag \($0)" }
    return parts.joined(separator: ", ")
  }

  private var counts: [(name: String, count: Int)] {
    let periods = RetentionPolicy.Period.allCases.map { (name: $0.rule, count: policy.periods[$0] ?? 0) }
    return ([(name: "last", count: policy.last)] + periods).filter { $0.count > 0 }
  }

  private enum Key: String, CodingKey {
    case last, hourly, daily, weekly, monthly, yearly, withinSeconds, tags
  }

  /// Keys that keep nothing are left out.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for (name, count) in counts { if let key = Key(rawValue: name) { try container.encode(count, forKey: key) } }
    if policy.within > .zero { try container.encode(policy.within, forKey: .withinSeconds) }
    if !policy.tags.isEmpty { try container.encode(policy.tags.map(\.text).sorted(), forKey: .tags) }
  }
}
