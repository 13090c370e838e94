internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// The end of what recovery can reach on its path. `wal status` shows it, and the refusal of a restore names it.
struct RecoveryReach {
  /// A position that recovery cannot pass, although more is archived after it.
  enum Barrier {
    /// From here on the log was written with `wal_level = minimal`: no server replays it.
    case minimal(WALParameters)
    /// From here on the records are invalid.
    case broken(at: LogSequenceNumber, in: WALFileName)
  }

  /// The end of the last record that a server replays.
  let end: LogSequenceNumber
  /// The last position at which recovery can be told to stop.
  let lastRecord: LogSequenceNumber?
  /// The latest time of a commit or abort.
  let latest: Timestamp?
  let barrier: Barrier?
}

extension RecoveryPath {
  /// - Parameter start: the position at which recovery begins.
  /// - Returns: `nil` if no file of the path is archived.
  func reach(from start: LogSequenceNumber) throws -> RecoveryReach? {
    guard !files.isEmpty else { return nil }
    let broken = try breakOff()
    let last = broken?.index ?? files.count - 1
    if let minimal = try demands(from: start, upTo: last).parameters.first(where: \.isMinimal) {
      return RecoveryReach(
        end: minimal.lsn, lastRecord: minimal.previous, latest: try latest(before: minimal.lsn),
        barrier: .minimal(minimal))
    }
    return RecoveryReach(
      end: try log(last).end, lastRecord: try lastRecord(upTo: last), latest: try latest(upTo: last),
      barrier: broken.map { .broken(at: $0.lsn, in: files[$0.index]) })
  }

  /// Returns the end of the last complete record.
  func end() throws -> LogSequenceNumber? {
    try files.isEmpty ? nil : log(files.count - 1).end
  }

  /// Returns the facts about a file, as far as its records can be parsed.
  func log(_ index: Int) throws -> WALFacts.Log { try inventory.log(files[index]).facts }

  /// Calls `body` for each file in order, until it returns a value or the records become invalid. If they become
  /// invalid in the last file, recovery ends there.
  func first<Value>(_ body: (_ index: Int, _ log: WALFacts.Log) throws -> Value?) throws -> Value? {
    for index in files.indices {
      try inventory.archive.repository.host.cancellation.check()
      let log = try inventory.log(files[index])
      if let value = try body(index, log.facts) { return value }
      if log.stop != nil { return nil }
    }
    return nil
  }

  /// Returns the position at which the records become invalid, and the index of its file, if more files follow;
  /// otherwise `nil`.
  func breakOff() throws -> (index: Int, lsn: LogSequenceNumber)? {
    for index in files.indices.dropLast() {
      try inventory.archive.repository.host.cancellation.check()
      if let stop = try inventory.log(files[index]).stop { return (index, stop) }
    }
    return nil
  }

  /// Returns the last position at which recovery can be told to stop, without regard to barriers.
  func lastRecord() throws -> LogSequenceNumber? { try lastRecord(upTo: files.count - 1) }

  private func lastRecord(upTo last: Int) throws -> LogSequenceNumber? {
    for index in files.indices.reversed() where index <= last {
      if let last = try log(index).lastRecord { return last }
      if index > 0, let open = try log(index - 1).openRecord { return open }
    }
    return nil
  }

  /// Returns the latest time of a commit or abort.
  private func latest(upTo last: Int) throws -> Timestamp? {
    for index in files.indices.reversed() where index <= last {
      if let latest = try log(index).latest { return latest }
    }
    return nil
  }

  private func latest(before lsn: LogSequenceNumber) throws -> Timestamp? {
    guard let last = files.firstIndex(where: { $0.number(size) == size.number(of: lsn) }) else { return nil }
    var near: Timestamp?
    try forEachEvent(in: last..<last + 1) { event in
      guard event.lsn < lsn, case .transactionEnd(_, let time, _) = event else { return }
      near = near.map { max($0, time) } ?? time
    }
    return try near ?? latest(upTo: last - 1)
  }
}
