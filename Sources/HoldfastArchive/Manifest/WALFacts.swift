internal import FoundationEssentials
package import HoldfastModel

/// The facts that a recovery needs about an archived WAL file. They are stored in the last frame of the file's
/// container, so that they are sealed like the file (format.md, section 11).
package struct WALFacts: Hashable, Sendable, Codable {
  package static let restorePointsMax = 1024

  /// Describes a file that holds log. Times are exact to the microsecond, like PostgreSQL's, and are stored as
  /// microseconds since 1970-01-01 UTC.
  package struct Log: Hashable, Sendable, Codable {
    /// The end of the last complete record.
    package var end: LogSequenceNumber
    /// The position at which the last record begins that lies completely in this file; `nil` when there is none.
    package var lastRecord: LogSequenceNumber?
    /// The position at which a record begins that continues in the next segment. Its type is known only with both
    /// parts.
    package var openRecord: LogSequenceNumber?
    /// Number of commits and aborts.
    package var transactions: UInt64
    /// The latest time of a commit or abort.
    package var latest: Timestamp?
    package var restorePoints: [RestorePoint]
    /// `nil` when the program that archived the file did not look for them.
    package var demands: WALDemands?

    package init(
      end: LogSequenceNumber, lastRecord: LogSequenceNumber?, openRecord: LogSequenceNumber?, transactions: UInt64,
      latest: Timestamp?, restorePoints: [RestorePoint], demands: WALDemands?
    ) {
      self.end = end
      self.lastRecord = lastRecord
      self.openRecord = openRecord
      self.transactions = transactions
      self.latest = latest
      self.restorePoints = restorePoints
      self.demands = demands
    }

    private enum CodingKeys: String, CodingKey {
      case end, lastRecord, openRecord, transactions, latest, restorePoints, demands
    }

    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      end = try container.decode(LogSequenceNumber.self, forKey: .end)
      lastRecord = try container.decodeIfPresent(LogSequenceNumber.self, forKey: .lastRecord)
      openRecord = try container.decodeIfPresent(LogSequenceNumber.self, forKey: .openRecord)
      transactions = try container.decode(UInt64.self, forKey: .transactions)
      latest = try container.decodeIfPresent(Int64.self, forKey: .latest).map { Timestamp(microseconds: $0) }
      restorePoints = try container.decode([RestorePoint].self, forKey: .restorePoints)
      demands = try container.decodeIfPresent(WALDemands.self, forKey: .demands)
    }

    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(end, forKey: .end)
      try container.encode(lastRecord, forKey: .lastRecord)
      try container.encode(openRecord, forKey: .openRecord)
      try container.encode(transactions, forKey: .transactions)
      try container.encode(latest?.microseconds, forKey: .latest)
      try container.encode(restorePoints, forKey: .restorePoints)
      try container.encodeIfPresent(demands, forKey: .demands)
    }
  }

  package struct RestorePoint: Hashable, Sendable, Codable {
    /// The name as paths are shown: bytes that are not printable UTF-8 are escaped.
    package var name: String
    /// The position at which its record begins.
    package var lsn: LogSequenceNumber
    package var time: Timestamp

    package init(name: String, lsn: LogSequenceNumber, time: Timestamp) {
      self.name = name
      self.lsn = lsn
      self.time = time
    }

    private enum CodingKeys: String, CodingKey {
      case lsn = "place"
      case name, time
    }

    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      name = try container.decode(String.self, forKey: .name)
      lsn = try container.decode(LogSequenceNumber.self, forKey: .lsn)
      time = Timestamp(microseconds: try container.decode(Int64.self, forKey: .time))
    }

    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encode(lsn, forKey: .lsn)
      try container.encode(time.microseconds, forKey: .time)
    }
  }

  /// SHA-256 of the file.
  package var digest: Digest
  /// `nil` for a file without log, and for one that was not understood.
  package var log: Log?

  package init(digest: Digest, log: Log?) {
    self.digest = digest
    self.log = log
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(digest, forKey: .digest)
    try container.encode(log, forKey: .log)
  }

  /// The bytes of the frame.
  package func serialized() throws -> [UInt8] { try ManifestJSON.line(of: self) }

  /// - Throws: `DamageError` for anything but such a frame.
  package init(parsing bytes: [UInt8], name: String) throws {
    guard let facts = try? JSONDecoder().decode(WALFacts.self, from: Data(bytes)),
      facts.log.map({ log in
        log.restorePoints.count <= Self.restorePointsMax && Self.isSound(log.demands)
          && log.restorePoints.allSatisfy { $0.name.unicodeScalars.allSatisfy(Path.isPrintable) }
      }) ?? true
    else { throw DamageError(name, "what it says of its log is not sound") }
    self = facts
  }

  private static func isSound(_ demands: WALDemands?) -> Bool {
    guard let demands else { return true }
    return max(demands.tablespaces.count, demands.parameters.count) <= WALDemands.countMax
      && demands.tablespaces.allSatisfy { $0.location.isEmpty || !$0.directory.isEmpty }
      && demands.parameters.allSatisfy { $0.minima.keys.allSatisfy(WALParameters.names.contains) }
  }
}
