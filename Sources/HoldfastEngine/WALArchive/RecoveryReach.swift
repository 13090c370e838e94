internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource

/// How far recovery can go on its way: what `wal status` shows and a refused restore names is one and the same.
struct RecoveryReach {
  /// Behind the last record that a server replays.
  let end: LogSequenceNumber
  /// The last place at which recovery can be told to stop.
  let lastPlace: LogSequenceNumber?
  /// The latest time of a transaction's end: microseconds since 1970-01-01 UTC.
  let latest: Int64?
  /// What no server replays, though more is archived behind it.
  let barrier: WALParameters?
}

extension RecoveryPath {
  /// - Parameter start: where the recovery begins.
  /// - Returns: `nil` where nothing of what it needs is archived.
  func reach(from start: LogSequenceNumber) throws -> RecoveryReach? {
    guard let end = try end() else { return nil }
    guard let barrier = try demands(from: start, upTo: files.count - 1).parameters.first(where: \.isMinimal) else {
      return RecoveryReach(end: end, lastPlace: try lastPlace(), latest: try latest(), barrier: nil)
    }
    return RecoveryReach(
      end: barrier.place, lastPlace: barrier.previous, latest: try latest(before: barrier.place), barrier: barrier)
  }

  /// Behind the last complete record.
  func end() throws -> LogSequenceNumber? {
    try files.isEmpty ? nil : log(files.count - 1).end
  }

  /// What is in a file, as it was noted when it was archived, else as it is read now.
  func log(_ index: Int) throws -> WALFacts.Log {
    if let noted = try inventory.facts(files[index]).log { return noted }
    return try survey(index..<index + 1)
  }

  /// The last place at which recovery can be told to stop, whatever lies on the way.
  func lastPlace() throws -> LogSequenceNumber? {
    for index in files.indices.reversed() {
      if let last = try log(index).lastRecord { return last }
      if index > 0, let open = try log(index - 1).openRecord { return open }
    }
    return nil
  }

  /// The latest time of a transaction's end, as far as was understood.
  private func latest() throws -> Int64? {
    for file in files.reversed() {
      if let latest = try inventory.facts(file).log?.latest { return latest }
    }
    return nil
  }

  private func latest(before place: LogSequenceNumber) throws -> Int64? {
    guard let last = files.firstIndex(where: { $0.number(size) == size.number(of: place) }) else { return nil }
    let near = try events(in: last..<last + 1).compactMap { event -> Int64? in
      if event.place < place, case .transactionEnd(_, let time) = event { time.microseconds } else { nil }
    }
    if let latest = near.max() { return latest }
    for file in files[..<last].reversed() {
      if let latest = try inventory.facts(file).log?.latest { return latest }
    }
    return nil
  }
}
