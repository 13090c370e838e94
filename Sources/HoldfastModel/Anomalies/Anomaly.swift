/// Something about a snapshot that its source's history does not explain.
package struct Anomaly: Hashable, Sendable, Codable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
    case massDeletion = "mass-deletion"
    case truncation
    case encryption
  }

  package let kind: Kind
  /// How much of the source it concerns, in thousandths.
  package let share: Int
  /// The most that its history has had; `nil` where the history is too short to tell.
  package let usual: Int?

  package init(kind: Kind, share: Int, usual: Int?) {
    (self.kind, self.share, self.usual) = (kind, share, usual)
  }

  /// Whether what it says are shares: it may be hostile.
  package var isSound: Bool { [share, usual ?? 0].allSatisfy { (0...1000).contains($0) } }

  package var description: String {
    let usually = usual.map { " (at most \(Self.percent($0)) before)" } ?? ""
    return switch kind {
    case .massDeletion: "mass deletion: \(Self.percent(share)) of its entries are gone\(usually)"
    case .truncation: "truncation: it has lost \(Self.percent(share)) of its bytes\(usually)"
    case .encryption:
      "encryption: \(Self.percent(share)) of its bytes were replaced by some that look encrypted\(usually)"
    }
  }

  private static func percent(_ thousandths: Int) -> String {
    thousandths >= 100 ? "\(thousandths / 10) %" : "\(thousandths / 10).\(thousandths % 10) %"
  }
}
