internal import FoundationEssentials
package import HoldfastModel

/// The facts that a recovery needs about an archived WAL file. They are stored in the last frame of the file's
/// container, so that they are sealed like the file (format.md, section 11).
package struct WALFacts: Hashable, Sendable, Codable {
  package static let restorePointsMax = 1024

  /// Describes a file that contains log. Times are microseconds since 1970-01-01 UTC, as exact as PostgreSQL's.
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
    package var latest: Int64?
    package var restorePoints: [RestorePoint]
    /// `nil` when the program that archived the file did not look for them.
    package var demands: WALDemands?

    package init(
      end: LogSequenceNumber, lastRecord: LogSequenceNumber?, openRecord: LogSequenceNumber?, transactions: UInt64,
      latest: Int64?,
      restorePoints: [RestorePoint], demands: WALDemands?
    ) {
      self.end = end
      self.lastRecord = lastRecord
      self.openRecord = openRecord
      self.transactions = transactions
      self.latest = latest
      self.restorePoints = restorePoints
      self.demands = demands
    }

    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(end, forKey: .end)
      try container.encode(lastRecord, forKey: .lastRecord)
      try container.encode(openRecord, forKey: .openRecord)
      try container.encode(transactions, forKey: .transactions)
      try container.encode(latest, forKey: .latest)
      try container.encode(restorePoints, forKey: .restorePoints)
      try container.encodeIfPresent(demands, forKey: .demands)
    }
  }

  package struct RestorePoint: Hashable, Sendable, Codable {
    /// The name as paths are shown: bytes that are not printable UTF-8 are escaped.
    package var name: String
    /// The position at which its record begins.
    package var lsn: LogSequenceNumber
    package var time: Int64

    package init(name: String, lsn: LogSequenceNumber, time: Int64) {
      self.name = name
      self.lsn = lsn
      self.time = time
    }

    private enum CodingKeys: String, CodingKey {
      case lsn = "place"
      case name, time
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

extension Timestamp {
  private static let microsecondsPerSecond: Int64 = 1_000_000

  package init(microseconds: Int64) {
    var (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: Self.microsecondsPerSecond)
    if rest < 0 { (seconds, rest) = (seconds - 1, rest + Self.microsecondsPerSecond) }
    self.init(seconds: seconds, nanoseconds: UInt32(rest) * 1000)
  }

  /// Microseconds since 1970-01-01 UTC, rounded down; a time out of range becomes the nearest one in range.
  package var microseconds: Int64 {
    let (product, isOver) = seconds.multipliedReportingOverflow(by: Self.microsecondsPerSecond)
    let (sum, isBeyond) = product.addingReportingOverflow(Int64(nanoseconds / 1000))
    return isOver || isBeyond ? (seconds < 0 ? .min : .max) : sum
  }
}
