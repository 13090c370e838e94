internal import FoundationEssentials
package import HoldfastModel
package import HoldfastSystem

/// The content of a lease's number (format.md, section 14).
package struct LeaseRecord: Hashable, Codable, Sendable {
  static let bytesMax = 4096
  /// The longest time that a number can keep others out.
  private static let termMax = TimeSpan.hours(1)

  private(set) var format = 1
  /// Drawn at random by each holder, for all its numbers.
  let holder: Identifier
  /// The time for which nobody takes the next number without seeing that the holder is gone; 0 if the lease was given
  /// back.
  package internal(set) var term: TimeSpan
  /// True if the holder holds the store's lock too. Then a run that gets the lock knows that the holder is gone.
  let locked: Bool
  /// Text for people: the name of the holder's machine, its process, and the time at which it began, by its clock.
  package let host: String
  package let process: Int32
  let time: RecordedTime
  /// The state of the work of `holdfast watch`; `nil` for a run that ends by itself.
  package var beat: LeaseBeat?
  /// The host that serves what the lease is about.
  package internal(set) var serving = RoleReading.none
  /// The configured name of the holder's host; `nil` if it has none. It is stored only beside a role.
  package internal(set) var maker: HostName?

  private enum CodingKeys: String, CodingKey {
    case format, holder
    case term = "seconds"
    case locked, host, process, time, beat
    case serving = "role"
    case maker = "by"
  }

  /// The lease counts also if what its holder says of its work cannot be understood: that is text for people. A role
  /// that cannot be understood is no text, and is noted as unclear.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    format = try container.decode(Int.self, forKey: .format)
    holder = try container.decode(Identifier.self, forKey: .holder)
    term = try container.decode(TimeSpan.self, forKey: .term)
    locked = try container.decode(Bool.self, forKey: .locked)
    host = try container.decode(String.self, forKey: .host)
    process = try container.decode(Int32.self, forKey: .process)
    time = try container.decode(RecordedTime.self, forKey: .time)
    beat = try? container.decodeIfPresent(LeaseBeat.self, forKey: .beat)
    if container.contains(.serving) {
      let role = try? container.decode(ServingRole.self, forKey: .serving)
      serving = role.map { .known($0) } ?? .unclear
    }
    maker = try? container.decodeIfPresent(HostName.self, forKey: .maker)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(format, forKey: .format)
    try container.encode(holder, forKey: .holder)
    try container.encode(term, forKey: .term)
    try container.encode(locked, forKey: .locked)
    try container.encode(host, forKey: .host)
    try container.encode(process, forKey: .process)
    try container.encode(time, forKey: .time)
    try container.encodeIfPresent(beat, forKey: .beat)
    guard let role = serving.role else { return }
    try container.encode(role, forKey: .serving)
    try container.encodeIfPresent(maker, forKey: .maker)
  }

  /// True if its holder needs the lease no more.
  package var isGivenBack: Bool { term <= .zero }

  /// Returns the record as one line of JSON.
  package func serialized() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
  }

  /// Parses a record; `nil` if the bytes are no record, or one of a newer format.
  package init?(parsing bytes: [UInt8]) {
    guard let record = try? JSONDecoder().decode(LeaseRecord.self, from: Data(bytes)), record.format == 1,
      (.zero...Self.termMax).contains(record.term)
    else { return nil }
    self = record
  }

  package init(
    holder: Identifier, term: TimeSpan, locked: Bool, host: String, process: Int32, time: RecordedTime
  ) {
    (self.holder, self.term, self.locked) = (holder, term, locked)
    (self.host, self.process, self.time) = (host, process, time)
  }
}
