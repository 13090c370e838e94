/// A measured change of a source that goes far beyond what its history shows.
package struct Anomaly: Hashable, Sendable, Codable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
    case massDeletion = "mass-deletion"
    case truncation
    case encryption
  }

  package let kind: Kind
  /// The share of the source that is affected, in thousandths.
  package let share: Int
  /// The largest share in the history, in thousandths; `nil` when the history is too short to tell.
  package let usual: Int?

  package init(kind: Kind, share: Int, usual: Int?) {
    (self.kind, self.share, self.usual) = (kind, share, usual)
  }

  /// True if the shares are between 0 and 1000. The repository that they come from may be hostile.
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
