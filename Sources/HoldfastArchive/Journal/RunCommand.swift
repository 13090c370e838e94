/// The command of a run, as the journal names it: a word of `a-z` and `-`. A newer version may use further ones.
package struct RunCommand: Hashable, Sendable, CustomStringConvertible {
  private static let lengthMax = 32
  package let text: String

  package static let backup = RunCommand(known: "backup")
  package static let merge = RunCommand(known: "merge")
  package static let verify = RunCommand(known: "verify")
  package static let prune = RunCommand(known: "prune")
  package static let restore = RunCommand(known: "restore")
  package static let scrub = RunCommand(known: "scrub")
  package static let drill = RunCommand(known: "drill")
  package static let failover = RunCommand(known: "failover")
  package static let switchover = RunCommand(known: "switchover")
  package static let failback = RunCommand(known: "failback")
  /// In notifications only: a standby raises the alarm.
  package static let standby = RunCommand(known: "standby")

  private init(known text: String) { self.text = text }

  package init?(_ text: String) {
    guard (1...Self.lengthMax).contains(text.utf8.count),
      text.utf8.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "-") })
    else { return nil }
    self.text = text
  }

  package var description: String { text }
}

extension RunCommand: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let command = RunCommand(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a command")
    }
    self = command
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
