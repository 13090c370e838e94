package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The findings of a probe of a store, as `--json` shows them.
package struct StoreCheckJSON: Encodable {
  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  private let check: StoreCheck

  package init(_ check: StoreCheck) { self.check = check }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Name.self)
    try container.encode(check.location, forKey: Name("location"))
    try container.encode(check.repository?.description, forKey: Name("repository"))
    try container.encode(check.roundTrip.seconds, forKey: Name("roundTripSeconds"))
    try container.encode(check.weaknesses, forKey: Name("weaknesses"))
    try container.encode(check.availableBytes, forKey: Name("availableBytes"))
    try container.encode(check.removal.outcome.rawValue, forKey: Name("removal"))
    try container.encode(check.removal.lockedUntil.map { TimeText.utc($0) }, forKey: Name("lockedUntil"))
    var capabilities = container.nestedContainer(keyedBy: Name.self, forKey: Name("capabilities"))
    for finding in check.findings { try capabilities.encode(finding.isKept, forKey: Name(finding.name)) }
  }
}

/// The findings of a probe of a store, as text.
package enum StoreCheckText {
  package static func lines(_ check: StoreCheck) -> [String] {
    var table = Table()
    for finding in check.findings { table.add(["", finding.isKept ? "yes" : "no", finding.promise]) }
    let time = Int((check.roundTrip.seconds * 1000).rounded())
    let repository = check.repository.map { "there is a repository here: \($0)" } ?? "there is no repository here yet"
    let room = check.availableBytes.map { "\(Amount.bytes($0)) are free there" } ?? "it does not tell how much is free"
    return [check.location, "  \(repository)"] + table.lines
      + ["  \(check.exposure)", "  a request takes \(time) ms", "  \(room)"]
  }
}
